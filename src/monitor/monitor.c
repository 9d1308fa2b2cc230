#include "monitor/monitor.h"

#include "core/clock.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "picstore_build.h"

enum {
	OPTIONS_MAX = 24,
	OUTPUT_MAX = 16 << 20,
	WATCH_S = 2,
	WATCH_MAX_S = 86400,
	MS_PER_S = 1000,
	/* letters that no keyboard has, for options that are long alone */
	OPT_JSON = 256,
	OPT_PROMETHEUS,
	OPT_PLUGIN,
	OPT_WATCH,
	OPT_CONFIG,
};

typedef void (*form_fn)(const struct report *report, struct buf *out);

struct run {
	const struct monitor *monitor;
	struct report_limits limits;
	form_fn form;
	int watch_s; /* 0: once */
	const char *config;
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
	(void)number;
	asked_to_stop = 1;
}

static const struct option common[] = {
	{ "warning", required_argument, NULL, 'w' },
	{ "critical", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "prometheus", no_argument, NULL, OPT_PROMETHEUS },
	{ "plugin", no_argument, NULL, OPT_PLUGIN },
	{ "watch", optional_argument, NULL, OPT_WATCH },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
};

static void print_figure(const struct report_kind *kind, const struct report_column *column)
{
	static const char *const units[] = {
		[REPORT_PERCENT] = ", percent",
		[REPORT_BYTES] = ", bytes",
		[REPORT_MS] = ", ms",
		[REPORT_SECONDS] = ", seconds",
	};
	const char *unit = column->unit < sizeof units / sizeof units[0] ? units[column->unit]
									 : NULL;

	printf("  %-19s of a %s: %s%s\n", column->name, kind->name, column->help,
		unit == NULL ? "" : unit);
}

static void print_help(const struct monitor *monitor)
{
	const struct monitor_option *own = monitor->options;

	printf("usage: %s [options] %s\n\n%s.\n\n", monitor->name, monitor->operands,
		monitor->summary);
	for (; own != NULL && own->letter != '\0'; own++)
		printf("  -%c, --%s %s\n        %s\n", own->letter, own->name, own->value,
			own->help);
	fputs("  -w, --warning FIGURE=THRESHOLD,...\n"
	      "  -c, --critical FIGURE=THRESHOLD,...\n"
	      "        when to warn, and when it is critical: 10 (outside of 0 to 10), 10: (under\n"
	      "        10), ~:10 (over 10), 10:20 (outside), @10:20 (within), none\n"
	      "  --json, --prometheus, --plugin\n"
	      "        print that instead of a table\n"
	      "  --watch[=SECONDS]\n"
	      "        look again every 2 seconds, until Ctrl-C\n"
	      "  --config FILE\n"
	      "        the configuration\n"
	      "  -V, --version; -h, --help\n\nfigures:\n",
		stdout);
	for (size_t k = 0; monitor->kinds[k] != NULL; k++)
		for (size_t c = 0; c < monitor->kinds[k]->count; c++)
			if (monitor->kinds[k]->columns[c].unit > REPORT_TEXT)
				print_figure(monitor->kinds[k], &monitor->kinds[k]->columns[c]);
	printf("\nThresholds unless told otherwise: -w %s -c %s\n", monitor->warning,
		monitor->critical);
	fputs("Exit status: 0 OK, 1 warning, 2 critical, 3 unknown.\n", stdout);
}

static int read_watch(const char *text, int *out, struct err *err)
{
	char *end;
	long value;

	if (text == NULL) {
		*out = WATCH_S;
		return 0;
	}
	value = strtol(text, &end, 10);
	if (end == text || *end != '\0' || value < 1 || value > WATCH_MAX_S)
		return err_set(err, ERR_BAD_REQUEST, "--watch takes seconds, 1 to %d", WATCH_MAX_S);
	*out = (int)value;
	return 0;
}

/* Returns 0, 1 if that was all there is to do, -1 with err. */
static int take_option(struct run *run, int letter, const char *value, struct err *err)
{
	const struct monitor *monitor = run->monitor;

	switch (letter) {
	case 'w':
		return report_limits_read(&run->limits, monitor->kinds, REPORT_WARNING, value, err);
	case 'c':
		return report_limits_read(
			&run->limits, monitor->kinds, REPORT_CRITICAL, value, err);
	case OPT_JSON:
		run->form = report_json;
		return 0;
	case OPT_PROMETHEUS:
		run->form = report_prometheus;
		return 0;
	case OPT_PLUGIN:
		run->form = report_plugin;
		return 0;
	case OPT_WATCH:
		return read_watch(value, &run->watch_s, err);
	case OPT_CONFIG:
		run->config = value;
		return 0;
	case 'V':
		printf("%s %s\n", monitor->name, PICSTORE_VERSION);
		return 1;
	case 'h':
		print_help(monitor);
		return 1;
	case ':':
	case '?':
		return err_set(err, ERR_BAD_REQUEST, "wrong options; see --help");
	default:
		return monitor->option(monitor->context, (char)letter, value, err);
	}
}

static int read_options(struct run *run, int argc, char **argv, struct err *err)
{
	const struct monitor_option *own = run->monitor->options;
	struct option table[OPTIONS_MAX] = { { 0 } };
	char letters[2 * OPTIONS_MAX + 8] = "w:c:Vh";
	size_t count = sizeof common / sizeof common[0], len = strlen(letters);
	int letter, result;

	memcpy(table, common, sizeof common);
	for (; own != NULL && own->letter != '\0'; own++) {
		assert(count + 1 < OPTIONS_MAX);
		table[count++] = (struct option){ own->name, required_argument, NULL, own->letter };
		letters[len++] = own->letter;
		letters[len++] = ':';
	}
	letters[len] = '\0';
	while ((letter = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		result = take_option(run, letter, optarg, err);
		if (result != 0)
			return result;
	}
	if (argc - optind < run->monitor->least || argc - optind > run->monitor->most)
		return err_set(err, ERR_BAD_REQUEST, "usage: %s [options] %s; see --help",
			run->monitor->name, run->monitor->operands);
	return 0;
}

/* Look once and print; returns the state. */
static enum report_state look(const struct run *run, bool clear)
{
	struct report report;
	enum report_state state;
	struct buf out;

	buf_init(&out, OUTPUT_MAX);
	report_init(&report, run->monitor->name, run->monitor->label);
	run->monitor->look(run->monitor->context, &report);
	report_check(&report, &run->limits);
	if (clear)
		buf_put_str(&out, "\033[H\033[2J");
	run->form(&report, &out);
	state = report.state;
	report_fini(&report);
	if (!buf_ok(&out) || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
		state = REPORT_UNKNOWN;
	buf_fini(&out);
	return state;
}

/* Until Ctrl-C, or until nobody reads any more. */
static enum report_state watch(const struct run *run)
{
	struct sigaction action = { .sa_handler = on_signal };
	bool clear = run->form == report_screen && isatty(STDOUT_FILENO);
	enum report_state state = REPORT_UNKNOWN;
	sigset_t stop, before;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	while (!asked_to_stop && !ferror(stdout)) {
		int64_t begun = clock_mono_ms(), left;

		state = look(run, clear);
		if (run->form == report_screen && !clear)
			puts("");
		left = begun + (int64_t)run->watch_s * MS_PER_S - clock_mono_ms();
		/* A signal either comes before the look at the flag, or ends the wait. */
		sigprocmask(SIG_BLOCK, &stop, &before);
		if (!asked_to_stop && left > 0)
			ppoll(NULL, 0,
				&(struct timespec){ .tv_sec = left / MS_PER_S,
					.tv_nsec = left % MS_PER_S * 1000000 },
				&before);
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	return state;
}

int monitor_main(const struct monitor *monitor, int argc, char **argv)
{
	struct run run = { .monitor = monitor, .form = report_screen };
	struct err err;
	int result;

	signal(SIGPIPE, SIG_IGN);
	result = report_limits_read(
		&run.limits, monitor->kinds, REPORT_WARNING, monitor->warning, &err);
	assert(result == 0);
	result = report_limits_read(
		&run.limits, monitor->kinds, REPORT_CRITICAL, monitor->critical, &err);
	assert(result == 0);

	result = read_options(&run, argc, argv, &err);
	if (result > 0)
		return fflush(stdout) == 0 ? REPORT_OK : REPORT_UNKNOWN;
	if (result == 0)
		result = monitor->open(
			monitor->context, run.config, argv + optind, argc - optind, &err);
	if (result < 0) {
		/* On stdout, where who runs plug-ins looks. */
		printf("%s UNKNOWN: %s\n", monitor->label, err.text);
		return REPORT_UNKNOWN;
	}
	return run.watch_s > 0 ? (int)watch(&run) : (int)look(&run, false);
}
