#include "delivery/target.h"

#include <string.h>

static const char program[] = "/download.fcgi/";

static struct span query_name(struct span query)
{
	static const char key[] = "name=";

	while (query.len > 0) {
		const uint8_t *end = memchr(query.data, '&', query.len);
		size_t len = end == NULL ? query.len : (size_t)(end - query.data);

		if (len >= sizeof key - 1 && memcmp(query.data, key, sizeof key - 1) == 0)
			return span_of(query.data + sizeof key - 1, len - (sizeof key - 1));
		if (end == NULL)
			break;
		query = span_of(end + 1, query.len - len - 1);
	}
	return span_of(query.data, 0);
}

bool target_parse(struct span text, struct target *target)
{
	const uint8_t *mark = text.len == 0 ? NULL : memchr(text.data, '?', text.len);
	size_t path_len = mark == NULL ? text.len : (size_t)(mark - text.data);
	size_t prefix_len = 1;

	if (path_len == 0 || text.data[0] != '/')
		return false;
	if (path_len >= sizeof program - 1 && memcmp(text.data, program, sizeof program - 1) == 0)
		prefix_len = sizeof program - 1;
	if (!file_id_parse(span_of(text.data + prefix_len, path_len - prefix_len), &target->id))
		return false;
	target->name = mark == NULL ? span_of(text.data, 0)
				    : query_name(span_of(mark + 1, text.len - path_len - 1));
	return true;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* What RFC 8187 lets stand bare, less what is rarely seen. */
static bool is_attr_char(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~!", c) != NULL);
}

/* Take one character off the front of a query's value, decoded, and write its escaped
 * form; a plus is a space, as forms send it.  Returns -1 for what may not be there. */
static int take_character(struct span *in, struct buf *escaped)
{
	uint8_t c = in->data[0];
	int high, low, value = c;
	size_t used = 1;

	if (c == '%') {
		high = in->len > 2 ? hex_value(in->data[1]) : -1;
		low = in->len > 2 ? hex_value(in->data[2]) : -1;
		if (high < 0 || low < 0)
			return -1;
		value = high << 4 | low;
		used = 3;
		buf_put(escaped, in->data, used);
	} else if (c == '+') {
		value = ' ';
		buf_put_str(escaped, "%20");
	} else if (is_attr_char(c)) {
		buf_put_u8(escaped, c);
	} else if (c != '\0' && strchr("'()*", c) != NULL) {
		buf_printf(escaped, "%%%02X", c);
	} else {
		return -1;
	}
	if (value < 0x20 || value == 0x7f || value == '/' || value == '\\' || value == '"')
		return -1;
	*in = span_of(in->data + used, in->len - used);
	return value;
}

/* Characters that turn the direction of what follows, as in "gpj.exe" shown as "exe.jpg", or
 * begin a new line where the name is shown: U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to
 * U+2069. */
static bool misleads(const uint8_t *p, size_t len)
{
	if (len == 2)
		return p[0] == 0xd8 && p[1] == 0x9c;
	if (len != 3 || p[0] != 0xe2)
		return false;
	return (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
	       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

/* Length of the well-formed UTF-8 sequence at `p`, of which `left` bytes may be read; 0
 * if there is none.  Overlong forms, surrogates and what is above U+10FFFF are none,
 * and neither are the C1 control characters. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return 0;
	if (p[0] == 0xc2 || p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

bool target_disposition(struct span name, struct buf *value)
{
	uint8_t text[TARGET_NAME_MAX];
	struct buf escaped;
	size_t len = 0;
	bool ok = name.len > 0;

	buf_init(&escaped, TARGET_NAME_MAX);
	while (ok && name.len > 0) {
		int c = take_character(&name, &escaped);

		ok = c >= 0 && buf_ok(&escaped);
		if (ok)
			text[len++] = (uint8_t)c;
	}
	for (size_t at = 0; ok && at < len;) {
		size_t step = utf8_sequence(text + at, len - at);

		ok = step > 0 && !misleads(text + at, step);
		at += step;
	}
	if (ok) {
		buf_put_str(value, "attachment; filename*=UTF-8''");
		buf_put_span(value, buf_span(&escaped));
	}
	buf_fini(&escaped);
	return ok;
}
