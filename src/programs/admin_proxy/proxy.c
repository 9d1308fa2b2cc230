#include "programs/admin_proxy/proxy.h"

#include "core/clock.h"
#include "core/log.h"
#include "programs/admin_proxy/proxy_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 50,     /* at most so much later than it is due is a deadline noticed */
	STOP_MS = 6000,   /* longest wait for replies when it is to stop */
	ATTEMPTS_MAX = 3, /* back ends that a request is sent to */
	PACKAGE_MAX = 64 << 20,
};

void proxy_count(struct proxy *proxy, enum proxy_figure figure, int64_t value)
{
	/* One thread writes, so that no locked instruction is needed. */
	_Atomic int64_t *at = &proxy->counters[figure].value;

	atomic_store_explicit(
		at, atomic_load_explicit(at, memory_order_relaxed) + value, memory_order_relaxed);
}

/* ---- jobs ---- */

static void leave_queue(struct job *job)
{
	struct pool *pool = job->pool;

	if (!job->queued)
		return;
	*(job->queue_prev == NULL ? &pool->queue_first
				  : &job->queue_prev->queue_next) = job->queue_next;
	*(job->queue_next == NULL ? &pool->queue_last
				  : &job->queue_next->queue_prev) = job->queue_prev;
	job->queued = false;
	pool->queue_len--;
	proxy_count(pool->proxy, PROXY_QUEUED, -1);
}

static void enter_queue(struct job *job)
{
	struct pool *pool = job->pool;

	job->queue_next = NULL;
	job->queue_prev = pool->queue_last;
	*(pool->queue_last == NULL ? &pool->queue_first : &pool->queue_last->queue_next) = job;
	pool->queue_last = job;
	job->queued = true;
	pool->queue_len++;
	proxy_count(pool->proxy, PROXY_QUEUED, 1);
}

static void end_job(struct job *job, uint32_t ret, struct span body)
{
	struct pool *pool = job->pool;
	struct buf reply = { 0 };

	assert(job->lane == NULL);
	leave_queue(job);
	*(job->prev == NULL ? &pool->first : &job->prev->next) = job->next;
	*(job->next == NULL ? &pool->last : &job->next->prev) = job->prev;
	proxy_count(pool->proxy, PROXY_IN_FLIGHT, -1);
	if (ret == RET_OK && body.len > 0) {
		buf_init(&reply, PACKAGE_MAX);
		buf_put_span(&reply, body);
	}
	frame_reply(job->request, (enum ret)ret, &reply);
	free(job);
}

/* Answer `job` here, because no back end does. */
static void fail_job(struct job *job, enum ret ret, const char *why)
{
	const struct frame_request *request = job->request;
	struct proxy *proxy = job->pool->proxy;
	unsigned hidden;

	proxy_count(proxy, PROXY_FAILED, 1);
	if (log_limit_pass(&proxy->log, clock_mono_ms(), &hidden)) {
		log_warn("%s: command %u %u/%u from %s failed: %s: %s",
			proxy_service_name(job->pool->service), request->package.cmd,
			request->package.id, request->package.seq, request->peer,
			err_word(ret_to_err(ret)), why);
		if (hidden > 0)
			log_warn("%u more requests failed since the line before", hidden);
	}
	end_job(job, ret, SPAN(""));
}

/* Nobody has been up for so long that waiting is of no use. */
static bool pool_is_dead(const struct pool *pool, int64_t now)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct proxy_health *health = &pool->backends[i]->health;

		if (health->state == PROXY_UP || now - health->since < pool->proxy->conf->queue_ms)
			return false;
	}
	return true;
}

/* The back end for a job that was with number `last` before, or NULL. */
static struct backend *choose(struct pool *pool, uint64_t last)
{
	size_t at;

	for (size_t i = 0; i < pool->count; i++)
		pool->loads[i] = (struct proxy_load){
			.usable = backend_usable(pool->backends[i]),
			.avoid = pool->backends[i]->number == last,
			.under_way = pool->backends[i]->under_way,
		};
	at = proxy_choose(pool->loads, pool->count, &pool->turn);
	return at == pool->count ? NULL : pool->backends[at];
}

static void place_job(struct job *job)
{
	struct pool *pool = job->pool;
	const struct proxy_conf *conf = pool->proxy->conf;
	/* Who waits already goes first. */
	struct backend *backend = pool->queue_first == NULL ? choose(pool, job->last) : NULL;
	int64_t now;

	if (backend != NULL) {
		backend_send(backend, job);
		return;
	}
	now = clock_mono_ms();
	if (pool->count == 0) {
		fail_job(job, RET_UNSUPPORTED, "no back end is configured");
	} else if (pool_is_dead(pool, now)) {
		fail_job(job, RET_SERVICE_DOWN, "no back end is up");
	} else if (pool->queue_len >= conf->queue) {
		fail_job(job, RET_BUSY, "too many requests wait");
	} else {
		job->queue_until = now + conf->queue_ms;
		enter_queue(job);
	}
}

void pool_go_on(struct pool *pool)
{
	while (pool->queue_first != NULL) {
		struct job *job = pool->queue_first;
		struct backend *backend = choose(pool, job->last);

		if (backend == NULL)
			return;
		leave_queue(job);
		backend_send(backend, job);
	}
}

/* ---- what becomes of them ---- */

void job_answered(struct job *job, const struct package *package, struct span body)
{
	struct backend *other;

	/* Busy means that nothing was done: perhaps another one is not. */
	if (package->ret == RET_BUSY && job->attempts < ATTEMPTS_MAX) {
		other = choose(job->pool, job->last);
		if (other != NULL && other->number != job->last) {
			proxy_count(job->pool->proxy, PROXY_REPEATED, 1);
			backend_send(other, job);
			return;
		}
	}
	end_job(job, package->ret, body);
}

void job_lost(struct job *job, bool sent)
{
	if (sent && !job->route.repeat) {
		fail_job(job, RET_UNKNOWN, "the back end went away while it had the request");
	} else if (job->attempts >= ATTEMPTS_MAX || job->pool->proxy->stopping) {
		fail_job(job, sent ? RET_UNKNOWN : RET_SERVICE_DOWN,
			"the back ends that it was sent to went away");
	} else {
		proxy_count(job->pool->proxy, PROXY_REPEATED, 1);
		place_job(job);
	}
}

void pool_rescue(struct pool *pool, struct backend *backend)
{
	struct job *next;

	for (struct job *job = pool->first; job != NULL; job = next) {
		struct backend *other;

		next = job->next;
		if (job->lane == NULL || job->lane->backend != backend || !job->route.repeat ||
			job->attempts >= ATTEMPTS_MAX)
			continue;
		other = choose(pool, job->last);
		if (other == NULL)
			return;
		job_leave(job, false);
		proxy_count(pool->proxy, PROXY_REPEATED, 1);
		backend_send(other, job);
	}
}

static void expire_job(struct job *job, int64_t now)
{
	if (job->lane != NULL) {
		job_leave(job, true);
		fail_job(job, RET_UNKNOWN, "the back end did not answer in time");
	} else if (pool_is_dead(job->pool, now)) {
		fail_job(job, RET_SERVICE_DOWN, "no back end is up");
	} else {
		fail_job(job, RET_BUSY, "no back end had room in time");
	}
}

static void pool_tick(struct pool *pool, int64_t now)
{
	struct job *next;

	/* A deadline that a reload made shorter waits for its turn. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the list */
	while (pool->first != NULL && now >= pool->first->deadline)
		expire_job(pool->first, now);
	for (struct job *job = pool->queue_first; job != NULL; job = next) {
		next = job->queue_next;
		if (now >= job->queue_until)
			expire_job(job, now);
	}
}

void proxy_begin(struct proxy *proxy, struct frame_request *request)
{
	struct proxy_route route;
	struct pool *pool;
	struct job *job;
	unsigned hidden;

	proxy_count(proxy, PROXY_REQUESTS, 1);
	if (!proxy_route(request->package.cmd, &route) ||
		!proxy_conf_may(proxy->conf, request->from, route.service)) {
		proxy_count(proxy, PROXY_REFUSED, 1);
		if (log_limit_pass(&proxy->log, clock_mono_ms(), &hidden))
			log_warn("command %u from %s refused: that address may not send it",
				request->package.cmd, request->peer);
		frame_reply(request, RET_NOT_ALLOWED, NULL);
		return;
	}
	pool = &proxy->pools[route.service];
	job = calloc(1, sizeof *job);
	assert(job != NULL);
	job->request = request;
	job->pool = pool;
	job->route = route;
	job->deadline = clock_mono_ms() + proxy->conf->pools[route.service].timeout_ms;
	job->prev = pool->last;
	*(pool->last == NULL ? &pool->first : &pool->last->next) = job;
	pool->last = job;
	proxy_count(proxy, PROXY_IN_FLIGHT, 1);
	place_job(job);
}

/* ---- time ---- */

static void free_retired(struct proxy *proxy, bool all)
{
	for (struct backend **at = &proxy->retired; *at != NULL;) {
		struct backend *backend = *at;

		if (!all && backend_has_jobs(backend)) {
			at = &backend->next;
			continue;
		}
		*at = backend->next;
		backend_free(backend);
	}
}

static void free_backends(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		backend_free(pool->backends[i]);
	pool->count = 0;
}

/* The loop ends once nothing is under way any more, and lanes with unsent bytes are. */
static void stop_tick(struct proxy *proxy, int64_t now)
{
	bool empty = true;

	for (int i = 0; i < PROXY_SERVICES; i++) {
		struct pool *pool = &proxy->pools[i];

		for (struct job *job = pool->first; job != NULL && !proxy->stopping;
			job = job->next)
			if (job->deadline > now + STOP_MS)
				job->deadline = now + STOP_MS;
		empty = empty && pool->first == NULL;
	}
	proxy->stopping = true;
	if (!empty)
		return;
	for (int i = 0; i < PROXY_SERVICES; i++)
		free_backends(&proxy->pools[i]);
	free_retired(proxy, true);
}

static void on_tick(void *context)
{
	struct proxy *proxy = context;
	int64_t now = clock_mono_ms();
	int64_t up = 0, all = 0;

	for (int i = 0; i < PROXY_SERVICES; i++) {
		struct pool *pool = &proxy->pools[i];

		pool_tick(pool, now);
		for (size_t j = 0; j < pool->count; j++, all++) {
			backend_tick(pool->backends[j], now, !proxy->stopping);
			up += pool->backends[j]->health.state == PROXY_UP;
		}
	}
	free_retired(proxy, false);
	proxy->counters[PROXY_BACKENDS_UP].value = up;
	proxy->counters[PROXY_BACKENDS].value = all;
	if (net_loop_stopping(proxy->loop))
		stop_tick(proxy, now);
}

/* ---- configuration ---- */

static struct backend *take_backend(struct pool *pool, const char *address)
{
	for (size_t i = 0; i < pool->count; i++) {
		struct backend *backend = pool->backends[i];

		if (backend != NULL && strcmp(backend->address, address) == 0) {
			pool->backends[i] = NULL;
			return backend;
		}
	}
	return NULL;
}

/* Make the back ends those of `conf`; who is not among them retires. */
static void configure(struct pool *pool, const struct proxy_pool_conf *conf)
{
	struct backend **backends = calloc(conf->server_count + 1, sizeof(struct backend *));

	assert(backends != NULL);
	for (size_t i = 0; i < conf->server_count; i++) {
		backends[i] = take_backend(pool, conf->servers[i]);
		if (backends[i] == NULL)
			backends[i] = backend_new(pool, conf->servers[i]);
	}
	for (size_t i = 0; i < pool->count; i++)
		if (pool->backends[i] != NULL) {
			pool->backends[i]->next = pool->proxy->retired;
			pool->proxy->retired = pool->backends[i];
		}
	free(pool->backends);
	free(pool->loads);
	pool->backends = backends;
	pool->count = conf->server_count;
	pool->loads = calloc(conf->server_count + 1, sizeof *pool->loads);
	assert(pool->loads != NULL);
}

void proxy_change(struct proxy *proxy, struct proxy_conf *conf)
{
	proxy_conf_free(proxy->conf);
	proxy->conf = conf;
	if (proxy->stopping)
		return;
	for (int i = 0; i < PROXY_SERVICES; i++)
		configure(&proxy->pools[i], &conf->pools[i]);
	on_tick(proxy);
}

const struct proxy_conf *proxy_conf_now(const struct proxy *proxy)
{
	return proxy->conf;
}

struct proxy *proxy_new(
	struct net_loop *loop, struct proxy_conf *conf, struct service_counter *counters)
{
	struct proxy *proxy = calloc(1, sizeof *proxy);

	assert(proxy != NULL);
	proxy->loop = loop;
	proxy->counters = counters;
	for (int i = 0; i < PROXY_SERVICES; i++) {
		proxy->pools[i].proxy = proxy;
		proxy->pools[i].service = (enum proxy_service)i;
	}
	proxy_change(proxy, conf);
	proxy->timer = net_timer_new(loop, TICK_MS, on_tick, proxy);
	return proxy;
}

void proxy_free(struct proxy *proxy)
{
	if (proxy == NULL)
		return;
	net_timer_free(proxy->timer);
	for (int i = 0; i < PROXY_SERVICES; i++) {
		free_backends(&proxy->pools[i]);
		free(proxy->pools[i].backends);
		free(proxy->pools[i].loads);
	}
	free_retired(proxy, true);
	proxy_conf_free(proxy->conf);
	free(proxy);
}
