#include "fdfs/fdfs_trackers.h"

#include "core/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	SKIP_MS = 2000, /* one that failed is asked last for so long */
	REQUEST_MAX = FDFS_HEADER_LEN + FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX,
};

struct tracker {
	struct fdfs_peer peer;
	int64_t skip_until; /* of clock_mono_ms() */
};

struct fdfs_trackers {
	struct fdfs_pool *pool;
	int64_t connect_ms, patience_ms;
	size_t count;
	pthread_mutex_t lock; /* of what is below, the servers excepted: they never change */
	size_t good;          /* the one that answered last */
	struct tracker list[FDFS_TRACKERS_MAX];
};

struct fdfs_trackers *fdfs_trackers_new(
	const struct fdfs_client_conf *conf, struct fdfs_pool *pool, struct err *err)
{
	struct fdfs_trackers *trackers = calloc(1, sizeof *trackers);

	if (trackers == NULL)
		abort();
	pthread_mutex_init(&trackers->lock, NULL);
	trackers->pool = pool;
	trackers->connect_ms = conf->connect_timeout_ms;
	trackers->patience_ms = conf->patience_ms != 0 ? conf->patience_ms
						       : conf->network_timeout_ms;
	if (conf->tracker_count == 0 || conf->tracker_count > FDFS_TRACKERS_MAX) {
		err_set(err, ERR_CONFIG, "%zu trackers are configured; 1 to %d may be",
			conf->tracker_count, FDFS_TRACKERS_MAX);
		goto fail;
	}
	for (size_t i = 0; i < conf->tracker_count; i++) {
		if (!fdfs_peer_parse(conf->trackers[i], &trackers->list[i].peer)) {
			err_set(err, ERR_CONFIG, "'%s' is not the host:port of a tracker",
				conf->trackers[i]);
			goto fail;
		}
	}
	trackers->count = conf->tracker_count;
	return trackers;
fail:
	fdfs_trackers_free(trackers);
	return NULL;
}

void fdfs_trackers_free(struct fdfs_trackers *trackers)
{
	if (trackers == NULL)
		return;
	pthread_mutex_destroy(&trackers->lock);
	free(trackers);
}

/* The order to ask in: from the good one on, those that just failed last. */
static void tracker_order(struct fdfs_trackers *trackers, size_t order[FDFS_TRACKERS_MAX])
{
	size_t count = trackers->count, n = 0;
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&trackers->lock);
	for (int late = 0; late <= 1; late++) {
		for (size_t i = 0; i < count; i++) {
			size_t at = (trackers->good + i) % count;

			if ((trackers->list[at].skip_until > now) == late)
				order[n++] = at;
		}
	}
	pthread_mutex_unlock(&trackers->lock);
}

static void tracker_note(struct fdfs_trackers *trackers, size_t at, bool good)
{
	pthread_mutex_lock(&trackers->lock);
	if (good)
		trackers->good = at;
	trackers->list[at].skip_until = good ? 0 : clock_mono_ms() + SKIP_MS;
	pthread_mutex_unlock(&trackers->lock);
}

static int tracker_ask_one(struct fdfs_trackers *trackers, size_t at, struct span request,
	int64_t deadline, struct buf *body, struct err *err)
{
	struct fdfs_call call = {
		.peer = &trackers->list[at].peer,
		.head = request,
		.reads = true,
		.max_reply = FDFS_TRACKER_REPLY_MAX,
		.connect_ms = trackers->connect_ms,
		.deadline = deadline,
	};
	uint8_t *room;

	buf_clear(body);
	if (fdfs_call(trackers->pool, &call, err) < 0) {
		tracker_note(trackers, at, false);
		return err_prefix(err, "tracker");
	}
	if (call.status != 0) {
		tracker_note(trackers, at, true);
		fdfs_call_end(trackers->pool, &call, true);
		return err_set(err, err_from_fdfs(call.status), "tracker %s: answers status %d",
			call.peer->text, call.status);
	}
	room = buf_reserve(body, call.len);
	if (room == NULL)
		abort();
	if (fdfs_call_body(&call, room, err) < 0) {
		fdfs_call_end(trackers->pool, &call, false);
		tracker_note(trackers, at, false);
		return err_prefix(err, "tracker");
	}
	body->len = call.len;
	fdfs_call_end(trackers->pool, &call, true);
	tracker_note(trackers, at, true);
	return 0;
}

/* How much the failure of a tracker tells, if none does better. */
static int weight(enum err_code code)
{
	return code == ERR_FULL ? 3 : code == ERR_NOT_FOUND ? 2 : code == ERR_NONE ? 0 : 1;
}

/* Ask the trackers in turn until one answers with a body.  One that knows of nothing
 * (ERR_NOT_FOUND), or only of storages that are full, may have started just now and not have
 * heard of all, so the others are asked as well. */
static int tracker_ask(struct fdfs_trackers *trackers, struct span request, int64_t deadline,
	struct buf *body, struct err *err)
{
	size_t count = trackers->count;
	size_t order[FDFS_TRACKERS_MAX] = { 0 };
	struct err kept = { .code = ERR_NONE };

	tracker_order(trackers, order);
	for (size_t i = 0; i < count; i++) {
		int64_t now = clock_mono_ms();
		/* One that hangs leaves time for the others. */
		int64_t share = now + (deadline - now) / (int64_t)(count - i);

		if (i + 1 < count && share > now + trackers->patience_ms)
			share = now + trackers->patience_ms;
		if (now >= deadline) {
			if (kept.code == ERR_NONE)
				err_set(&kept, ERR_TIMEOUT, "no time left to ask a tracker");
			break;
		}
		if (tracker_ask_one(trackers, order[i], request, share, body, err) == 0)
			return 0;
		if (err->code == ERR_BAD_REQUEST)
			return -1;
		if (weight(err->code) > weight(kept.code))
			kept = *err;
	}
	*err = kept;
	return -1;
}

int fdfs_trackers_ask_group(struct fdfs_trackers *trackers, uint8_t cmd, const char *group,
	int64_t deadline, struct buf *body, struct err *err)
{
	struct buf request;
	size_t begun;
	int result;

	buf_init(&request, REQUEST_MAX);
	begun = fdfs_begin(&request, cmd, 0);
	if (group != NULL)
		fdfs_put_group(&request, group);
	fdfs_end(&request, begun, 0);
	if (!buf_ok(&request))
		result = err_set(err, ERR_BAD_REQUEST, "'%s' is not the name of a group", group);
	else
		result = tracker_ask(trackers, buf_span(&request), deadline, body, err);
	buf_fini(&request);
	return result;
}

int fdfs_trackers_nonsense(const char *what, struct err *err)
{
	return err_set(err, ERR_UNREACHABLE, "tracker: its answer is not %s", what);
}

int fdfs_trackers_route_upload(struct fdfs_trackers *trackers, uint8_t cmd, const char *group,
	int64_t deadline, struct fdfs_route *route, struct err *err)
{
	struct buf body;
	int result;

	buf_init(&body, FDFS_TRACKER_REPLY_MAX);
	result = fdfs_trackers_ask_group(trackers, cmd, group, deadline, &body, err);
	if (result < 0 && err->code == ERR_NOT_FOUND)
		err_set(err, ERR_UNREACHABLE, "no storage of %s%s is up",
			group == NULL ? "any group" : "group ", group == NULL ? "" : group);
	else if (result == 0 && !fdfs_get_store(buf_span(&body), route))
		result = fdfs_trackers_nonsense("the address of a storage", err);
	buf_fini(&body);
	return result;
}

/* Tell a group that nobody knows from one that is down. */
static int no_storage(
	struct fdfs_trackers *trackers, const char *group, int64_t deadline, struct err *err)
{
	struct buf body;
	int result;

	buf_init(&body, FDFS_TRACKER_REPLY_MAX);
	result = fdfs_trackers_ask_group(trackers, FDFS_LIST_GROUP, group, deadline, &body, err);
	if (result < 0 && err->code == ERR_NOT_FOUND)
		err_set(err, ERR_NOT_FOUND, "there is no group %s", group);
	else if (result == 0)
		result = err_set(err, ERR_UNREACHABLE, "no storage of group %s is up", group);
	buf_fini(&body);
	return result;
}

int fdfs_trackers_route_file(struct fdfs_trackers *trackers, uint8_t cmd, const struct file_id *id,
	int64_t deadline, struct fdfs_route *route, struct err *err)
{
	struct fdfs_file_request file = { .name = span_of(id->name, id->name_len) };
	struct buf request, body;
	size_t begun;
	int result;

	buf_init(&request, REQUEST_MAX);
	buf_init(&body, FDFS_TRACKER_REPLY_MAX);
	memcpy(file.group, id->group, sizeof file.group);
	begun = fdfs_begin(&request, cmd, 0);
	fdfs_put_file_request(&request, &file);
	fdfs_end(&request, begun, 0);
	assert(buf_ok(&request));
	result = tracker_ask(trackers, buf_span(&request), deadline, &body, err);
	if (result < 0 && err->code == ERR_NOT_FOUND)
		result = no_storage(trackers, id->group, deadline, err);
	else if (result == 0 && !fdfs_get_fetch(buf_span(&body), route))
		result = fdfs_trackers_nonsense("the address of a storage", err);
	buf_fini(&request);
	buf_fini(&body);
	return result;
}
