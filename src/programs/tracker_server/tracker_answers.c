#include "programs/tracker_server/tracker_inside.h"

#include <stdio.h>
#include <string.h>

enum { MIB_SHIFT = 20, SUBDIRS = 256, PRIORITY = 10 };

int tracker_bad_length(const struct question *q)
{
	return err_set(q->err, ERR_BAD_REQUEST, "command %u does not have a body of %zu bytes",
		q->cmd, q->body.len);
}

const struct cluster_group *tracker_find_group(const struct question *q, const char *name)
{
	const struct cluster_group *group = cluster_find(&q->tracker->cluster, name);

	if (group == NULL)
		err_set(q->err, ERR_NOT_FOUND, "there is no group %s", name);
	return group;
}

static int answer_store(const struct question *q, bool in_group, bool all)
{
	char group[FDFS_GROUP_WIDTH + 1];
	struct fdfs_route route;

	if (in_group ? !fdfs_get_group(q->body, group) : q->body.len != 0)
		return tracker_bad_length(q);
	if (cluster_store(&q->tracker->cluster, in_group ? group : NULL, all, q->now_ms, &route,
		    q->err) != 0)
		return -1;
	fdfs_put_store(q->out, q->tracker->ip_width, &route);
	return 0;
}

static int answer_fetch(const struct question *q, enum cluster_use use, bool all)
{
	struct fdfs_file_request file;
	struct fdfs_route route;

	if (!fdfs_get_file_request(q->body, &file) || file.name.len < FDFS_NAME_MIN)
		return tracker_bad_length(q);
	if (cluster_fetch(&q->tracker->cluster, &file, use, all, q->now_ms, &route, q->err) != 0)
		return -1;
	fdfs_put_fetch(q->out, q->tracker->ip_width, &route);
	return 0;
}

/* What a storage calls free is without its reserve; FastDFS counts that in. */
static void add_space(struct fdfs_path_space *space, const struct fdfs_beat *beat)
{
	for (int p = 0; p < beat->path_count; p++) {
		space->total += beat->paths[p].total;
		space->free += beat->paths[p].free + beat->paths[p].reserved;
		space->reserved += beat->paths[p].reserved;
	}
}

void tracker_group_record(const struct question *q, const struct cluster_group *group,
	struct fdfs_group_record *record)
{
	const struct cluster *cluster = &q->tracker->cluster;
	struct fdfs_path_space space = { 0 };

	*record = (struct fdfs_group_record){ .subdirs = SUBDIRS, .trunk_file = -1 };
	memcpy(record->name, group->name, sizeof record->name);
	record->storages = group->count;
	for (size_t i = 0; i < group->count; i++) {
		const struct fdfs_beat *beat = &group->storages[i]->beat;

		record->port = beat->address.port;
		record->paths = beat->path_count;
		if (!cluster_is_up(cluster, group->storages[i], q->now_ms))
			continue;
		record->readable += beat->readable;
		record->writable += beat->writable && cluster_room(group->storages[i]) > 0;
		/* Storages that share an engine show the same space. */
		if (beat->shared && space.total > 0)
			continue;
		add_space(&space, beat);
	}
	record->total_mib = space.total >> MIB_SHIFT;
	record->free_mib = space.free >> MIB_SHIFT;
	record->reserved_mib = space.reserved >> MIB_SHIFT;
}

static void put_group(const struct question *q, const struct cluster_group *group)
{
	struct fdfs_group_record record;

	tracker_group_record(q, group, &record);
	fdfs_put_group_record(q->out, q->tracker->layout, &record);
}

static int answer_list_group(const struct question *q)
{
	char name[FDFS_GROUP_WIDTH + 1];
	const struct cluster_group *group;

	if (!fdfs_get_group(q->body, name))
		return tracker_bad_length(q);
	group = tracker_find_group(q, name);
	if (group == NULL)
		return -1;
	put_group(q, group);
	return 0;
}

static int answer_list_groups(const struct question *q)
{
	const struct cluster *cluster = &q->tracker->cluster;

	if (q->body.len != 0)
		return tracker_bad_length(q);
	for (size_t i = 0; i < cluster->count; i++)
		put_group(q, cluster->groups[i]);
	return 0;
}

void tracker_storage_record(const struct question *q, const struct cluster_storage *storage,
	struct fdfs_storage_record *record)
{
	const struct fdfs_beat *beat = &storage->beat;
	bool up = cluster_is_up(&q->tracker->cluster, storage, q->now_ms);
	struct fdfs_path_space space = { 0 };

	*record = (struct fdfs_storage_record){
		.state = up ? FDFS_STATE_ACTIVE : FDFS_STATE_OFFLINE,
		.mode = (uint8_t)((beat->readable ? FDFS_MODE_READ : 0) |
				  (beat->writable ? FDFS_MODE_WRITE : 0)),
		.joined = storage->joined,
		.started = beat->started,
		.priority = PRIORITY,
		.paths = beat->path_count,
		.subdirs = SUBDIRS,
		.port = beat->address.port,
		.connections_allocated = beat->connections_max,
		.connections = beat->connections,
		.connections_max = beat->connections_max,
	};
	memcpy(record->id, beat->id, sizeof record->id);
	memcpy(record->ip, beat->address.ip, sizeof record->ip);
	memcpy(record->version, beat->version, sizeof record->version);
	if (beat->shared)
		snprintf(record->sync_source, sizeof record->sync_source, FDFS_SYNC_SHARED);
	memcpy(record->counters, beat->counters, sizeof record->counters);
	record->counters[FDFS_LAST_BEAT] = (uint64_t)storage->beat_time;
	add_space(&space, beat);
	record->total_mib = space.total >> MIB_SHIFT;
	record->free_mib = space.free >> MIB_SHIFT;
	record->reserved_mib = space.reserved >> MIB_SHIFT;
}

static void put_storage(const struct question *q, const struct cluster_storage *storage)
{
	struct fdfs_storage_record record;

	tracker_storage_record(q, storage, &record);
	fdfs_put_storage_record(q->out, q->tracker->layout, q->tracker->ip_width, &record);
}

static int answer_list_storages(const struct question *q)
{
	struct fdfs_list_request request;
	const struct cluster_group *group;
	bool found = false;

	if (!fdfs_get_list_request(q->body, &request))
		return tracker_bad_length(q);
	group = tracker_find_group(q, request.group);
	if (group == NULL)
		return -1;
	for (size_t i = 0; i < group->count; i++) {
		const struct fdfs_beat *beat = &group->storages[i]->beat;

		if (request.storage[0] != '\0' && strcmp(request.storage, beat->id) != 0 &&
			strcmp(request.storage, beat->address.ip) != 0)
			continue;
		put_storage(q, group->storages[i]);
		found = true;
	}
	if (request.storage[0] != '\0' && !found)
		return err_set(q->err, ERR_NOT_FOUND, "group %s has no storage %s", request.group,
			request.storage);
	return 0;
}

static int answer_beat(const struct question *q, const void *link)
{
	struct fdfs_beat beat;

	if (!fdfs_get_beat(q->body, &beat))
		return err_set(q->err, ERR_BAD_REQUEST,
			"that is not a beat of a storage_server of this version");
	return cluster_beat(&q->tracker->cluster, &beat, link, q->now_ms, q->now, q->err);
}

int tracker_answer(struct tracker_answers *tracker, uint8_t cmd, struct span body, const void *link,
	int64_t now_ms, int64_t now, struct buf *out, struct err *err)
{
	const struct question q = { tracker, cmd, body, now_ms, now, out, err };
	int result;

	switch (cmd) {
	case FDFS_QUERY_STORE_ONE:
		return answer_store(&q, false, false);
	case FDFS_QUERY_STORE_ALL:
		return answer_store(&q, false, true);
	case FDFS_QUERY_STORE_GROUP_ONE:
		return answer_store(&q, true, false);
	case FDFS_QUERY_STORE_GROUP_ALL:
		return answer_store(&q, true, true);
	case FDFS_QUERY_FETCH_ONE:
		return answer_fetch(&q, CLUSTER_READ, false);
	case FDFS_QUERY_FETCH_ALL:
		return answer_fetch(&q, CLUSTER_READ, true);
	case FDFS_QUERY_UPDATE:
		return answer_fetch(&q, CLUSTER_CHANGE, false);
	case FDFS_LIST_GROUP:
		return answer_list_group(&q);
	case FDFS_LIST_GROUPS:
		return answer_list_groups(&q);
	case FDFS_LIST_STORAGES:
		return answer_list_storages(&q);
	case FDFS_BEAT:
		return answer_beat(&q, link);
	case FDFS_ACTIVE_TEST:
		return body.len == 0 ? 0 : tracker_bad_length(&q);
	default:
		if (tracker_stats_answer(&q, &result))
			return result;
		return err_set(err, ERR_BAD_REQUEST, "there is no command %u", cmd);
	}
}
