#include "wire/package.h"

#include <assert.h>
#include <string.h>

enum {
	CUT_LEN = 92,
	ITEM_LEN = 4 + PACKAGE_URL_LEN,
	SESSION_REPLY_LEN = 8,
};

#define INTEGER(bits)                                                                              \
	void package_put_u##bits(struct buf *out, enum byte_order order, uint##bits##_t value)     \
	{                                                                                          \
		if (order == ORDER_BIG)                                                            \
			buf_put_be##bits(out, value);                                              \
		else                                                                               \
			buf_put_le##bits(out, value);                                              \
	}                                                                                          \
	uint##bits##_t package_get_u##bits(struct cursor *cursor, enum byte_order order)           \
	{                                                                                          \
		return order == ORDER_BIG ? cursor_get_be##bits(cursor)                            \
					  : cursor_get_le##bits(cursor);                           \
	}

INTEGER(16)
INTEGER(32)
INTEGER(64)

static void put_header(struct buf *out, const struct package *package, enum byte_order order)
{
	package_put_u32(out, order, package->len);
	package_put_u16(out, order, package->cmd);
	package_put_u32(out, order, package->id);
	package_put_u32(out, order, package->seq);
	package_put_u32(out, order, package->ret);
}

bool package_header_decode(
	const uint8_t in[PACKAGE_HEADER_LEN], enum byte_order order, struct package *package)
{
	struct cursor cursor = cursor_of(span_of(in, PACKAGE_HEADER_LEN));

	package->len = package_get_u32(&cursor, order);
	package->cmd = package_get_u16(&cursor, order);
	package->id = package_get_u32(&cursor, order);
	package->seq = package_get_u32(&cursor, order);
	package->ret = package_get_u32(&cursor, order);
	return package->len >= PACKAGE_HEADER_LEN;
}

void package_header_encode(
	const struct package *package, enum byte_order order, uint8_t out[PACKAGE_HEADER_LEN])
{
	struct buf buf = { .data = out, .cap = PACKAGE_HEADER_LEN, .limit = PACKAGE_HEADER_LEN };

	put_header(&buf, package, order);
	assert(buf_ok(&buf) && buf.data == out);
}

size_t package_begin(struct buf *out, const struct package *package, enum byte_order order)
{
	size_t at = out->len;

	put_header(out, package, order);
	return at;
}

void package_end(struct buf *out, size_t at, enum byte_order order)
{
	if (!buf_ok(out))
		return;
	if (order == ORDER_BIG)
		store_be32(out->data + at, (uint32_t)(out->len - at));
	else
		store_le32(out->data + at, (uint32_t)(out->len - at));
}

static void get_item(struct cursor *cursor, enum byte_order order, struct package_item *item)
{
	item->hostid = package_get_u32(cursor, order);
	cursor_get_field(cursor, item->url.text, PACKAGE_URL_LEN);
}

bool package_cut_decode(struct span body, enum byte_order order, struct package_cut *cut)
{
	struct cursor cursor = cursor_of(body);
	struct package_item item;

	if (body.len != CUT_LEN)
		return false;
	get_item(&cursor, order, &item);
	cut->hostid = item.hostid;
	cut->url = item.url;
	cut->clip_w = package_get_u32(&cursor, order);
	cut->clip_h = package_get_u32(&cursor, order);
	cut->start_x = (int32_t)package_get_u32(&cursor, order);
	cut->start_y = (int32_t)package_get_u32(&cursor, order);
	cut->thumb_w = package_get_u32(&cursor, order);
	cut->thumb_h = package_get_u32(&cursor, order);
	return cursor_end(&cursor);
}

void package_cut_encode(struct buf *out, enum byte_order order, const struct package_cut *cut)
{
	package_put_u32(out, order, cut->hostid);
	buf_put_field(out, cut->url.text, PACKAGE_URL_LEN);
	package_put_u32(out, order, cut->clip_w);
	package_put_u32(out, order, cut->clip_h);
	package_put_u32(out, order, (uint32_t)cut->start_x);
	package_put_u32(out, order, (uint32_t)cut->start_y);
	package_put_u32(out, order, cut->thumb_w);
	package_put_u32(out, order, cut->thumb_h);
}

bool package_item_decode(struct span body, enum byte_order order, struct package_item *item)
{
	struct cursor cursor = cursor_of(body);

	if (body.len != ITEM_LEN)
		return false;
	get_item(&cursor, order, item);
	return cursor_end(&cursor);
}

void package_item_encode(struct buf *out, enum byte_order order, const struct package_item *item)
{
	package_put_u32(out, order, item->hostid);
	buf_put_field(out, item->url.text, PACKAGE_URL_LEN);
}

bool package_delete_decode(struct span body, enum byte_order order, uint32_t *count)
{
	struct cursor cursor = cursor_of(body);
	uint32_t n = package_get_u32(&cursor, order);

	if (!cursor_ok(&cursor) || n > PACKAGE_DELETE_MAX ||
		cursor_left(&cursor) != (size_t)n * ITEM_LEN)
		return false;
	*count = n;
	return true;
}

void package_delete_at(
	struct span body, enum byte_order order, uint32_t index, struct package_item *item)
{
	size_t at = 4 + (size_t)index * ITEM_LEN;

	assert(at + ITEM_LEN <= body.len);
	package_item_decode(span_of(body.data + at, ITEM_LEN), order, item);
}

bool package_session_decode(
	struct span body, enum byte_order order, struct package_session *session)
{
	struct cursor cursor = cursor_of(body);
	size_t len;

	session->what = package_get_u16(&cursor, order);
	len = package_get_u16(&cursor, order);
	session->key = cursor_get_span(&cursor, len);
	return cursor_end(&cursor) && len <= PACKAGE_KEY_MAX && session->what <= SESSION_LOOK;
}

void package_session_encode(
	struct buf *out, enum byte_order order, const struct package_session *session)
{
	assert(session->key.len <= PACKAGE_KEY_MAX);
	package_put_u16(out, order, session->what);
	package_put_u16(out, order, (uint16_t)session->key.len);
	buf_put_span(out, session->key);
}

bool package_session_reply_decode(
	struct span body, enum byte_order order, uint32_t *used, uint32_t *left)
{
	struct cursor cursor = cursor_of(body);

	*used = package_get_u32(&cursor, order);
	*left = package_get_u32(&cursor, order);
	return body.len == SESSION_REPLY_LEN;
}

void package_session_reply_encode(
	struct buf *out, enum byte_order order, uint32_t used, uint32_t left)
{
	package_put_u32(out, order, used);
	package_put_u32(out, order, left);
}
