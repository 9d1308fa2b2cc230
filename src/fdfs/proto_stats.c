#include "fdfs/proto_stats.h"

#include <stdio.h>
#include <string.h>

void fdfs_endpoint(const struct fdfs_address *address, char out[FDFS_ENDPOINT_WIDTH + 1])
{
	const char *format = strchr(address->ip, ':') != NULL ? "[%.44s]:%u" : "%.46s:%u";

	snprintf(out, FDFS_ENDPOINT_WIDTH + 1, format, address->ip, (unsigned)address->port);
}

void fdfs_put_run_state(struct buf *out, bool leader, int64_t running_s)
{
	buf_put_u8(out, leader);
	buf_put_be64(out, (uint64_t)running_s);
	buf_put_be64(out, 0);
}

void fdfs_put_tracker_stat(struct buf *out, const struct fdfs_tracker_stat *stat)
{
	buf_put_field(out, stat->endpoint, FDFS_ENDPOINT_WIDTH);
	buf_put_u8(out, stat->leader);
	buf_put_u8(out, stat->active);
	buf_put_be32(out, stat->connections_allocated);
	buf_put_be32(out, stat->connections);
	buf_put_be32(out, stat->connections_max);
	buf_put_field(out, stat->version, sizeof stat->version - 1);
	buf_put_be64(out, (uint64_t)stat->started);
	buf_put_be64(out, (uint64_t)stat->last_beat);
}

void fdfs_put_storage_stats_head(struct buf *out, bool uses_ids, uint32_t count)
{
	buf_put_u8(out, uses_ids);
	buf_put_u8(out, 0);
	buf_put_be32(out, count);
}

static void put_endpoint(struct buf *out, const struct fdfs_storage_record *record)
{
	struct fdfs_address address = { .port = (uint16_t)record->port };
	char endpoint[FDFS_ENDPOINT_WIDTH + 1];

	memcpy(address.ip, record->ip, sizeof address.ip);
	fdfs_endpoint(&address, endpoint);
	buf_put_field(out, endpoint, FDFS_ENDPOINT_WIDTH);
}

void fdfs_put_storage_stat(struct buf *out, const struct fdfs_storage_record *record)
{
	buf_put_field(out, record->id, FDFS_ID_WIDTH);
	put_endpoint(out, record);
	buf_put_u8(out, record->trunk_server);
	buf_put_u8(out, record->state);
	buf_put_be32(out, record->connections_allocated);
	buf_put_be32(out, record->connections);
	buf_put_be32(out, record->connections_max);
	buf_put_field(out, record->version, sizeof record->version - 1);
	buf_put_be64(out, (uint64_t)record->started);
	buf_put_be64(out, record->counters[FDFS_LAST_BEAT]);
}

void fdfs_put_volume_stats_head(struct buf *out, uint32_t count)
{
	buf_put_u8(out, 0);
	buf_put_be32(out, count);
}

void fdfs_put_volume_stat(struct buf *out, const struct fdfs_group_record *record)
{
	uint64_t available = record->free_mib > record->reserved_mib
				     ? record->free_mib - record->reserved_mib
				     : 0;

	buf_put_field(out, record->name, FDFS_GROUP_WIDTH + 1);
	buf_put_be64(out, record->total_mib);
	buf_put_be64(out, record->free_mib);
	buf_put_be64(out, record->reserved_mib);
	buf_put_be64(out, available);
	buf_put_be64(out, record->trunk_free_mib);
	buf_put_u8(out, record->writable > 0);
	buf_put_u8(out, 0);
}

void fdfs_put_storage_status(struct buf *out, const struct fdfs_storage_record *record)
{
	buf_put_u8(out, record->state);
	buf_put_be32(out, (uint32_t)record->port);
	buf_put_field(out, record->id, FDFS_ID_WIDTH);
	buf_put_field(out, record->ip, FDFS_IP_MAX);
}

bool fdfs_get_ids_request(struct span body, struct fdfs_ids_request *request)
{
	struct cursor in = cursor_of(body);

	request->first = cursor_get_be32(&in);
	request->allow_empty = cursor_left(&in) > 0 && cursor_get_u8(&in) == 1;
	return cursor_end(&in);
}

bool fdfs_get_endpoint_request(struct span body, struct fdfs_endpoint_request *request)
{
	struct cursor in = cursor_of(body);

	cursor_get_field(&in, request->group, FDFS_GROUP_WIDTH);
	if (!cursor_ok(&in) || cursor_left(&in) == 0 || cursor_left(&in) > FDFS_ENDPOINT_WIDTH)
		return false;
	cursor_get_field(&in, request->endpoint, cursor_left(&in));
	return cursor_end(&in);
}
