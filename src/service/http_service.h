/* http_service.h - answers HTTP/1.1 requests without a body with a function.
 *
 * A few threads wait for all sockets, so that a slow client costs a descriptor and what
 * its answer weighs, not a thread.  What has to wait for a disk or a peer is answered by
 * other threads.  src/service is the only user of libmicrohttpd, which parses, writes
 * and keeps connections alive; limits and deadlines are:
 *
 *   - Request line and headers together fit HTTP_SERVICE_HEAD_MAX bytes, else 431 (or
 *     414); what is no HTTP is 400 and closed.  These answers are the library's own.
 *   - A request has to be complete `timeout_ms` after the connection began or the answer
 *     before it was sent, however its bytes trickle in.
 *   - An answer has to be taken within `timeout_ms` and the time that it needs at 16 KB/s;
 *     a slice of a file within `slice_ms` if that is less.
 *   - Over `max_connections`, new ones wait in the kernel's queue.
 *   - Bodies in memory keep within `memory`, else 503.
 *
 * Any method is passed on; bodies of requests are read and forgotten, up to 4 KB. */
#pragma once

#include "http/request.h"
#include "net/allow.h"
#include "service/service.h"

enum { HTTP_SERVICE_HEAD_MAX = 16 << 10 };

/* How a request is to be answered. */
enum {
	HTTP_NO_WAIT = 1,      /* return false rather than wait for a disk or a peer */
	HTTP_SPARE_MEMORY = 2, /* memory is short: rather name a file than fill a body */
};

struct http_service_conf {
	int fd;      /* of bind_listen(); taken over, also by a failure */
	int threads; /* that wait for sockets */
	int waiters; /* that wait for all else */
	int64_t max_connections;
	int64_t timeout_ms;
	int64_t slice_ms;
	size_t max_response; /* greatest body in memory */
	uint64_t memory;
	const struct allow *allow; /* must outlive the service */
	/* Fill `response` (reset, status 0) for `request`; `flags` as above.  False: it was not
	 * filled, ask again where it may wait.  Called by many threads. */
	bool (*answer)(void *context, const struct http_request *request, unsigned flags,
		struct http_response *response);
	void *context;
	_Atomic int64_t *connections; /* counter: open ones */
	_Atomic int64_t *timeouts;    /* counter: connections cut for being late */
};

struct http_service;

/* Serve from now on, in threads of its own. */
struct http_service *http_service_new(const struct http_service_conf *conf, struct err *err);

/* Take no more connections. */
void http_service_stop(struct http_service *service);

/* Let answers that are under way go out, for three seconds at most; then free.  NULL is
 * fine. */
void http_service_free(struct http_service *service);
