#include "fdfs/proto_inside.h"

#include <assert.h>
#include <string.h>

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

struct span fdfs_cut_name(struct span name)
{
	const uint8_t *end = name.len == 0 ? NULL : memchr(name.data, '\0', name.len);

	return end == NULL ? name : span_of(name.data, (size_t)(end - name.data));
}

static bool get_name(struct cursor *in, uint64_t len, struct span *name)
{
	if (!cursor_ok(in) || len > cursor_left(in))
		return false;
	*name = fdfs_cut_name(cursor_get_span(in, (size_t)len));
	return name->len >= 1 && name->len <= FILE_ID_NAME_MAX;
}

static bool get_file(struct cursor *in, struct fdfs_file_request *request)
{
	cursor_get_field(in, request->group, FDFS_GROUP_WIDTH);
	return get_name(in, cursor_left(in), &request->name) && cursor_end(in);
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

void fdfs_put_slave_head(struct buf *out, const struct fdfs_slave_request *request)
{
	buf_put_be64(out, request->master.len);
	buf_put_be64(out, request->size);
	buf_put_field(out, request->prefix, FDFS_PREFIX_WIDTH);
	buf_put_field(out, request->ext, FDFS_EXT_WIDTH);
	buf_put_span(out, request->master);
}

bool fdfs_get_slave_request(struct span body, struct fdfs_slave_request *request)
{
	struct cursor in = cursor_of(body);
	uint64_t name_len = cursor_get_be64(&in);

	request->size = cursor_get_be64(&in);
	cursor_get_field(&in, request->prefix, FDFS_PREFIX_WIDTH);
	cursor_get_field(&in, request->ext, FDFS_EXT_WIDTH);
	if (!get_name(&in, name_len, &request->master) || request->size != cursor_left(&in))
		return false;
	request->content = cursor_get_span(&in, cursor_left(&in));
	return cursor_end(&in);
}

void fdfs_put_change_head(struct buf *out, uint8_t cmd, const struct fdfs_change_request *request)
{
	if (cmd != FDFS_REGENERATE) {
		buf_put_be64(out, request->name.len);
		if (cmd == FDFS_MODIFY)
			buf_put_be64(out, (uint64_t)request->offset);
		buf_put_be64(out, (uint64_t)request->size);
	}
	buf_put_span(out, request->name);
}

bool fdfs_get_change_request(uint8_t cmd, struct span body, struct fdfs_change_request *request)
{
	struct cursor in = cursor_of(body);
	uint64_t name_len = body.len;
	bool has_content = cmd == FDFS_APPEND || cmd == FDFS_MODIFY;

	*request = (struct fdfs_change_request){ 0 };
	if (cmd != FDFS_REGENERATE) {
		name_len = cursor_get_be64(&in);
		if (cmd == FDFS_MODIFY)
			request->offset = (int64_t)cursor_get_be64(&in);
		request->size = (int64_t)cursor_get_be64(&in);
	}
	if (!get_name(&in, name_len, &request->name))
		return false;
	request->content = cursor_get_span(&in, cursor_left(&in));
	if (!cursor_end(&in) || request->size < 0)
		return false;
	return has_content ? (uint64_t)request->size == request->content.len
			   : request->content.len == 0;
}

void fdfs_put_metadata_head(struct buf *out, const struct fdfs_metadata_request *request)
{
	buf_put_be64(out, request->file.name.len);
	buf_put_be64(out, request->text.len);
	buf_put_u8(out, request->flag);
	fdfs_put_file_request(out, &request->file);
}

bool fdfs_get_metadata_request(struct span body, struct fdfs_metadata_request *request)
{
	struct cursor in = cursor_of(body);
	uint64_t name_len = cursor_get_be64(&in), text_len = cursor_get_be64(&in);

	request->flag = cursor_get_u8(&in);
	cursor_get_field(&in, request->file.group, FDFS_GROUP_WIDTH);
	if (!get_name(&in, name_len, &request->file.name) || text_len != cursor_left(&in))
		return false;
	request->text = cursor_get_span(&in, cursor_left(&in));
	return cursor_end(&in);
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

size_t proto_ip_len(enum fdfs_ip_width width)
{
	return width == FDFS_IP_46 ? 46 : 16;
}

void proto_put_ip(struct buf *out, const char *ip, size_t len)
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
	proto_put_ip(out, reply->source, proto_ip_len(width));
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
		proto_put_ip(out, route->to[i].ip, proto_ip_len(width) - 1);
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
