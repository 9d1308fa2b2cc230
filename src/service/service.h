/* service.h - what all daemons share.
 *
 * service_main does, once for all of them and in this order: options, configuration,
 * log, listen, drop privileges, give up what it does not need (reach.h), open, report ready, run until SIGTERM or SIGINT,
 * close.  Options:
 *
 *     -c, --config FILE     the configuration
 *     -i, --instance NAME   which [storage NAME] (daemons that have instances)
 *     -l, --listen ADDRESS  instead of the configured address
 *     -p, --port PORT       instead of its port (daemons that run several side by side)
 *     -t, --test            check the configuration and leave
 *     -H, --keys            print every configuration key
 *     -V, --version; -h, --help
 *
 * Exit status: 0 stopped as asked, 1 it failed, 2 wrong options or configuration.
 *
 * Ready is reported to whoever started it: a newline on the descriptor that
 * $PICSTORE_READY_FD names (s6), READY=1 on $NOTIFY_SOCKET (systemd), one log line.
 *
 * While it runs a daemon answers on RUN_DIR/NAME.stat (RUN_DIR/NAME-INSTANCE.stat), a
 * unix socket: whoever connects gets one JSON object (name, instance, pid, version,
 * uptime, counters) and a close.  src/service/stat_socket.h shows it.
 *
 * SIGTERM, SIGINT and SIGHUP are blocked in all threads but one, which calls `stop`; a
 * second one leaves at once with status 1.  Where there is a `reload`, SIGHUP reads the
 * configuration again instead; one that is wrong is logged and changes nothing.  A child process
 * inherits the blocked ones and unblocks them itself.  SIGPIPE is ignored. */
#pragma once

#include "core/address.h"
#include "service/settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A figure that a daemon keeps.  Any thread may add to `value`. */
struct service_counter {
	const char *name; /* "uploads", "bytes_out"; units in the name */
	const char *help;
	bool gauge; /* goes up and down; otherwise it only grows */
	_Atomic int64_t value;
};

struct service_context {
	const struct settings *settings;
	const char *name;     /* as in the log: "storage_server g01" */
	const char *instance; /* the -i option, the port if one was given, or NULL */
	const char *listen;   /* the -l option, or NULL */
	uint16_t port;        /* the -p option, or 0 */
	void *state;          /* the daemon's own */
};

struct service {
	const char *name;       /* as it is installed */
	const char *summary;    /* a line for --help */
	const char *built_with; /* for --version; or NULL */
	bool has_instances;     /* each is a [storage NAME] */
	bool has_ports;         /* each has a port of its own */
	struct service_counter *counters;
	size_t counter_count;
	unsigned reach; /* of enum reach: what it needs once privileges are dropped */

	/* Bind sockets, while privileges are still there. */
	int (*listen)(struct service_context *context, struct err *err);
	/* The configuration is read and privileges are dropped. */
	int (*open)(struct service_context *context, struct err *err);
	/* Serve until service_stop is called; returns 0, or -1 if it had to give up. */
	int (*run)(struct service_context *context, struct err *err);
	/* Make `run` return soon.  Called once, from another thread than `run`, which may
	 * be anywhere, also at its very first line. */
	void (*stop)(struct service_context *context);
	/* The configuration may have changed: `fresh` is it, borrowed for the call.  Called
	 * as `stop` is; returns 0, or -1 if it goes on with the old one.  NULL: SIGHUP stops
	 * the daemon. */
	int (*reload)(
		struct service_context *context, const struct settings *fresh, struct err *err);
	/* Free everything, also after a `listen` or `open` that failed half way. */
	void (*close)(struct service_context *context);
};

/* Where to listen: --listen, or `configured`, with --port if that was given. */
int service_listen_address(const struct service_context *context, const char *configured,
	char out[ADDRESS_HOST_MAX + 16], struct err *err);

int service_main(const struct service *service, int argc, char **argv);
