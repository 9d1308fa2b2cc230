#include "core/buf.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span span_of(const void *data, size_t len)
{
	return (struct span){ data, len };
}

struct span span_str(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool span_equal_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	return true;
}

bool span_is(struct span a, const char *text)
{
	return span_equal(a, span_str(text));
}

void buf_init(struct buf *buf, size_t limit)
{
	*buf = (struct buf){ .limit = limit };
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

void buf_trim(struct buf *buf, size_t keep)
{
	if (buf->cap > keep) {
		free(buf->data);
		buf->data = NULL;
		buf->cap = 0;
	}
	buf_clear(buf);
}

uint8_t *buf_reserve(struct buf *buf, size_t more)
{
	size_t need, cap;
	uint8_t *data;

	if (buf->failed || more > buf->limit - buf->len) {
		buf->failed = true;
		return NULL;
	}
	need = buf->len + more;
	if (need <= buf->cap && buf->data != NULL)
		return buf->data + buf->len;
	cap = buf->cap < 256 ? 256 : buf->cap;
	while (cap < need)
		cap += cap / 2;
	if (cap > buf->limit)
		cap = buf->limit > 0 ? buf->limit : 1;
	data = realloc(buf->data, cap);
	if (data == NULL) {
		buf->failed = true;
		return NULL;
	}
	buf->data = data;
	buf->cap = cap;
	return data + buf->len;
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
	uint8_t *to = buf_reserve(buf, len);

	if (to == NULL || len == 0)
		return;
	memcpy(to, data, len);
	buf->len += len;
}

void buf_put_span(struct buf *buf, struct span span)
{
	buf_put(buf, span.data, span.len);
}

void buf_put_str(struct buf *buf, const char *text)
{
	buf_put(buf, text, strlen(text));
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
	buf_put(buf, &value, 1);
}

#define PUT(suffix, type, convert) \
	void buf_put_##suffix(struct buf *buf, type value) \
	{ \
		value = convert(value); \
		buf_put(buf, &value, sizeof value); \
	} \
	type load_##suffix(const uint8_t *p) \
	{ \
		type value; \
\
		memcpy(&value, p, sizeof value); \
		return convert(value); \
	} \
	void store_##suffix(uint8_t *p, type value) \
	{ \
		value = convert(value); \
		memcpy(p, &value, sizeof value); \
	} \
	type cursor_get_##suffix(struct cursor *cursor) \
	{ \
		struct span bytes = cursor_get_span(cursor, sizeof(type)); \
\
		return bytes.len == 0 ? 0 : load_##suffix(bytes.data); \
	}

/* Each conversion is its own inverse. */
PUT(le16, uint16_t, htole16)
PUT(le32, uint32_t, htole32)
PUT(le64, uint64_t, htole64)
PUT(be16, uint16_t, htobe16)
PUT(be32, uint32_t, htobe32)
PUT(be64, uint64_t, htobe64)

void buf_put_field(struct buf *buf, const char *text, size_t width)
{
	size_t len = strlen(text);
	uint8_t *to;

	if (len > width) {
		buf->failed = true;
		return;
	}
	to = buf_reserve(buf, width);
	if (to == NULL)
		return;
	memcpy(to, text, len);
	memset(to + len, 0, width - len);
	buf->len += width;
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	uint8_t *to;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		buf->failed = true;
		return;
	}
	to = buf_reserve(buf, (size_t)len + 1); /* vsnprintf writes a NUL too */
	if (to == NULL)
		return;
	vsnprintf((char *)to, (size_t)len + 1, format, args);
	buf->len += (size_t)len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

bool buf_ok(const struct buf *buf)
{
	return !buf->failed;
}

struct span buf_span(const struct buf *buf)
{
	return (struct span){ buf->data, buf->len };
}

struct cursor cursor_of(struct span span)
{
	static const uint8_t nothing[1];

	if (span.data == NULL) /* no arithmetic on NULL */
		span = (struct span){ nothing, 0 };
	return (struct cursor){ .at = span.data, .end = span.data + span.len };
}

struct span cursor_get_span(struct cursor *cursor, size_t len)
{
	struct span out = { cursor->at, len };

	if (cursor->bad || len > cursor_left(cursor)) {
		cursor->bad = true;
		return (struct span){ cursor->at, 0 };
	}
	cursor->at += len;
	return out;
}

uint8_t cursor_get_u8(struct cursor *cursor)
{
	struct span bytes = cursor_get_span(cursor, 1);

	return bytes.len == 0 ? 0 : bytes.data[0];
}

void cursor_get_field(struct cursor *cursor, char *out, size_t width)
{
	struct span bytes = cursor_get_span(cursor, width);
	size_t len = bytes.len == 0 ? 0 : strnlen((const char *)bytes.data, width);

	if (len > 0)
		memcpy(out, bytes.data, len);
	out[len] = '\0';
}

size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

bool cursor_ok(const struct cursor *cursor)
{
	return !cursor->bad;
}

bool cursor_end(const struct cursor *cursor)
{
	return !cursor->bad && cursor->at == cursor->end;
}
