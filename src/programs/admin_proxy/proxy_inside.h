/* proxy_inside.h - what the files of admin_proxy know of each other.
 *
 *     client ──► job ──► (queue of its pool) ──► slot of a lane ──► back end
 *
 * A job is a request that is not answered yet.  It is in the list of its pool, and either
 * in that pool's queue or in a slot of a lane, which is one connection to a back end.  All
 * of it belongs to the loop's thread. */
#pragma once

#include "core/log_limit.h"
#include "net/frame_link.h"
#include "net/frame_server.h"
#include "programs/admin_proxy/proxy.h"
#include "programs/admin_proxy/proxy_health.h"
#include "programs/admin_proxy/proxy_seq.h"

struct backend;
struct pool;

struct job {
	struct job *next, *prev;             /* of the pool, oldest first */
	struct job *queue_next, *queue_prev; /* while it waits for a back end */
	struct frame_request *request;
	struct pool *pool;
	struct proxy_route route;
	int64_t deadline;
	int64_t queue_until;
	bool queued;
	int attempts;      /* back ends that it was sent to */
	uint64_t last;     /* number of the latest; 0: none */
	struct lane *lane; /* where it is under way, or NULL */
	struct proxy_slot *slot;
};

struct lane {
	struct backend *backend;
	struct frame_link *link; /* NULL while it is closed */
	struct proxy_seq table;  /* while it is open */
	int64_t open_at;         /* not before, when it is closed */
	bool greeting;           /* its first ping has not been answered */
};

struct backend {
	struct backend *next; /* of proxy->retired */
	struct proxy *proxy;
	struct pool *pool;
	char *address;
	uint64_t number; /* of this back end alone, from 1 on */
	struct proxy_health health;
	struct lane lanes[PROXY_LANES_MAX];
	struct frame_link *check; /* a connection of its own: replies may come in order */
	bool asked;               /* a ping is under way */
	int64_t check_deadline;   /* of it, or of the connection; 0: none */
	uint32_t under_way;       /* slots in use */
};

struct pool {
	struct proxy *proxy;
	enum proxy_service service;
	struct backend **backends;
	struct proxy_load *loads; /* room for proxy_choose */
	size_t count;
	size_t turn;
	struct job *first, *last;
	struct job *queue_first, *queue_last;
	size_t queue_len;
};

struct proxy {
	struct net_loop *loop;
	struct net_timer *timer;
	struct proxy_conf *conf;
	struct service_counter *counters;
	struct pool pools[PROXY_SERVICES];
	struct backend *retired; /* not configured any more, but with requests under way */
	uint64_t numbers;
	struct log_limit log;
	bool stopping;
};

/* ---- proxy_backend.c ---- */

struct backend *backend_new(struct pool *pool, const char *address);

/* Close it; jobs under way there are lost. */
void backend_free(struct backend *backend);

bool backend_usable(const struct backend *backend);
bool backend_has_jobs(const struct backend *backend);

/* It is usable. */
void backend_send(struct backend *backend, struct job *job);

/* Time has passed: check it, open what is closed.  Without `keep` nothing new begins. */
void backend_tick(struct backend *backend, int64_t now, bool keep);

/* Give up waiting for the reply of `job`, which is under way; true if that is a sign that
 * the back end answers nothing at all. */
void job_leave(struct job *job, bool stalled);

/* ---- proxy.c ---- */

void job_answered(struct job *job, const struct package *package, struct span body);

/* The connection that `job` was under way on has gone; `sent`: the back end may have got
 * the whole request. */
void job_lost(struct job *job, bool sent);

/* Take jobs away from a back end that has fallen silent, where they may be repeated. */
void pool_rescue(struct pool *pool, struct backend *backend);

/* There may be room at a back end. */
void pool_go_on(struct pool *pool);

void proxy_count(struct proxy *proxy, enum proxy_figure figure, int64_t value);
