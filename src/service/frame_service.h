/* frame_service.h - a daemon that answers framed packages with a function.
 *
 * A daemon declares its commands and how it answers them; frame_main does the rest: what
 * service_main does, the socket, the protocol (src/net/frame_server.h), threads, and one
 * log line a request that failed.  [services] in the configuration says who may connect,
 * the order of the bytes and the limits.
 *
 *     static const struct frame_command commands[] = { { CMD_CUT, "cut" } };
 *     static struct service_counter counters[] = { FRAME_COUNTERS, { "cuts", ... } };
 *
 *     static const struct frame_service cut_svr = {
 *             .name = "cut_svr",
 *             .summary = "crops and scales stored pictures",
 *             .commands = commands, .command_count = 1,
 *             .counters = counters, .counter_count = FRAME_FIGURES + 1,
 *             .settings = offsetof(struct settings, cut),
 *             .open = cut_open, .answer = cut_answer, .close = cut_close,
 *     };
 *
 *     int main(int argc, char **argv)
 *     {
 *             return frame_main(&cut_svr, argc, argv);
 *     }
 *
 * Several run side by side, each with a --port of its own. */
#pragma once

#include "net/frame_server.h"
#include "service/service.h"

struct frame_command {
	uint16_t cmd;
	const char *name; /* for log lines */
};

/* The first figures of each such daemon. */
enum frame_figure {
	FRAME_REQUESTS, /* begun */
	FRAME_FAILED,   /* of them, answered with another ret than 0 */
	FRAME_REFUSED,  /* packages, connections */
	FRAME_BROKEN,   /* connections that ended or fell silent within a package */
	FRAME_CONNECTIONS,
	FRAME_FIGURES
};

#define FRAME_COUNTERS                                                                             \
	[FRAME_REQUESTS] = { "requests", "requests begun", false, 0 },                             \
	[FRAME_FAILED] = { "failed", "requests answered with a failure", false, 0 },               \
	[FRAME_REFUSED] = { "refused", "connections and packages that were not let in", false,     \
		0 },                                                                               \
	[FRAME_BROKEN] = { "broken", "connections that ended within a package", false, 0 },        \
	[FRAME_CONNECTIONS] = { "connections", "connections open", true, 0 }

struct frame_service {
	const char *name;
	const char *summary;
	const struct frame_command *commands;
	size_t command_count;
	struct service_counter *counters; /* FRAME_COUNTERS first */
	size_t counter_count;
	size_t settings; /* where its struct frame_settings is in struct settings */
	unsigned reach;  /* as in struct service */
	bool any_order;  /* a connection's replies may pass each other */
	int in_flight;   /* requests of a connection that may be under way; 0: 256 */

	/* As in struct service; context->state is the daemon's own. */
	int (*open)(struct service_context *context, struct err *err);
	void (*close)(struct service_context *context);

	/* Answer `request`: put the body of the reply into `reply` and return 0, or return -1
	 * with err, whose code becomes `ret`.  Called by `threads` threads at a time.  A
	 * request whose body makes no sense is ERR_BAD_REQUEST. */
	int (*answer)(void *state, const struct frame_request *request, struct buf *reply,
		struct err *err);

	/* Instead of `answer`, where requests are answered by the batch or wait for others:
	 * called by the loop's thread, must not block, and hands `request` to whoever calls
	 * frame_service_reply for it, from any thread. */
	void (*begin)(void *state, struct frame_request *request);
};

int frame_main(const struct frame_service *service, int argc, char **argv);

/* Answer `request`, which is gone then: with `reply` (taken over; NULL: empty) when `err`
 * is NULL, else with its code, and log it. */
void frame_service_reply(struct frame_request *request, struct buf *reply, const struct err *err);

/* A buf for a reply, as long as one may be. */
void frame_service_reply_init(struct buf *reply);
