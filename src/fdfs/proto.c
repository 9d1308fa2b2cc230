#include "fdfs/proto.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
	NAME_MAX_BYTES = FILE_ID_NAME_MAX,
	BEAT_VERSION = 1,
	BEAT_SHARED = 1,
	BEAT_WRITABLE = 2,
	BEAT_READABLE = 4,
	BEAT_SPACE_BITS = 54, /* of one path: the sum of 256 of them fits 64 bits */
};

/* ---- headers ---- */

void fdfs_header_write(const struct fdfs_header *header, uint8_t out[FDFS_HEADER_LEN])
{
	store_be64(out, (uint64_t)header->len);
	out[8] = header->cmd;
	out[9] = header->status;
}

struct fdfs_header fdfs_header_read(const uint8_t in[FDFS_HEADER_LEN])
{
	return (struct fdfs_header){
		.len = (int64_t)load_be64(in),
		.cmd = in[8],
		.status = in[9],
	};
}

size_t fdfs_begin(struct buf *out, uint8_t cmd, uint8_t status)
{
	size_t begun = out->len;

	buf_put_be64(out, 0);
	buf_put_u8(out, cmd);
	buf_put_u8(out, status);
	return begun;
}

void fdfs_end(struct buf *out, size_t begun, uint64_t more)
{
	if (buf_ok(out))
		store_be64(out->data + begun, out->len - begun - FDFS_HEADER_LEN + more);
}

/* ---- requests ---- */

void fdfs_put_group(struct buf *out, const char *group)
{
	buf_put_field(out, group, FDFS_GROUP_WIDTH);
}

bool fdfs_get_group(struct span body, char group[FDFS_GROUP_WIDTH + 1])
{
	struct cursor in = cursor_of(body);

	cursor_get_field(&in, group, FDFS_GROUP_WIDTH);
	return cursor_end(&in);
}

void fdfs_put_list_request(struct buf *out, const struct fdfs_list_request *request)
{
	fdfs_put_group(out, request->group);
	buf_put_str(out, request->storage);
}

bool fdfs_get_list_request(struct span body, struct fdfs_list_request *request)
{
	struct cursor in = cursor_of(body);

	cursor_get_field(&in, request->group, FDFS_GROUP_WIDTH);
	if (!cursor_ok(&in) || cursor_left(&in) >= FDFS_ID_WIDTH)
		return false;
	cursor_get_field(&in, request->storage, cursor_left(&in));
	return cursor_end(&in);
}

void fdfs_put_file_request(struct buf *out, const struct fdfs_file_request *request)
{
	fdfs_put_group(out, request->group);
	buf_put_span(out, request->name);
}

static bool get_file(struct cursor *in, struct fdfs_file_request *request)
{
	cursor_get_field(in, request->group, FDFS_GROUP_WIDTH);
	request->name = cursor_get_span(in, cursor_left(in));
	return cursor_end(in) && request->name.len >= 1 && request->name.len <= NAME_MAX_BYTES;
}

bool fdfs_get_file_request(struct span body, struct fdfs_file_request *request)
{
	struct cursor in = cursor_of(body);

	return get_file(&in, request);
}

void fdfs_put_upload_head(struct buf *out, const struct fdfs_upload_request *request)
{
	buf_put_u8(out, request->path);
	buf_put_be64(out, request->size);
	buf_put_field(out, request->ext, FDFS_EXT_WIDTH);
}

bool fdfs_get_upload_request(struct span body, struct fdfs_upload_request *request)
{
	struct cursor in = cursor_of(body);

	request->path = cursor_get_u8(&in);
	request->size = cursor_get_be64(&in);
	cursor_get_field(&in, request->ext, FDFS_EXT_WIDTH);
	if (!cursor_ok(&in) || request->size != cursor_left(&in))
		return false;
	request->content = cursor_get_span(&in, cursor_left(&in));
	return cursor_end(&in);
}

void fdfs_put_download_request(struct buf *out, const struct fdfs_download_request *request)
{
	buf_put_be64(out, (uint64_t)request->offset);
	buf_put_be64(out, (uint64_t)request->bytes);
	fdfs_put_file_request(out, &request->file);
}

bool fdfs_get_download_request(struct span body, struct fdfs_download_request *request)
{
	struct cursor in = cursor_of(body);

	request->offset = (int64_t)cursor_get_be64(&in);
	request->bytes = (int64_t)cursor_get_be64(&in);
	return get_file(&in, &request->file);
}

/* ---- replies ---- */

void fdfs_put_upload_reply(struct buf *out, const struct fdfs_file_request *file)
{
	fdfs_put_file_request(out, file);
}

bool fdfs_get_upload_reply(struct span body, struct fdfs_file_request *file)
{
	return fdfs_get_file_request(body, file);
}

static size_t ip_len(enum fdfs_ip_width width)
{
	return width == FDFS_IP_46 ? 46 : 16;
}

/* An address does not fit a narrow field if it is IPv6: the field is left empty
 * rather than the reply broken. */
static void put_ip(struct buf *out, const char *ip, size_t len)
{
	buf_put_field(out, strlen(ip) > len ? "" : ip, len);
}

void fdfs_put_info_reply(
	struct buf *out, enum fdfs_ip_width width, const struct fdfs_info_reply *reply)
{
	buf_put_be64(out, reply->size);
	buf_put_be64(out, (uint64_t)reply->time);
	buf_put_be64(
		out, (uint64_t)(int64_t)(int32_t)reply->crc); /* sign extended, as FastDFS does */
	put_ip(out, reply->source, ip_len(width));
}

bool fdfs_get_info_reply(struct span body, struct fdfs_info_reply *reply)
{
	struct cursor in = cursor_of(body);

	reply->size = cursor_get_be64(&in);
	reply->time = (int64_t)cursor_get_be64(&in);
	reply->crc = (uint32_t)cursor_get_be64(&in);
	if (cursor_left(&in) != 16 && cursor_left(&in) != 46)
		return false;
	cursor_get_field(&in, reply->source, cursor_left(&in));
	return cursor_end(&in);
}

static void put_addresses(struct buf *out, enum fdfs_ip_width width, const struct fdfs_route *route)
{
	assert(route->count >= 1 && route->count <= FDFS_ROUTE_MAX);
	fdfs_put_group(out, route->group);
	for (size_t i = 0; i < route->count; i++) {
		put_ip(out, route->to[i].ip, ip_len(width) - 1);
		buf_put_be64(out, route->to[i].port);
	}
}

/* The group and as many addresses as there is room for before the last `tail` bytes. */
static bool get_addresses(struct cursor *in, struct fdfs_route *route, size_t tail)
{
	size_t room, ip;

	cursor_get_field(in, route->group, FDFS_GROUP_WIDTH);
	if (!cursor_ok(in) || cursor_left(in) < tail)
		return false;
	room = cursor_left(in) - tail;
	/* 32 addresses at most, so that no length is a multiple of both */
	if (room % (15 + 8) == 0 && room / (15 + 8) <= FDFS_ROUTE_MAX)
		ip = 15;
	else if (room % (45 + 8) == 0 && room / (45 + 8) <= FDFS_ROUTE_MAX)
		ip = 45;
	else
		return false;
	route->count = room / (ip + 8);
	for (size_t i = 0; i < route->count; i++) {
		uint64_t port;

		cursor_get_field(in, route->to[i].ip, ip);
		port = cursor_get_be64(in);
		if (port > UINT16_MAX)
			return false;
		route->to[i].port = (uint16_t)port;
	}
	return cursor_ok(in) && route->count > 0;
}

void fdfs_put_store(struct buf *out, enum fdfs_ip_width width, const struct fdfs_route *route)
{
	put_addresses(out, width, route);
	buf_put_u8(out, route->path);
}

bool fdfs_get_store(struct span body, struct fdfs_route *route)
{
	struct cursor in = cursor_of(body);

	if (!get_addresses(&in, route, 1))
		return false;
	route->path = cursor_get_u8(&in);
	return cursor_end(&in);
}

void fdfs_put_fetch(struct buf *out, enum fdfs_ip_width width, const struct fdfs_route *route)
{
	put_addresses(out, width, route);
}

bool fdfs_get_fetch(struct span body, struct fdfs_route *route)
{
	struct cursor in = cursor_of(body);

	route->path = FDFS_ANY_PATH;
	return get_addresses(&in, route, 0) && cursor_end(&in);
}

/* ---- GROUP records ---- */

enum { GROUP_LEN = 113, GROUP_LEN_OLD = 105 };

void fdfs_put_group_record(
	struct buf *out, enum fdfs_layout layout, const struct fdfs_group_record *record)
{
	bool old = layout == FDFS_LAYOUT_105_612;

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

enum { LAYOUTS = sizeof layouts / sizeof layouts[0], DOMAIN_WIDTH = 128 };

void fdfs_put_storage_record(struct buf *out, enum fdfs_layout layout, enum fdfs_ip_width width,
	const struct fdfs_storage_record *record)
{
	const struct layout *shape =
		&layouts[(layout == FDFS_LAYOUT_105_612 ? 2 : 0) + (width == FDFS_IP_46 ? 1 : 0)];
	char version[9];

	snprintf(version, sizeof version, "%.*s", shape->version, record->version);
	buf_put_u8(out, record->state);
	if (shape->modern)
		buf_put_u8(out, record->mode);
	buf_put_field(out, record->id, FDFS_ID_WIDTH);
	put_ip(out, record->ip, shape->ip);
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
	buf_put_be32(out, record->connections_allocated);
	buf_put_be32(out, record->connections);
	buf_put_be32(out, record->connections_max);
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
			  (beat->readable ? BEAT_READABLE : 0)));
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
