/* tracker_stats.c - what newer monitoring tools ask: who leads, ids, parameters, short lists.
 *
 * Trackers do not know of each other.  Each knows the whole cluster from the storages, so
 * each leads: it names itself and lists itself alone. */
#include "fdfs/proto_stats.h"
#include "programs/tracker_server/tracker_inside.h"

#include <inttypes.h>
#include <string.h>

enum { MIB_SHIFT = 20, SYNC_DELAY_S = 24 * 60 * 60 };

/* Call `with` for each storage of each group. */
static void each_storage(const struct question *q,
	void (*with)(
		const struct question *q, const struct cluster_storage *storage, void *context),
	void *context)
{
	const struct cluster *cluster = &q->tracker->cluster;

	for (size_t i = 0; i < cluster->count; i++)
		for (size_t j = 0; j < cluster->groups[i]->count; j++)
			with(q, cluster->groups[i]->storages[j], context);
}

/* ---- who leads ---- */

static int answer_leader(const struct question *q)
{
	if (q->body.len != 0)
		return tracker_bad_length(q);
	if (q->tracker->self.endpoint[0] == '\0')
		return err_set(q->err, ERR_UNSUPPORTED,
			"tracker.advertise must say which address clients reach this tracker at");
	buf_put_str(q->out, q->tracker->self.endpoint);
	return 0;
}

static int answer_tracker_stats(const struct question *q)
{
	const struct tracker_self *self = &q->tracker->self;
	struct fdfs_tracker_stat stat = {
		.leader = true,
		.active = true,
		.connections_allocated = self->connections_max,
		.connections = self->connections,
		.connections_max = self->connections_max,
		.started = self->started,
		.last_beat = q->now,
	};

	if (q->body.len != FDFS_TRACKER_FILTER_LEN)
		return tracker_bad_length(q);
	memcpy(stat.endpoint, self->endpoint, sizeof stat.endpoint);
	memcpy(stat.version, self->version, sizeof stat.version);
	buf_put_u8(q->out, 1);
	fdfs_put_tracker_stat(q->out, &stat);
	return 0;
}

static int answer_run_state(const struct question *q)
{
	if (q->body.len != 0)
		return tracker_bad_length(q);
	if (q->tracker->cluster.count == 0)
		return err_set(q->err, ERR_NOT_FOUND, "no storage has ever reported");
	fdfs_put_run_state(q->out, true, q->now - q->tracker->self.started);
	return 0;
}

/* ---- short lists ---- */

struct tally {
	uint32_t storages, ids;
	uint64_t reserved; /* the most of a path */
};

static void tally_one(
	const struct question *q, const struct cluster_storage *storage, void *context)
{
	struct tally *tally = context;

	(void)q;
	tally->storages++;
	tally->ids += cluster_id_is_number(storage);
	for (int i = 0; i < storage->beat.path_count; i++)
		if (storage->beat.paths[i].reserved > tally->reserved)
			tally->reserved = storage->beat.paths[i].reserved;
}

static struct tally tally_all(const struct question *q)
{
	struct tally tally = { 0 };

	each_storage(q, tally_one, &tally);
	return tally;
}

static void put_storage_stat(
	const struct question *q, const struct cluster_storage *storage, void *context)
{
	struct fdfs_storage_record record;

	(void)context;
	tracker_storage_record(q, storage, &record);
	fdfs_put_storage_stat(q->out, &record);
}

static int answer_storage_stats(const struct question *q)
{
	struct tally tally = tally_all(q);

	if (q->body.len != FDFS_CLUSTER_FILTER_LEN)
		return tracker_bad_length(q);
	fdfs_put_storage_stats_head(q->out, tally.ids > 0, tally.storages);
	each_storage(q, put_storage_stat, NULL);
	return 0;
}

static int answer_volume_stats(const struct question *q)
{
	const struct cluster *cluster = &q->tracker->cluster;
	struct fdfs_group_record record;

	if (q->body.len != FDFS_CLUSTER_FILTER_LEN)
		return tracker_bad_length(q);
	fdfs_put_volume_stats_head(q->out, (uint32_t)cluster->count);
	for (size_t i = 0; i < cluster->count; i++) {
		tracker_group_record(q, cluster->groups[i], &record);
		fdfs_put_volume_stat(q->out, &record);
	}
	return 0;
}

/* ---- ids ---- */

struct id_lines {
	uint32_t first, at, put;
};

static void put_id_line(
	const struct question *q, const struct cluster_storage *storage, void *context)
{
	const struct fdfs_beat *beat = &storage->beat;
	struct id_lines *lines = context;
	char endpoint[FDFS_ENDPOINT_WIDTH + 1];

	if (!cluster_id_is_number(storage) || lines->at++ < lines->first)
		return;
	fdfs_endpoint(&beat->address, endpoint);
	buf_printf(q->out, "%s %s %s%s\n", beat->id, beat->group, endpoint,
		beat->writable ? "" : " rw=read");
	lines->put++;
}

static int answer_storage_ids(const struct question *q)
{
	struct tally tally = tally_all(q);
	struct fdfs_ids_request request;
	struct id_lines lines = { 0 };
	size_t head = q->out->len;

	if (!fdfs_get_ids_request(q->body, &request))
		return tracker_bad_length(q);
	if (tally.ids == 0 && !request.allow_empty)
		return err_set(q->err, ERR_UNSUPPORTED, "no storage has an id; addresses do");
	lines.first = request.first;
	buf_put_be32(q->out, tally.ids);
	buf_put_be32(q->out, 0); /* how many follow, known in the end */
	each_storage(q, put_id_line, &lines);
	if (buf_ok(q->out))
		store_be32(q->out->data + head + 4, lines.put);
	return 0;
}

/* ---- one storage ---- */

static const struct cluster_storage *find_storage(const struct question *q)
{
	struct fdfs_endpoint_request request;
	const struct cluster_group *group;

	if (!fdfs_get_endpoint_request(q->body, &request)) {
		tracker_bad_length(q);
		return NULL;
	}
	group = tracker_find_group(q, request.group);
	if (group == NULL)
		return NULL;
	for (size_t i = 0; i < group->count; i++) {
		const struct cluster_storage *storage = group->storages[i];
		char endpoint[FDFS_ENDPOINT_WIDTH + 1];

		fdfs_endpoint(&storage->beat.address, endpoint);
		if (strcmp(endpoint, request.endpoint) == 0 ||
			strcmp(storage->beat.address.ip, request.endpoint) == 0)
			return storage;
	}
	err_set(q->err, ERR_NOT_FOUND, "group %s has no storage %s", request.group,
		request.endpoint);
	return NULL;
}

static int answer_storage_id(const struct question *q)
{
	const struct cluster_storage *storage = find_storage(q);

	if (storage == NULL)
		return -1;
	buf_put_str(q->out, storage->beat.id);
	return 0;
}

static int answer_storage_status(const struct question *q)
{
	const struct cluster_storage *storage = find_storage(q);
	struct fdfs_storage_record record;

	if (storage == NULL)
		return -1;
	tracker_storage_record(q, storage, &record);
	fdfs_put_storage_status(q->out, &record);
	return 0;
}

/* ---- parameters ---- */

/* Those that clients care about.  Of trunk files, which are never used, the figures are 0. */
static int answer_parameters(const struct question *q)
{
	struct tally tally = tally_all(q);
	struct buf *out = q->out;

	if (q->body.len != 0)
		return tracker_bad_length(q);
	buf_printf(out, "use_storage_id=%d\n", tally.ids > 0);
	buf_printf(out, "id_type_in_filename=%s\n", tally.ids > 0 ? "id" : "ip");
	buf_printf(out, "response_ip_addr_size=%d\n", q->tracker->ip_width == FDFS_IP_46 ? 46 : 16);
	buf_printf(out, "storage_ip_changed_auto_adjust=1\n");
	buf_printf(out, "store_path=0\n"); /* in turn */
	buf_printf(out, "reserved_storage_space=%" PRIu64 "MB\n", tally.reserved >> MIB_SHIFT);
	buf_printf(out, "use_trunk_file=0\nslot_min_size=0\nslot_max_size=0\n");
	buf_printf(out, "trunk_file_size=0\ntrunk_alloc_alignment_size=0\n");
	buf_printf(out, "store_slave_file_use_link=0\n");
	buf_printf(out, "storage_sync_file_max_delay=%d\n", SYNC_DELAY_S);
	return 0;
}

bool tracker_stats_answer(const struct question *q, int *result)
{
	static const struct {
		uint8_t cmd;
		int (*answer)(const struct question *q);
	} commands[] = {
		{ FDFS_RUN_STATE, answer_run_state },
		{ FDFS_STORAGE_IDS, answer_storage_ids },
		{ FDFS_STORAGE_ID, answer_storage_id },
		{ FDFS_STORAGE_STATUS, answer_storage_status },
		{ FDFS_PARAMETERS, answer_parameters },
		{ FDFS_LEADER, answer_leader },
		{ FDFS_TRACKER_STATS, answer_tracker_stats },
		{ FDFS_STORAGE_STATS, answer_storage_stats },
		{ FDFS_VOLUME_STATS, answer_volume_stats },
	};

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (commands[i].cmd == q->cmd) {
			*result = commands[i].answer(q);
			return true;
		}
	return false;
}
