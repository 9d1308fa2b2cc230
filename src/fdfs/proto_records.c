/* proto_records.c - what trackers tell monitoring clients, and storages trackers. */
#include "fdfs/proto_inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
	BEAT_VERSION = 1,
	BEAT_SHARED = 1,
	BEAT_WRITABLE = 2,
	BEAT_READABLE = 4,
	BEAT_DRAINING = 8,
	BEAT_SPACE_BITS = 54, /* of one path: the sum of 256 of them fits 64 bits */
};

/* ---- GROUP records ---- */

enum { GROUP_LEN = 113, GROUP_LEN_OLD = 105 };

void fdfs_put_group_record(
	struct buf *out, enum fdfs_layout layout, const struct fdfs_group_record *record)
{
	bool old = layout != FDFS_LAYOUT_CURRENT;

	buf_put_field(out, record->name, FDFS_GROUP_WIDTH + 1);
	buf_put_be64(out, record->total_mib);
	buf_put_be64(out, record->free_mib);
	if (!old)
		buf_put_be64(out, record->reserved_mib);
	buf_put_be64(out, record->trunk_free_mib);
	buf_put_be64(out, record->storages);
	buf_put_be64(out, record->port);
	buf_put_be64(out, old ? record->http_port : record->readable);
	buf_put_be64(out, record->writable);
	buf_put_be64(out, record->write_server);
	buf_put_be64(out, record->paths);
	buf_put_be64(out, record->subdirs);
	buf_put_be64(out, (uint64_t)record->trunk_file);
}

bool fdfs_get_group_record(struct span record, struct fdfs_group_record *out)
{
	struct cursor in = cursor_of(record);
	bool old = record.len == GROUP_LEN_OLD;
	char name[FDFS_GROUP_WIDTH + 2];

	*out = (struct fdfs_group_record){ 0 };
	cursor_get_field(&in, name, FDFS_GROUP_WIDTH + 1);
	if (!file_id_group_ok(span_str(name)))
		return false;
	memcpy(out->name, name, strlen(name) + 1);
	out->total_mib = cursor_get_be64(&in);
	out->free_mib = cursor_get_be64(&in);
	if (!old)
		out->reserved_mib = cursor_get_be64(&in);
	out->trunk_free_mib = cursor_get_be64(&in);
	out->storages = cursor_get_be64(&in);
	out->port = cursor_get_be64(&in);
	if (old)
		out->http_port = cursor_get_be64(&in);
	else
		out->readable = cursor_get_be64(&in);
	out->writable = cursor_get_be64(&in);
	if (old)
		out->readable = out->writable;
	out->write_server = cursor_get_be64(&in);
	out->paths = cursor_get_be64(&in);
	out->subdirs = cursor_get_be64(&in);
	out->trunk_file = (int64_t)cursor_get_be64(&in);
	return cursor_end(&in);
}

bool fdfs_group_records(struct span body, size_t *len, size_t *count)
{
	static const size_t lens[] = { GROUP_LEN, GROUP_LEN_OLD };
	struct fdfs_group_record record;

	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		size_t at = 0;

		if (body.len % lens[i] != 0)
			continue;
		while (at < body.len &&
			fdfs_get_group_record(span_of(body.data + at, lens[i]), &record))
			at += lens[i];
		if (at < body.len)
			continue; /* a multiple of both lengths, but not these */
		*len = lens[i];
		*count = body.len / lens[i];
		return true;
	}
	return false;
}

/* ---- STORAGE records ---- */

/* What differs between the versions of FastDFS. */
struct layout {
	size_t len;
	uint8_t ip, version;
	bool modern;      /* has a mode; has no domain name and no HTTP port */
	bool reserved;    /* has the reserved space */
	bool connections; /* has the connection figures */
};

static const struct layout layouts[] = {
	{ 487, 16, 8, true, true, true },    /* V6.15 and later */
	{ 517, 46, 8, true, true, true },    /* V6.13.1 and later, wide */
	{ 612, 16, 6, false, false, true },  /* V5.04 to V6.10 */
	{ 642, 46, 6, false, false, true },  /* V6.11 */
	{ 644, 46, 8, false, false, true },  /* V6.12 */
	{ 509, 46, 8, true, false, true },   /* V6.13.0 */
	{ 600, 16, 6, false, false, false }, /* up to V5.03 */
};

enum {
	LAYOUTS = sizeof layouts / sizeof layouts[0],
	LAYOUT_OLD = 2, /* numbers in `layouts`; the wide form stands behind the narrow one */
	LAYOUT_OLDEST = 6,
	DOMAIN_WIDTH = 128,
};

static const struct layout *shape_of(enum fdfs_layout layout, enum fdfs_ip_width width)
{
	if (layout == FDFS_LAYOUT_105_600)
		return &layouts[LAYOUT_OLDEST];
	return &layouts[(layout == FDFS_LAYOUT_105_612 ? LAYOUT_OLD : 0) +
			(width == FDFS_IP_46 ? 1 : 0)];
}

void fdfs_put_storage_record(struct buf *out, enum fdfs_layout layout, enum fdfs_ip_width width,
	const struct fdfs_storage_record *record)
{
	const struct layout *shape = shape_of(layout, width);
	char version[9];

	snprintf(version, sizeof version, "%.*s", shape->version, record->version);
	buf_put_u8(out, record->state);
	if (shape->modern)
		buf_put_u8(out, record->mode);
	buf_put_field(out, record->id, FDFS_ID_WIDTH);
	proto_put_ip(out, record->ip, shape->ip);
	if (!shape->modern)
		buf_put_field(out, "", DOMAIN_WIDTH);
	buf_put_field(out, record->sync_source, FDFS_ID_WIDTH);
	buf_put_field(out, version, shape->version);
	buf_put_be64(out, (uint64_t)record->joined);
	buf_put_be64(out, (uint64_t)record->started);
	buf_put_be64(out, record->total_mib);
	buf_put_be64(out, record->free_mib);
	if (shape->reserved)
		buf_put_be64(out, record->reserved_mib);
	buf_put_be64(out, record->priority);
	buf_put_be64(out, record->paths);
	buf_put_be64(out, record->subdirs);
	buf_put_be64(out, record->write_path);
	buf_put_be64(out, record->port);
	if (!shape->modern)
		buf_put_be64(out, record->http_port);
	if (shape->connections) {
		buf_put_be32(out, record->connections_allocated);
		buf_put_be32(out, record->connections);
		buf_put_be32(out, record->connections_max);
	}
	for (int i = 0; i < FDFS_COUNTERS; i++)
		buf_put_be64(out, record->counters[i]);
	buf_put_u8(out, record->trunk_server);
}

static bool get_storage_record(
	struct span record, const struct layout *shape, struct fdfs_storage_record *out)
{
	struct cursor in = cursor_of(record);
	uint8_t trunk_server;

	*out = (struct fdfs_storage_record){ 0 };
	out->state = cursor_get_u8(&in);
	out->mode = shape->modern ? cursor_get_u8(&in) : FDFS_MODE_READ | FDFS_MODE_WRITE;
	cursor_get_field(&in, out->id, FDFS_ID_WIDTH);
	cursor_get_field(&in, out->ip, shape->ip);
	if (!shape->modern)
		cursor_get_span(&in, DOMAIN_WIDTH);
	cursor_get_field(&in, out->sync_source, FDFS_ID_WIDTH);
	cursor_get_field(&in, out->version, shape->version);
	out->joined = (int64_t)cursor_get_be64(&in);
	out->started = (int64_t)cursor_get_be64(&in);
	out->total_mib = cursor_get_be64(&in);
	out->free_mib = cursor_get_be64(&in);
	if (shape->reserved)
		out->reserved_mib = cursor_get_be64(&in);
	out->priority = cursor_get_be64(&in);
	out->paths = cursor_get_be64(&in);
	out->subdirs = cursor_get_be64(&in);
	out->write_path = cursor_get_be64(&in);
	out->port = cursor_get_be64(&in);
	if (!shape->modern)
		out->http_port = cursor_get_be64(&in);
	if (shape->connections) {
		out->connections_allocated = cursor_get_be32(&in);
		out->connections = cursor_get_be32(&in);
		out->connections_max = cursor_get_be32(&in);
	}
	for (int i = 0; i < FDFS_COUNTERS; i++)
		out->counters[i] = cursor_get_be64(&in);
	trunk_server = cursor_get_u8(&in);
	out->trunk_server = trunk_server == 1;
	return cursor_end(&in) && out->state <= 99 && out->port <= UINT16_MAX && trunk_server <= 1;
}

bool fdfs_get_storage_record(struct span record, struct fdfs_storage_record *out)
{
	for (int i = 0; i < LAYOUTS; i++)
		if (record.len == layouts[i].len)
			return get_storage_record(record, &layouts[i], out);
	return false;
}

bool fdfs_storage_records(struct span body, size_t *len, size_t *count)
{
	struct fdfs_storage_record record;

	for (int i = 0; i < LAYOUTS; i++) {
		size_t one = layouts[i].len, at = 0;

		if (body.len % one != 0)
			continue;
		while (at < body.len &&
			get_storage_record(span_of(body.data + at, one), &layouts[i], &record))
			at += one;
		if (at < body.len)
			continue;
		*len = one;
		*count = body.len / one;
		return true;
	}
	return false;
}

/* ---- beats ---- */

void fdfs_put_beat(struct buf *out, const struct fdfs_beat *beat)
{
	assert(beat->path_count >= 1 && beat->path_count <= FDFS_PATHS_MAX);
	buf_put_u8(out, BEAT_VERSION);
	buf_put_u8(out, beat->state);
	buf_put_u8(out,
		(uint8_t)((beat->shared ? BEAT_SHARED : 0) | (beat->writable ? BEAT_WRITABLE : 0) |
			  (beat->readable ? BEAT_READABLE : 0) |
			  (beat->draining ? BEAT_DRAINING : 0)));
	buf_put_u8(out, 0);
	buf_put_field(out, beat->group, FDFS_GROUP_WIDTH);
	buf_put_field(out, beat->id, FDFS_ID_WIDTH);
	buf_put_field(out, beat->address.ip, FDFS_IP_MAX);
	buf_put_be16(out, beat->address.port);
	buf_put_field(out, beat->version, sizeof beat->version - 1);
	buf_put_be64(out, (uint64_t)beat->started);
	buf_put_be32(out, beat->connections);
	buf_put_be32(out, beat->connections_max);
	for (int i = 0; i < FDFS_COUNTERS; i++)
		buf_put_be64(out, beat->counters[i]);
	buf_put_be16(out, beat->path_count);
	for (int i = 0; i < beat->path_count; i++) {
		buf_put_be64(out, beat->paths[i].total);
		buf_put_be64(out, beat->paths[i].free);
		buf_put_be64(out, beat->paths[i].reserved);
	}
}

/* Text that may go into records and logs as it is. */
static bool plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

bool fdfs_get_beat(struct span body, struct fdfs_beat *beat)
{
	struct cursor in = cursor_of(body);
	uint8_t version, flags;

	*beat = (struct fdfs_beat){ 0 };
	version = cursor_get_u8(&in);
	beat->state = cursor_get_u8(&in);
	flags = cursor_get_u8(&in);
	cursor_get_u8(&in);
	if (version != BEAT_VERSION)
		return false;
	beat->shared = (flags & BEAT_SHARED) != 0;
	beat->writable = (flags & BEAT_WRITABLE) != 0;
	beat->readable = (flags & BEAT_READABLE) != 0;
	beat->draining = (flags & BEAT_DRAINING) != 0;
	cursor_get_field(&in, beat->group, FDFS_GROUP_WIDTH);
	cursor_get_field(&in, beat->id, FDFS_ID_WIDTH);
	cursor_get_field(&in, beat->address.ip, FDFS_IP_MAX);
	beat->address.port = cursor_get_be16(&in);
	cursor_get_field(&in, beat->version, sizeof beat->version - 1);
	beat->started = (int64_t)cursor_get_be64(&in);
	beat->connections = cursor_get_be32(&in);
	beat->connections_max = cursor_get_be32(&in);
	for (int i = 0; i < FDFS_COUNTERS; i++)
		beat->counters[i] = cursor_get_be64(&in);
	beat->path_count = cursor_get_be16(&in);
	if (!cursor_ok(&in) || beat->path_count < 1 || beat->path_count > FDFS_PATHS_MAX)
		return false;
	for (int i = 0; i < beat->path_count; i++) {
		struct fdfs_path_space *path = &beat->paths[i];

		path->total = cursor_get_be64(&in);
		path->free = cursor_get_be64(&in);
		path->reserved = cursor_get_be64(&in);
		if ((path->total | path->free | path->reserved) >> BEAT_SPACE_BITS != 0)
			return false;
	}
	return cursor_end(&in) && file_id_group_ok(span_str(beat->group)) && beat->id[0] != '\0' &&
	       beat->address.ip[0] != '\0' && beat->address.port != 0 && plain(beat->id) &&
	       plain(beat->address.ip) && plain(beat->version);
}
