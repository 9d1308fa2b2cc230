/* client_figures.c - what trackers tell about groups and storages. */
#include "core/clock.h"
#include "fdfs/client_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ask for records; `body` has them then, `*count` of `*len` bytes each.  To be freed in any
 * case. */
static int ask_for_records(struct fdfs_client *client, uint8_t cmd, const char *group,
	int64_t deadline, bool (*measure)(struct span body, size_t *len, size_t *count),
	const char *what, struct buf *body, size_t *len, size_t *count, struct err *err)
{
	buf_init(body, FDFS_TRACKER_REPLY_MAX);
	if (fdfs_trackers_ask_group(client->trackers, cmd, group, deadline, body, err) < 0)
		return -1;
	return measure(buf_span(body), len, count) ? 0 : fdfs_trackers_nonsense(what, err);
}

int fdfs_groups(struct fdfs_client *client, struct fdfs_group **out, size_t *count, struct err *err)
{
	struct fdfs_group *groups;
	struct err local;
	struct buf body;
	size_t len, n;
	int result = ask_for_records(client, FDFS_LIST_GROUPS, NULL, fdfs_client_deadline(client),
		fdfs_group_records, "a list of groups", &body, &len, &n,
		err != NULL ? err : &local);

	if (result != 0)
		goto out;
	groups = calloc(n + 1, sizeof *groups);
	if (groups == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		struct fdfs_group_record record;

		fdfs_get_group_record(span_of(body.data + i * len, len), &record);
		memcpy(groups[i].name, record.name, sizeof groups[i].name);
		groups[i].total_mib = record.total_mib;
		groups[i].free_mib = record.free_mib;
		groups[i].reserved_mib = record.reserved_mib;
		groups[i].storages = record.storages;
		groups[i].readable = record.readable;
		groups[i].writable = record.writable;
	}
	*out = groups;
	*count = n;
out:
	buf_fini(&body);
	return result;
}

static int storages_until(struct fdfs_client *client, const char *group, int64_t deadline,
	struct fdfs_storage **out, size_t *count, struct err *err)
{
	struct fdfs_storage *storages;
	struct buf body;
	size_t len, n;
	int result = ask_for_records(client, FDFS_LIST_STORAGES, group, deadline,
		fdfs_storage_records, "a list of storages", &body, &len, &n, err);

	if (result != 0)
		goto out;
	storages = calloc(n + 1, sizeof *storages);
	if (storages == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		struct fdfs_storage *to = &storages[i];
		struct fdfs_storage_record record;

		fdfs_get_storage_record(span_of(body.data + i * len, len), &record);
		snprintf(to->group, sizeof to->group, "%s", group);
		memcpy(to->id, record.id, sizeof to->id);
		memcpy(to->ip, record.ip, sizeof record.ip);
		memcpy(to->version, record.version, sizeof to->version);
		to->port = (uint16_t)record.port;
		to->state = record.state;
		to->shared = strcmp(record.sync_source, FDFS_SYNC_SHARED) == 0;
		to->joined = record.joined;
		to->started = record.started;
		to->last_beat = (int64_t)record.counters[FDFS_LAST_BEAT];
		to->last_source_update = (int64_t)record.counters[FDFS_LAST_SOURCE_UPDATE];
		to->last_synced = (int64_t)record.counters[FDFS_LAST_SYNCED];
		to->total_mib = record.total_mib;
		to->free_mib = record.free_mib;
		to->reserved_mib = record.reserved_mib;
		to->connections = record.connections;
		to->uploads = record.counters[FDFS_COUNT_UPLOAD_OK];
		to->downloads = record.counters[FDFS_COUNT_DOWNLOAD_OK];
		to->deletes = record.counters[FDFS_COUNT_DELETE_OK];
	}
	*out = storages;
	*count = n;
out:
	buf_fini(&body);
	return result;
}

int fdfs_storages(struct fdfs_client *client, const char *group, struct fdfs_storage **out,
	size_t *count, struct err *err)
{
	struct err local;

	return storages_until(client, group, fdfs_client_deadline(client), out, count,
		err != NULL ? err : &local);
}

bool fdfs_client_is_up(struct fdfs_client *client, const char *group, const struct fdfs_peer *peer)
{
	int64_t deadline = clock_mono_ms() + client->connect_ms;
	struct fdfs_storage *storages = NULL;
	size_t count = 0;
	bool up = false;
	struct err err;

	if (storages_until(client, group, deadline, &storages, &count, &err) != 0)
		return true;
	for (size_t i = 0; i < count && !up; i++)
		up = storages[i].port == peer->port && strcmp(storages[i].ip, peer->host) == 0 &&
		     storages[i].state == FDFS_STATE_ACTIVE;
	free(storages);
	return up;
}
