#include "service/service.h"

#include "core/address.h"
#include "core/buf.h"
#include "core/log.h"
#include "service/privileges.h"
#include "service/reach.h"
#include "service/ready.h"
#include "service/stat_socket.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "picstore_build.h"

enum { EXIT_WRONG = 2 };       /* options or configuration */
enum { SIGNAL_END = SIGUSR2 }; /* ends the thread that waits for signals */

struct options {
	const char *config, *instance, *listen;
	uint16_t port;
	bool test;
};

/* Who stops what: the thread that takes signals and the one that runs agree here. */
struct run_state {
	const struct service *service;
	struct service_context *context;
	const char *config; /* the --config option */
	pthread_mutex_t lock;
	bool running;     /* `run` has been or is just being called, and has not returned */
	bool stop_wanted; /* a signal came */
	bool ended;
	bool waiting; /* `signals` is there */
	pthread_t signals;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "instance", required_argument, NULL, 'i' },
	{ "listen", required_argument, NULL, 'l' },
	{ "port", required_argument, NULL, 'p' },
	{ "test", no_argument, NULL, 't' },
	{ "keys", no_argument, NULL, 'H' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void print_help(const struct service *service)
{
	printf("%s - %s\n\nusage: %s [options]\n\n"
	       "  -c, --config FILE     the configuration (else $PICSTORE_CONF, else\n"
	       "                        %s/picstore.conf)\n",
		service->name, service->summary, service->name, PICSTORE_SYSCONFDIR);
	if (service->has_instances)
		printf("  -i, --instance NAME   which [storage NAME] of it\n");
	printf("  -l, --listen ADDRESS  host:port, [v6]:port or unix:/path, instead of the "
	       "configured one\n");
	if (service->has_ports)
		printf("  -p, --port PORT       the configured address with another port\n");
	printf("  -t, --test            check the configuration and leave\n"
	       "  -H, --keys            print every configuration key with its default\n"
	       "  -V, --version         print the version\n"
	       "  -h, --help            print this\n");
}

static void print_keys(void)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	conf_sample(&settings_table, &out);
	fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
}

static bool read_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || value == 0 || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

/* Returns -1 to go on, or the exit status to leave with. */
static int read_options(
	const struct service *service, int argc, char **argv, struct options *options)
{
	struct address address;
	int option;

	while ((option = getopt_long(argc, argv, "c:i:l:p:tHVh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'i':
			options->instance = optarg;
			break;
		case 'l':
			options->listen = optarg;
			break;
		case 'p':
			if (!service->has_ports || !read_port(optarg, &options->port)) {
				fprintf(stderr, "%s: '%s' is not a port%s\n", service->name, optarg,
					service->has_ports ? "" : ", and would be of no use here");
				return EXIT_WRONG;
			}
			break;
		case 't':
			options->test = true;
			break;
		case 'H':
			print_keys();
			return 0;
		case 'V':
			printf("%s %s\n", service->name, PICSTORE_VERSION);
			if (service->built_with != NULL)
				puts(service->built_with);
			return 0;
		case 'h':
			print_help(service);
			return 0;
		default: /* getopt has said what is wrong */
			fprintf(stderr, "%s --help lists the options\n", service->name);
			return EXIT_WRONG;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: '%s' is not an option\n", service->name, argv[optind]);
		return EXIT_WRONG;
	}
	if (options->listen != NULL && !address_parse(options->listen, &address)) {
		fprintf(stderr, "%s: '%s' is not host:port, [v6]:port or unix:/path\n",
			service->name, options->listen);
		return EXIT_WRONG;
	}
	if (options->listen != NULL && options->port != 0) {
		fprintf(stderr, "%s: --listen has the port already\n", service->name);
		return EXIT_WRONG;
	}
	if (options->instance != NULL && !service->has_instances) {
		fprintf(stderr, "%s has no instances\n", service->name);
		return EXIT_WRONG;
	}
	return -1;
}

/* Read the configuration again. */
static void reload(struct run_state *state)
{
	struct err err = { 0 };
	struct settings *fresh;

	if (!state->running)
		return;
	fresh = settings_load(state->config, &err);
	if (fresh != NULL && state->service->reload(state->context, fresh, &err) == 0)
		log_info("the configuration was read again");
	else
		log_error("the configuration stays as it was: %s", err.text);
	settings_free(fresh);
}

/* The thread that takes signals: they are blocked in all others. */
static void *take_signals(void *argument)
{
	struct run_state *state = argument;
	bool ended = false;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGNAL_END);
	while (!ended) {
		int number;

		if (sigwait(&set, &number) != 0)
			continue;
		pthread_mutex_lock(&state->lock);
		ended = state->ended;
		if (number == SIGHUP && state->service->reload != NULL) {
			reload(state);
			pthread_mutex_unlock(&state->lock);
			continue;
		}
		if (number != SIGNAL_END && state->stop_wanted) {
			log_warn("asked to stop again: leaving at once");
			_exit(EXIT_FAILURE);
		}
		if (number != SIGNAL_END) {
			log_info("stopping");
			state->stop_wanted = true;
			if (state->running)
				state->service->stop(state->context);
		}
		pthread_mutex_unlock(&state->lock);
	}
	return NULL;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGNAL_END);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool begin_run(struct run_state *state)
{
	pthread_mutex_lock(&state->lock);
	state->running = !state->stop_wanted;
	pthread_mutex_unlock(&state->lock);
	return state->running;
}

static void end_run(struct run_state *state)
{
	pthread_mutex_lock(&state->lock);
	state->running = false;
	pthread_mutex_unlock(&state->lock);
}

/* The first thread: what was given up before holds for all. */
static int start_waiting(struct run_state *state, struct err *err)
{
	int status = pthread_create(&state->signals, NULL, take_signals, state);

	if (status != 0)
		return err_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(status));
	state->waiting = true;
	return 0;
}

static int make_ready(struct run_state *state, struct stat_socket **stat, struct err *err)
{
	const struct service *service = state->service;
	struct service_context *context = state->context;
	const char *user = context->settings->user;

	if (privileges_make_folder(context->settings->run_dir, user, err) != 0 ||
		privileges_files_as(user, err) != 0)
		return -1;
	if (service->listen != NULL && service->listen(context, err) != 0)
		return -1;
	if (privileges_drop(user, err) != 0 ||
		reach_confine(context->settings, context->instance, context->listen, service->reach,
			err) != 0 ||
		start_waiting(state, err) != 0)
		return -1;
	if (service->open != NULL && service->open(context, err) != 0)
		return -1;
	*stat = stat_socket_open(service, context, err);
	return *stat == NULL ? -1 : 0;
}

/* From listening to closing; returns the exit status. */
static int serve(struct run_state *state)
{
	const struct service *service = state->service;
	struct stat_socket *stat = NULL;
	struct err err = { 0 };
	int result = make_ready(state, &stat, &err);

	if (result == 0 && begin_run(state)) {
		ready_report();
		result = service->run(state->context, &err);
		end_run(state);
	}
	stat_socket_close(stat);
	if (service->close != NULL)
		service->close(state->context);
	if (result == 0) {
		log_info("stopped");
		return EXIT_SUCCESS;
	}
	log_error("%s", err.text);
	return err.code == ERR_CONFIG ? EXIT_WRONG : EXIT_FAILURE;
}

static int run(const struct service *service, struct service_context *context, const char *config)
{
	struct run_state state = {
		.service = service,
		.context = context,
		.config = config,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int status;

	privileges_prepare();
	block_signals();
	status = serve(&state);
	if (!state.waiting)
		return status;
	pthread_mutex_lock(&state.lock);
	state.ended = true;
	pthread_mutex_unlock(&state.lock);
	pthread_kill(state.signals, SIGNAL_END);
	pthread_join(state.signals, NULL);
	return status;
}

int service_listen_address(const struct service_context *context, const char *configured,
	char out[ADDRESS_HOST_MAX + 16], struct err *err)
{
	if (context->listen != NULL)
		configured = context->listen;
	if (context->port == 0)
		snprintf(out, ADDRESS_HOST_MAX + 16, "%s", configured);
	else if (!address_with_port(configured, context->port, out))
		return err_set(
			err, ERR_CONFIG, "%s has no port that --port could replace", configured);
	return 0;
}

int service_main(const struct service *service, int argc, char **argv)
{
	struct service_context context = { .name = service->name };
	struct options options = { 0 };
	struct settings *settings;
	struct err err = { 0 };
	char name[64], port[8];
	int status = read_options(service, argc, argv, &options);

	if (status >= 0)
		return status;
	settings = settings_load(options.config, &err);
	if (settings == NULL)
		goto wrong;
	context.settings = settings;
	context.listen = options.listen;
	context.port = options.port;
	if (service->has_ports && (options.port != 0 || options.listen != NULL)) {
		struct address address = { .port = options.port };

		if (options.listen != NULL)
			address_parse(options.listen, &address);
		snprintf(port, sizeof port, "%u", address.port);
		snprintf(name, sizeof name, "%s %s", service->name, port);
		context.instance = port;
		context.name = name;
	}
	if (service->has_instances) {
		const struct storage_settings *storage = settings_storage(
			settings, options.instance, &err);

		if (storage == NULL)
			goto wrong;
		context.instance = storage->name;
		snprintf(name, sizeof name, "%s %s", service->name, storage->name);
		context.name = name;
	}
	log_init(context.name, (enum log_level)settings->log_level);
	if (options.test)
		printf("%s: good\n", settings->file);
	else
		status = run(service, &context, options.config);
	settings_free(settings);
	return options.test ? EXIT_SUCCESS : status;
wrong:
	fprintf(stderr, "%s: %s\n", service->name, err.text);
	settings_free(settings);
	return EXIT_WRONG;
}
