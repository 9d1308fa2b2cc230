/* proxy.h - takes requests of many clients to pools of back ends, and the replies back.
 *
 * It never blocks and never queues without bounds: what cannot be sent waits in the queue
 * of its service for at most `queue_ms`, and is refused when that is full. */
#pragma once

#include "net/frame_server.h"
#include "programs/admin_proxy/proxy_conf.h"
#include "service/service.h"

enum proxy_figure {
	PROXY_REQUESTS,
	PROXY_FAILED,  /* answered here with a failure */
	PROXY_REFUSED, /* packages and connections that were not let in */
	PROXY_BROKEN,  /* connections that ended within a package, or too slow */
	PROXY_REPEATED,
	PROXY_LATE, /* replies that nobody waited for any more */
	PROXY_IN_FLIGHT,
	PROXY_QUEUED,
	PROXY_CONNECTIONS,
	PROXY_BACKENDS_UP,
	PROXY_BACKENDS,
	PROXY_FIGURES
};

struct proxy;

/* `conf` is taken over; `counters` are PROXY_FIGURES. */
struct proxy *proxy_new(
	struct net_loop *loop, struct proxy_conf *conf, struct service_counter *counters);
void proxy_free(struct proxy *proxy); /* NULL is fine; before its loop */

const struct proxy_conf *proxy_conf_now(const struct proxy *proxy);

/* Answer `request`, now or later. */
void proxy_begin(struct proxy *proxy, struct frame_request *request);

/* Go on with `conf`, which is taken over.  Back ends that stay keep their connections;
 * those that go finish what they have. */
void proxy_change(struct proxy *proxy, struct proxy_conf *conf);
