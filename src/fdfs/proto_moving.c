#include "fdfs/proto_moving.h"

#include <string.h>

enum { VERSION = 1, FLAG_KEEP = 1, MOVE_ACTION_MAX = 3, MOVE_STATE_MAX = 4 };

static void put_name(struct buf *out, struct span name)
{
	buf_put_u8(out, (uint8_t)name.len);
	buf_put_span(out, name);
}

static bool get_name(struct cursor *in, struct span *name)
{
	uint8_t len = cursor_get_u8(in);

	*name = cursor_get_span(in, len);
	return cursor_ok(in) && len >= 1 && len <= FILE_ID_NAME_MAX;
}

static bool get_name_or_none(struct cursor *in, struct span *name)
{
	uint8_t len = cursor_get_u8(in);

	*name = cursor_get_span(in, len);
	return cursor_ok(in) && len <= FILE_ID_NAME_MAX;
}

void fdfs_put_adopt_head(struct buf *out, const struct fdfs_adopt_request *request)
{
	buf_put_u8(out, VERSION);
	buf_put_u8(out, request->keep ? FLAG_KEEP : 0);
	buf_put_u8(out, request->path);
	buf_put_field(out, request->ext, FDFS_EXT_WIDTH);
	buf_put_u8(out, (uint8_t)request->names.count);
	for (size_t i = 0; i < request->names.count; i++)
		put_name(out, request->names.names[i]);
	buf_put_be64(out, request->size);
}

bool fdfs_get_adopt_request(struct span body, struct fdfs_adopt_request *request)
{
	struct cursor in = cursor_of(body);
	uint8_t flags;

	if (cursor_get_u8(&in) != VERSION)
		return false;
	flags = cursor_get_u8(&in);
	request->keep = (flags & FLAG_KEEP) != 0;
	request->path = cursor_get_u8(&in);
	cursor_get_field(&in, request->ext, FDFS_EXT_WIDTH);
	request->names.count = cursor_get_u8(&in);
	if (!cursor_ok(&in) || (flags & ~FLAG_KEEP) != 0 || request->names.count < 1 ||
		request->names.count > FDFS_NAMES_MAX)
		return false;
	for (size_t i = 0; i < request->names.count; i++)
		if (!get_name(&in, &request->names.names[i]))
			return false;
	request->size = cursor_get_be64(&in);
	if (!cursor_ok(&in) || request->size != cursor_left(&in))
		return false;
	request->content = cursor_get_span(&in, cursor_left(&in));
	return cursor_end(&in);
}

void fdfs_put_restore_head(struct buf *out, const struct fdfs_restore_request *request)
{
	buf_put_u8(out, VERSION);
	buf_put_u8(out, (uint8_t)request->what);
	buf_put_be64(out, (uint64_t)request->changed);
	put_name(out, request->name);
	put_name(out, request->master);
	put_name(out, request->first);
	buf_put_be64(out, request->size);
}

bool fdfs_get_restore_request(struct span body, struct fdfs_restore_request *request)
{
	struct cursor in = cursor_of(body);
	uint8_t what;

	if (cursor_get_u8(&in) != VERSION)
		return false;
	what = cursor_get_u8(&in);
	request->what = (enum fdfs_restored)what;
	request->changed = (int64_t)cursor_get_be64(&in);
	if (what > FDFS_RESTORED_FINISHED || request->changed < 0 ||
		!get_name(&in, &request->name) || !get_name_or_none(&in, &request->master) ||
		!get_name_or_none(&in, &request->first))
		return false;
	request->size = cursor_get_be64(&in);
	if (!cursor_ok(&in) || request->size != cursor_left(&in))
		return false;
	request->content = cursor_get_span(&in, cursor_left(&in));
	return cursor_end(&in);
}

void fdfs_put_names(struct buf *out, const struct fdfs_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		put_name(out, names->names[i]);
}

bool fdfs_get_names(struct span body, struct fdfs_names *names)
{
	struct cursor in = cursor_of(body);

	names->count = 0;
	while (cursor_left(&in) > 0)
		if (names->count > FDFS_NAMES_MAX || !get_name(&in, &names->names[names->count++]))
			return false;
	return names->count > 0 && cursor_end(&in);
}

void fdfs_put_move_order(struct buf *out, const struct fdfs_move_order *order)
{
	buf_put_u8(out, VERSION);
	buf_put_u8(out, order->action);
	buf_put_be64(out, order->before);
	buf_put_be64(out, order->rate);
}

static bool order_ok(const struct fdfs_move_order *order)
{
	return order->action <= MOVE_ACTION_MAX && order->before <= INT64_MAX &&
	       order->rate <= INT64_MAX;
}

bool fdfs_get_move_order(struct span body, struct fdfs_move_order *order)
{
	struct cursor in = cursor_of(body);

	if (cursor_get_u8(&in) != VERSION)
		return false;
	order->action = cursor_get_u8(&in);
	order->before = cursor_get_be64(&in);
	order->rate = cursor_get_be64(&in);
	return cursor_end(&in) && order_ok(order);
}

void fdfs_put_move_report(struct buf *out, const struct fdfs_move_report *report)
{
	buf_put_u8(out, VERSION);
	buf_put_u8(out, report->order.action);
	buf_put_u8(out, report->state);
	buf_put_be64(out, report->order.before);
	buf_put_be64(out, report->order.rate);
	buf_put_be64(out, report->volumes);
	buf_put_be64(out, report->volumes_done);
	buf_put_be64(out, report->looked);
	buf_put_be64(out, report->moved);
	buf_put_be64(out, report->bytes);
	buf_put_be64(out, report->young);
	buf_put_be64(out, report->failed);
	buf_put_str(out, report->trouble);
}

/* The sentence is shown on a terminal: no control characters. */
static bool get_trouble(struct cursor *in, char trouble[256])
{
	struct span text = cursor_get_span(in, cursor_left(in));

	if (!cursor_ok(in) || text.len > 255)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] == 0x7f)
			return false;
	memset(trouble, 0, 256);
	if (text.len > 0)
		memcpy(trouble, text.data, text.len);
	return cursor_end(in);
}

bool fdfs_get_move_report(struct span body, struct fdfs_move_report *report)
{
	struct cursor in = cursor_of(body);

	if (cursor_get_u8(&in) != VERSION)
		return false;
	report->order.action = cursor_get_u8(&in);
	report->state = cursor_get_u8(&in);
	report->order.before = cursor_get_be64(&in);
	report->order.rate = cursor_get_be64(&in);
	report->volumes = cursor_get_be64(&in);
	report->volumes_done = cursor_get_be64(&in);
	report->looked = cursor_get_be64(&in);
	report->moved = cursor_get_be64(&in);
	report->bytes = cursor_get_be64(&in);
	report->young = cursor_get_be64(&in);
	report->failed = cursor_get_be64(&in);
	return cursor_ok(&in) && order_ok(&report->order) && report->state <= MOVE_STATE_MAX &&
	       get_trouble(&in, report->trouble);
}
