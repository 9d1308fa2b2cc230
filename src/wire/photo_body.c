#include "wire/photo_body.h"

#include "core/utf8.h"

#include <string.h>

/* ---- texts ---- */

/* The length of the character at the front of `text`; 0 if it is none, or a NUL. */
static size_t character(struct span text)
{
	uint32_t point;

	return text.data[0] == 0 ? 0 : utf8_next(text, &point);
}

bool photo_text_ok(struct span text)
{
	if (text.len > PHOTO_TEXT_MAX)
		return false;
	while (text.len > 0) {
		size_t len = character(text);

		if (len == 0)
			return false;
		text.data += len;
		text.len -= len;
	}
	return true;
}

void photo_text_clean(struct span text, char out[PHOTO_TEXT_MAX + 1])
{
	size_t at = 0;

	while (text.len > 0) {
		size_t len = character(text);
		size_t step = len == 0 ? 1 : len;

		if (at + step > PHOTO_TEXT_MAX)
			break;
		if (len == 0)
			out[at] = '?';
		else
			memcpy(out + at, text.data, len);
		at += step;
		text.data += step;
		text.len -= step;
	}
	out[at] = '\0';
}

static void put_text(struct buf *out, enum byte_order order, const char *text)
{
	size_t len = strlen(text);

	package_put_u16(out, order, (uint16_t)len);
	buf_put(out, text, len);
}

static bool take_text(struct cursor *cursor, enum byte_order order, char out[PHOTO_TEXT_MAX + 1])
{
	uint16_t len = package_get_u16(cursor, order);
	struct span text = cursor_get_span(cursor, len);

	if (!cursor_ok(cursor) || !photo_text_ok(text))
		return false;
	if (text.len > 0)
		memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return true;
}

/* ---- PHOTO ---- */

void photo_encode(struct buf *out, enum byte_order order, const struct photo *photo)
{
	package_put_u64(out, order, photo->photoid);
	package_put_u32(out, order, photo->uid);
	package_put_u32(out, order, photo->albumid);
	package_put_u32(out, order, photo->channel);
	package_put_u16(out, order, photo->is_head);
	package_put_u16(out, order, (uint16_t)photo->state);
	package_put_u16(out, order, photo->type);
	package_put_u32(out, order, photo->width);
	package_put_u32(out, order, photo->height);
	package_put_u32(out, order, photo->crc);
	package_put_u64(out, order, photo->length);
	package_put_u64(out, order, photo->time);
	buf_put(out, photo->ip, sizeof photo->ip);
	put_text(out, order, photo->name);
	put_text(out, order, photo->url);
}

bool photo_take(struct cursor *cursor, enum byte_order order, struct photo *photo)
{
	struct photo read = { .photoid = package_get_u64(cursor, order) };
	uint16_t is_head, state;
	struct span ip;

	read.uid = package_get_u32(cursor, order);
	read.albumid = package_get_u32(cursor, order);
	read.channel = package_get_u32(cursor, order);
	is_head = package_get_u16(cursor, order);
	state = package_get_u16(cursor, order);
	read.type = package_get_u16(cursor, order);
	read.width = package_get_u32(cursor, order);
	read.height = package_get_u32(cursor, order);
	read.crc = package_get_u32(cursor, order);
	read.length = package_get_u64(cursor, order);
	read.time = package_get_u64(cursor, order);
	ip = cursor_get_span(cursor, sizeof read.ip);
	if (!cursor_ok(cursor) || is_head > 1 || state >= PHOTO_STATES)
		return false;
	/* Databases count with signed numbers. */
	if (read.photoid > INT64_MAX || read.length > INT64_MAX || read.time > INT64_MAX)
		return false;
	memcpy(read.ip, ip.data, sizeof read.ip);
	read.is_head = is_head == 1;
	read.state = (enum photo_state)state;
	if (!take_text(cursor, order, read.name) || !take_text(cursor, order, read.url))
		return false;
	*photo = read;
	return true;
}

bool photo_decode(struct span body, enum byte_order order, struct photo *photo)
{
	struct cursor cursor = cursor_of(body);
	struct photo read;

	if (!photo_take(&cursor, order, &read) || !cursor_end(&cursor))
		return false;
	*photo = read;
	return true;
}

/* ---- requests ---- */

/* Which fields a request has, in the order of enum field. */
enum field {
	FIELD_PHOTOID = 1 << 0,
	FIELD_UID = 1 << 1,
	FIELD_ALBUMID = 1 << 2,
	FIELD_AFTER = 1 << 3,
	FIELD_LIMIT = 1 << 4, /* and flags, states */
	FIELD_WHAT = 1 << 5,
	FIELD_TEXT = 1 << 6,
	QUERY = FIELD_UID | FIELD_ALBUMID | FIELD_AFTER | FIELD_LIMIT | FIELD_TEXT,
};

static unsigned fields_of(uint16_t cmd)
{
	switch (cmd) {
	case CMD_PHOTO_GET:
		return FIELD_PHOTOID;
	case CMD_PHOTO_GET_URL:
		return FIELD_TEXT;
	case CMD_PHOTO_RENAME:
	case CMD_PHOTO_DELETE:
		return FIELD_PHOTOID | FIELD_TEXT;
	case CMD_PHOTO_MOVE:
		return FIELD_PHOTOID | FIELD_ALBUMID;
	case CMD_PHOTO_SETTLE:
		return FIELD_PHOTOID | FIELD_WHAT | FIELD_TEXT;
	case CMD_PHOTO_LIST_ALBUM:
	case CMD_PHOTO_LIST_USER:
	case CMD_PHOTO_COUNT:
	case CMD_PHOTO_SEARCH:
	case CMD_PHOTO_ALBUMS:
	case CMD_PHOTO_LIST_ALL:
		return QUERY;
	default:
		return 0;
	}
}

void photo_request_encode(
	struct buf *out, enum byte_order order, const struct photo_request *request)
{
	unsigned fields = fields_of(request->cmd);

	if (fields & FIELD_PHOTOID)
		package_put_u64(out, order, request->photoid);
	if (fields & FIELD_UID)
		package_put_u32(out, order, request->uid);
	if (fields & FIELD_ALBUMID)
		package_put_u32(out, order, request->albumid);
	if (fields & FIELD_AFTER)
		package_put_u64(out, order, request->photoid);
	if (fields & FIELD_LIMIT) {
		package_put_u16(out, order, request->limit);
		package_put_u16(out, order, request->flags);
		package_put_u16(out, order, request->states);
	}
	if (fields & FIELD_WHAT)
		package_put_u16(out, order, request->what);
	if (fields & FIELD_TEXT)
		put_text(out, order, request->text);
}

bool photo_request_decode(
	uint16_t cmd, struct span body, enum byte_order order, struct photo_request *request)
{
	struct cursor cursor = cursor_of(body);
	struct photo_request read = { .cmd = cmd };
	unsigned fields = fields_of(cmd);

	if (fields == 0)
		return false;
	if (fields & FIELD_PHOTOID)
		read.photoid = package_get_u64(&cursor, order);
	if (fields & FIELD_UID)
		read.uid = package_get_u32(&cursor, order);
	if (fields & FIELD_ALBUMID)
		read.albumid = package_get_u32(&cursor, order);
	if (fields & FIELD_AFTER)
		read.photoid = package_get_u64(&cursor, order);
	if (fields & FIELD_LIMIT) {
		read.limit = package_get_u16(&cursor, order);
		read.flags = package_get_u16(&cursor, order);
		read.states = package_get_u16(&cursor, order);
	}
	if (fields & FIELD_WHAT)
		read.what = package_get_u16(&cursor, order);
	if ((fields & FIELD_TEXT) && !take_text(&cursor, order, read.text))
		return false;
	if (!cursor_end(&cursor) || read.photoid > INT64_MAX || read.flags > PHOTO_NEWEST_FIRST ||
		read.states >= 1u << PHOTO_STATES || read.limit > PHOTO_LIMIT_MAX ||
		read.what > PHOTO_SETTLE_LOST)
		return false;
	*request = read;
	return true;
}

/* ---- albums ---- */

void photo_album_encode(struct buf *out, enum byte_order order, const struct photo_album *album)
{
	package_put_u32(out, order, album->albumid);
	package_put_u64(out, order, album->made);
	package_put_u64(out, order, album->photos);
	put_text(out, order, album->name);
}

bool photo_album_take(struct cursor *cursor, enum byte_order order, struct photo_album *album)
{
	struct photo_album read = { .albumid = package_get_u32(cursor, order) };

	read.made = package_get_u64(cursor, order);
	read.photos = package_get_u64(cursor, order);
	if (!take_text(cursor, order, read.name))
		return false;
	*album = read;
	return true;
}
