#include "core/clock.h"
#include "core/log.h"
#include "programs/admin_proxy/proxy_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	LANE_FULL = 1 << 20, /* unsent bytes over which a lane takes no more */
	REOPEN_MS = 200,     /* until a lane that was closed while idle is opened again */
};

static const char *name_of(const struct backend *backend)
{
	return proxy_service_name(backend->pool->service);
}

static const struct proxy_conf *conf_of(const struct backend *backend)
{
	return backend->proxy->conf;
}

static void backend_failed(struct backend *backend, const char *why)
{
	/* At the start of everything back ends need not be there yet. */
	bool was_new = backend->health.state == PROXY_NEW;

	frame_link_close(backend->check);
	backend->check = NULL;
	backend->asked = false;
	backend->check_deadline = 0;
	if (!proxy_health_bad(&backend->health, clock_mono_ms()))
		return;
	log_line(was_new ? LOG_INFO : LOG_WARN, "%s at %s is out: %s", name_of(backend),
		backend->address, why);
	pool_rescue(backend->pool, backend);
}

/* ---- lanes ---- */

static void free_slot(struct lane *lane, struct proxy_slot *slot)
{
	proxy_seq_give(&lane->table, slot);
	lane->backend->under_way--;
}

void job_leave(struct job *job, bool stalled)
{
	struct lane *lane = job->lane;
	struct backend *backend = lane->backend;

	proxy_seq_leave(&lane->table, job->slot);
	job->lane = NULL;
	job->slot = NULL;
	if (stalled && proxy_health_stalled(&backend->health))
		backend_failed(backend, "it answers no request in time");
}

static bool on_package(void *context, const struct package *package, struct span body)
{
	struct lane *lane = context;
	struct proxy_slot *slot = proxy_seq_find(&lane->table, package->seq);
	struct job *job;

	if (lane->greeting && package->cmd == CMD_PING && package->seq == 0) {
		lane->greeting = false;
		return true;
	}
	if (slot == NULL)
		return false;
	job = slot->owner;
	if (job != NULL && job->request->package.cmd != package->cmd)
		return false;
	proxy_health_answered(&lane->backend->health);
	free_slot(lane, slot);
	if (job != NULL) {
		job->lane = NULL;
		job->slot = NULL;
		job_answered(job, package, body);
	} else {
		proxy_count(lane->backend->proxy, PROXY_LATE, 1);
	}
	if (lane->backend->pool->queue_first != NULL)
		pool_go_on(lane->backend->pool);
	return true;
}

/* Tell the jobs of `table`; what ended before `taken` had left this machine. */
static void lose_jobs(struct proxy_seq *table, uint64_t taken)
{
	for (unsigned at = 0; at < table->size; at++) {
		struct proxy_slot *slot = &table->slots[at];
		struct job *job = slot->used ? slot->owner : NULL;

		if (job == NULL)
			continue;
		job->lane = NULL;
		job->slot = NULL;
		job_lost(job, slot->end <= taken);
	}
}

/* The link of `lane` is going; its jobs may find another lane at once. */
static void lane_ended(struct lane *lane)
{
	struct proxy_seq table = lane->table;
	uint64_t taken = frame_link_taken(lane->link);

	lane->link = NULL;
	lane->table = (struct proxy_seq){ 0 };
	lane->open_at = clock_mono_ms() + REOPEN_MS;
	lane->backend->under_way -= table.count;
	lose_jobs(&table, taken);
	proxy_seq_fini(&table);
}

static void on_lane_closed(void *context, const char *why)
{
	struct lane *lane = context;
	bool idle = frame_link_is_connected(lane->link) && lane->table.count == 0;

	/* Servers may close what is idle.  Otherwise it is out before its jobs look for
	 * another. */
	if (!idle && lane->backend->health.state == PROXY_UP)
		backend_failed(lane->backend, why);
	lane_ended(lane);
}

/* A server closes a connection that it never heard anything on, and a lane may have nothing
 * to carry for hours: a ping makes it one that is idle between packages, which may stay. */
static void greet(struct lane *lane)
{
	struct package ping = { .cmd = CMD_PING };

	lane->greeting = true;
	frame_link_send(lane->link, &ping, SPAN(""));
}

static void on_lane_connected(void *context)
{
	struct lane *lane = context;

	if (conf_of(lane->backend)->ping)
		greet(lane);
	pool_go_on(lane->backend->pool);
}

static const struct frame_link_handler lane_handler = {
	.connected = on_lane_connected,
	.package = on_package,
	.closed = on_lane_closed,
};

static struct frame_link *open_link(
	struct backend *backend, const struct frame_link_handler *handler, void *context)
{
	const struct proxy_conf *conf = conf_of(backend);

	return frame_link_open(backend->proxy->loop, &(struct frame_link_conf){
							     .handler = handler,
							     .context = context,
							     .address = backend->address,
							     .order = conf->order,
							     .max_package = conf->max_package,
							     .connect_ms = conf->connect_ms,
						     });
}

static void open_lanes(struct backend *backend, int64_t now)
{
	const struct proxy_conf *conf = conf_of(backend);

	for (int i = 0; i < conf->lanes; i++) {
		struct lane *lane = &backend->lanes[i];

		if (lane->link != NULL || now < lane->open_at)
			continue;
		proxy_seq_init(&lane->table, conf->server_in_flight);
		lane->greeting = false;
		lane->link = open_link(backend, &lane_handler, lane);
	}
}

static bool lane_usable(const struct lane *lane)
{
	return lane->link != NULL && frame_link_is_connected(lane->link) &&
	       lane->table.count < lane->table.size && frame_link_waiting(lane->link) < LANE_FULL;
}

static struct lane *best_lane(const struct backend *backend)
{
	const struct lane *best = NULL;

	for (int i = 0; i < PROXY_LANES_MAX; i++) {
		const struct lane *lane = &backend->lanes[i];

		if (lane_usable(lane) && (best == NULL || lane->table.count < best->table.count))
			best = lane;
	}
	return (struct lane *)best;
}

/* ---- checks ---- */

static void is_good(struct backend *backend)
{
	int64_t now = clock_mono_ms();

	backend->asked = false;
	backend->check_deadline = 0;
	if (proxy_health_good(&backend->health, now, conf_of(backend)->check_interval_ms))
		log_info("%s at %s is in", name_of(backend), backend->address);
	open_lanes(backend, now);
	pool_go_on(backend->pool);
}

static void ask(struct backend *backend, int64_t now)
{
	struct package ping = { .cmd = CMD_PING };

	frame_link_send(backend->check, &ping, SPAN(""));
	backend->asked = true;
	backend->check_deadline = now + conf_of(backend)->check_timeout_ms;
}

static void on_check_connected(void *context)
{
	struct backend *backend = context;

	if (conf_of(backend)->ping) {
		ask(backend, clock_mono_ms());
		return;
	}
	frame_link_close(backend->check);
	backend->check = NULL;
	is_good(backend);
}

static bool on_pong(void *context, const struct package *package, struct span body)
{
	struct backend *backend = context;

	(void)body;
	if (!backend->asked || package->seq != 0)
		return false;
	is_good(backend); /* whatever it says, it answers */
	return true;
}

static void on_check_closed(void *context, const char *why)
{
	struct backend *backend = context;
	bool idle = frame_link_is_connected(backend->check) && !backend->asked;

	backend->check = NULL;
	if (idle)
		backend->health.check_at = clock_mono_ms(); /* it may have gone as a whole */
	else
		backend_failed(backend, why);
}

static const struct frame_link_handler check_handler = {
	.connected = on_check_connected,
	.package = on_pong,
	.closed = on_check_closed,
};

static void check(struct backend *backend, int64_t now)
{
	if (backend->check == NULL) {
		if (now < backend->health.check_at)
			return;
		backend->check = open_link(backend, &check_handler, backend);
		backend->asked = false;
		backend->check_deadline = 0; /* the link has its own until it is connected */
	} else if (backend->check_deadline != 0 && now >= backend->check_deadline) {
		backend_failed(backend, "it does not answer a check");
	} else if (frame_link_is_connected(backend->check) && !backend->asked &&
		   now >= backend->health.check_at) {
		ask(backend, now);
	}
}

/* Requests that nobody waits for any more count as under way, since the back end may still
 * work on them.  If they fill a lane they will not be answered: the lane is made anew. */
static void drop_stuck_lanes(struct backend *backend)
{
	const struct proxy_conf *conf = conf_of(backend);
	uint32_t most = conf->server_in_flight / (2 * (uint32_t)conf->lanes) + 1;

	for (int i = 0; i < PROXY_LANES_MAX; i++) {
		struct lane *lane = &backend->lanes[i];
		struct frame_link *link = lane->link;

		if (link == NULL || lane->table.left < most)
			continue;
		log_warn("%s at %s owes %u replies on a connection: it is closed", name_of(backend),
			backend->address, lane->table.left);
		lane_ended(lane);
		frame_link_close(link);
	}
}

void backend_tick(struct backend *backend, int64_t now, bool keep)
{
	drop_stuck_lanes(backend);
	if (!keep)
		return;
	check(backend, now);
	if (backend->health.state == PROXY_UP)
		open_lanes(backend, now);
}

/* ---- as a whole ---- */

struct backend *backend_new(struct pool *pool, const char *address)
{
	struct backend *backend = calloc(1, sizeof *backend);

	assert(backend != NULL);
	backend->proxy = pool->proxy;
	backend->pool = pool;
	backend->number = ++pool->proxy->numbers;
	backend->address = strdup(address);
	assert(backend->address != NULL);
	for (int i = 0; i < PROXY_LANES_MAX; i++)
		backend->lanes[i].backend = backend;
	proxy_health_init(&backend->health, clock_mono_ms());
	return backend;
}

void backend_free(struct backend *backend)
{
	frame_link_close(backend->check);
	for (int i = 0; i < PROXY_LANES_MAX; i++) {
		struct lane *lane = &backend->lanes[i];
		struct frame_link *link = lane->link;

		if (link == NULL)
			continue;
		lane_ended(lane);
		frame_link_close(link);
	}
	free(backend->address);
	free(backend);
}

bool backend_usable(const struct backend *backend)
{
	return backend->health.state == PROXY_UP &&
	       backend->under_way < conf_of(backend)->server_in_flight &&
	       best_lane(backend) != NULL;
}

bool backend_has_jobs(const struct backend *backend)
{
	uint32_t left = 0;

	for (int i = 0; i < PROXY_LANES_MAX; i++)
		left += backend->lanes[i].table.left;
	return backend->under_way > left;
}

void backend_send(struct backend *backend, struct job *job)
{
	struct lane *lane = best_lane(backend);
	struct package package = job->request->package;

	job->slot = proxy_seq_take(&lane->table, job);
	assert(job->slot != NULL);
	job->lane = lane;
	job->last = backend->number;
	job->attempts++;
	backend->under_way++;
	package.seq = job->slot->seq;
	package.ret = 0;
	job->slot->end = frame_link_send(lane->link, &package, job->request->body);
}
