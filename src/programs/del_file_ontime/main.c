/* del_file_ontime - has pictures deleted whose time has come.
 *
 * Reads the delete log and sends what is due to cs_del_svr, through admin_proxy.  Once, as
 * a timer would have it, or again and again with --every. */
#include "core/log.h"
#include "programs/del_file_ontime/ontime.h"
#include "service/privileges.h"
#include "service/reach.h"
#include "service/ready.h"
#include "service/settings.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "picstore_build.h"

enum { EXIT_WRONG = 2, CALL_MS = 120000, ITEM_LEN = 4 + PACKAGE_URL_LEN };

struct words {
	const char *config, *log, *proxy, *older_than, *batch, *every;
	bool dry_run;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "older-than", required_argument, NULL, 'o' },
	{ "batch", required_argument, NULL, 'b' },
	{ "every", required_argument, NULL, 'e' },
	{ "once", no_argument, NULL, '1' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"del_file_ontime - has pictures deleted whose time has come\n\n"
	"usage: del_file_ontime [options] [LOG [HOST:PORT]]\n\n"
	"  LOG is the delete log, HOST:PORT admin_proxy; else as configured\n\n"
	"  -c, --config FILE      the configuration (else $PICSTORE_CONF, else the installed\n"
	"                         one, if there is one)\n"
	"  -1, --once             one run (this is so without --every)\n"
	"  -e, --every TIME       stay, and run so often: 30s, 5m, 1h\n"
	"  -o, --older-than TIME  delete only what was asked for at least so long ago\n"
	"  -b, --batch N          pictures in a request\n"
	"  -n, --dry-run          print what would be deleted now, and do nothing\n"
	"  -V, --version          print the version\n"
	"  -h, --help             print this\n";

static sigset_t stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

/* Wait so long for a signal to stop.  It stays known. */
static bool stop_within(int64_t ms)
{
	static bool stopped;
	sigset_t set = stop_signals();
	struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (!stopped)
		stopped = sigtimedwait(&set, NULL, &wait) > 0;
	return stopped;
}

static bool stop_now(void)
{
	return stop_within(0);
}

/* Returns -1 to go on, or the exit status to leave with. */
static int read_words(int argc, char **argv, struct words *words)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:o:b:e:1nVh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			words->config = optarg;
			break;
		case 'o':
			words->older_than = optarg;
			break;
		case 'b':
			words->batch = optarg;
			break;
		case 'e':
			words->every = optarg;
			break;
		case '1':
			words->every = NULL;
			break;
		case 'n':
			words->dry_run = true;
			break;
		case 'V':
			printf("del_file_ontime %s\n", PICSTORE_VERSION);
			return 0;
		case 'h':
			fputs(help, stdout);
			return 0;
		default: /* getopt has said what is wrong */
			fputs("del_file_ontime --help lists the options\n", stderr);
			return EXIT_WRONG;
		}
	}
	if (optind < argc)
		words->log = argv[optind++];
	if (optind < argc)
		words->proxy = argv[optind++];
	if (optind == argc)
		return -1;
	fprintf(stderr, "del_file_ontime: '%s' is one word too many\n", argv[optind]);
	return EXIT_WRONG;
}

static int set(struct settings *settings, const char *section, const char *key, const char *value,
	struct err *err)
{
	return value == NULL ? 0 : conf_set(&settings_table, section, key, value, settings, err);
}

/* The configuration, with what the command line says instead. */
static struct settings *load(const struct words *words, struct err *err)
{
	const char *installed = PICSTORE_SYSCONFDIR "/picstore.conf";
	const char *from = getenv("PICSTORE_CONF");
	bool none = words->config == NULL && (from == NULL || *from == '\0') &&
		    access(installed, F_OK) != 0 && words->log != NULL && words->proxy != NULL;
	struct settings *settings = none ? settings_parse(installed, "", err)
					 : settings_load(words->config, err);

	if (settings == NULL)
		return NULL;
	if (set(settings, "del_svr", "log", words->log, err) == 0 &&
		set(settings, "del_file_ontime", "proxy", words->proxy, err) == 0 &&
		set(settings, "del_file_ontime", "older_than", words->older_than, err) == 0 &&
		set(settings, "del_file_ontime", "batch", words->batch, err) == 0 &&
		set(settings, "del_file_ontime", "every", words->every, err) == 0)
		return settings;
	settings_free(settings);
	return NULL;
}

static void print_line(void *context, const struct delete_line *line)
{
	uint64_t *count = context;

	printf("%s\t%" PRIu32 "\t%" PRIu32 "\n", line->url.text, line->user, line->hostid);
	++*count;
}

static int dry_run(const struct ontime *ontime)
{
	uint64_t count = 0;
	struct err err;

	if (ontime_dry_run(ontime, print_line, &count, &err) != 0) {
		fprintf(stderr, "del_file_ontime: %s\n", err.text);
		return EXIT_FAILURE;
	}
	fprintf(stderr, "%" PRIu64 " would be deleted now\n", count);
	return EXIT_SUCCESS;
}

/* One run and its summary.  A run of nothing, of many, is not worth a line. */
static bool run(const struct ontime *ontime, bool often)
{
	struct ontime_sum sum;
	struct err err;
	bool good = ontime_run(ontime, &sum, &err) == 0;
	bool quiet = often && good && sum.deleted == 0 && sum.failed == 0 &&
		     sum.queue.taken_back == 0 && sum.queue.damaged == 0;

	if (sum.queue.damaged > 0)
		log_alarm("%" PRIu64 " lines of %s were damaged: they are in %s.bad, and what they "
			  "said has not been done",
			sum.queue.damaged, ontime->log, ontime->log);
	if (!quiet)
		log_line(sum.failed > 0 ? LOG_WARN : LOG_INFO,
			"%" PRIu64 " deleted, %" PRIu64 " taken back, %" PRIu64
			" failed and will be tried again, %" PRIu64 " damaged lines",
			sum.deleted, sum.queue.taken_back, sum.failed, sum.queue.damaged);
	if (!good)
		log_error("the run ended early, the next one goes on there: %s", err.text);
	return good && sum.failed == 0 && sum.queue.damaged == 0;
}

static int serve(const struct settings *settings, const struct ontime *ontime, bool often)
{
	sigset_t signals = stop_signals();
	struct err err;

	privileges_prepare();
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (privileges_files_as(settings->user, &err) != 0 ||
		privileges_drop(settings->user, &err) != 0 ||
		reach_confine(settings, NULL, NULL, REACH_NETWORK | REACH_DELETE_LOG, &err) != 0) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	if (!often)
		return run(ontime, false) ? EXIT_SUCCESS : EXIT_FAILURE;
	ready_report();
	do
		run(ontime, true);
	while (!stop_within(settings->ontime_every));
	log_info("stopped");
	return EXIT_SUCCESS;
}

/* As many pictures as were asked for, or as a package has room for. */
static int batch_of(const struct settings *settings)
{
	int64_t room = (settings->max_package - PACKAGE_HEADER_LEN - 4) / ITEM_LEN;

	return (int)(settings->ontime_batch < room ? settings->ontime_batch : room);
}

int main(int argc, char **argv)
{
	struct words words = { 0 };
	struct frame_client_conf conf;
	struct settings *settings;
	struct ontime ontime;
	struct err err;
	int status = read_words(argc, argv, &words);

	if (status >= 0)
		return status;
	settings = load(&words, &err);
	if (settings == NULL) {
		fprintf(stderr, "del_file_ontime: %s\n", err.text);
		return EXIT_WRONG;
	}
	log_init("del_file_ontime", (enum log_level)settings->log_level);
	conf = (struct frame_client_conf){
		.address = settings->ontime_proxy,
		.order = (enum byte_order)settings->byte_order,
		.connect_ms = settings->connect_timeout,
		.timeout_ms = CALL_MS,
		.idle = 1,
	};
	ontime = (struct ontime){
		.log = settings->del_log,
		.order = conf.order,
		.older_than_ms = settings->ontime_older_than,
		.batch = batch_of(settings),
		.stop = stop_now,
	};
	ontime.client = frame_client_new(&conf, &err);
	if (ontime.client == NULL) {
		fprintf(stderr, "del_file_ontime: %s\n", err.text);
		status = EXIT_WRONG;
	} else if (words.dry_run) {
		status = dry_run(&ontime);
	} else {
		status = serve(settings, &ontime, words.every != NULL);
	}
	frame_client_free(ontime.client);
	settings_free(settings);
	return status;
}
