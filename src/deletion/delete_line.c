#include "deletion/delete_line.h"

#include "core/crc32.h"
#include "core/file_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIME_LEN = 24, CRC_LEN = 8 };

#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static const char *const verbs[] = { "delete", "undelete" };

bool delete_line_url_ok(struct span url)
{
	struct file_id id;

	return url.len <= PACKAGE_URL_LEN && file_id_parse(url, &id);
}

/* The line without its newline; returns its length. */
static size_t format(const struct delete_line *line, char out[DELETE_LINE_MAX + 1])
{
	time_t seconds = (time_t)(line->time_ms / 1000);
	struct tm utc;
	size_t len;

	gmtime_r(&seconds, &utc);
	len = strftime(out, DELETE_LINE_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
	len += (size_t)snprintf(out + len, DELETE_LINE_MAX - len,
		".%03dZ %s %" PRIu32 " %" PRIu32 " %s ", (int)(line->time_ms % 1000),
		verbs[line->verb], line->hostid, line->user, line->url.text);
	len += (size_t)snprintf(
		out + len, DELETE_LINE_MAX - len, "%08" PRIx32, crc32_add(0, span_of(out, len)));
	return len;
}

void delete_line_put(struct buf *out, const struct delete_line *line)
{
	char text[DELETE_LINE_MAX + 1];
	size_t len = format(line, text);

	text[len++] = '\n';
	buf_put(out, text, len);
}

/* The next word; the space behind it is passed over. */
static struct span take_word(struct span *text)
{
	const uint8_t *space = text->len == 0 ? NULL : memchr(text->data, ' ', text->len);
	size_t len = space == NULL ? text->len : (size_t)(space - text->data);
	struct span word = span_of(text->data, len);
	size_t used = space == NULL ? len : len + 1;

	*text = span_of(text->data + used, text->len - used);
	return word;
}

/* Digits anywhere but at the punctuation; format() tells whether they are a time. */
static bool read_time(struct span word, int64_t *time_ms)
{
	static const char shape[] = "0000-00-00T00:00:00.000Z";
	int field[7] = { 0 }, n = 0;
	struct tm utc = { 0 };

	if (word.len != TIME_LEN)
		return false;
	for (size_t i = 0; i < TIME_LEN; i++) {
		uint8_t c = word.data[i];

		if (shape[i] != '0' ? c != (uint8_t)shape[i] : c < '0' || c > '9')
			return false;
		if (shape[i] != '0')
			n++;
		else
			field[n] = field[n] * 10 + (c - '0');
	}
	utc.tm_year = field[0] - 1900;
	utc.tm_mon = field[1] - 1;
	utc.tm_mday = field[2];
	utc.tm_hour = field[3];
	utc.tm_min = field[4];
	utc.tm_sec = field[5];
	*time_ms = (int64_t)timegm(&utc) * 1000 + field[6];
	return *time_ms >= 0 && *time_ms <= LAST_MS;
}

static bool read_u32(struct span word, uint32_t *value)
{
	uint64_t sum = 0;

	if (word.len == 0 || word.len > 10)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(word.data[i] - '0');
	}
	*value = (uint32_t)sum;
	return sum <= UINT32_MAX;
}

static bool read_verb(struct span word, enum delete_verb *verb)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (span_is(word, verbs[i])) {
			*verb = (enum delete_verb)i;
			return true;
		}
	}
	return false;
}

bool delete_line_parse(struct span text, struct delete_line *line)
{
	char again[DELETE_LINE_MAX + 1];
	struct delete_line out = { 0 };
	struct span rest = text, url;

	if (text.len >= DELETE_LINE_MAX)
		return false;
	if (!read_time(take_word(&rest), &out.time_ms) || !read_verb(take_word(&rest), &out.verb) ||
		!read_u32(take_word(&rest), &out.hostid) || !read_u32(take_word(&rest), &out.user))
		return false;
	url = take_word(&rest);
	if (rest.len != CRC_LEN || !delete_line_url_ok(url))
		return false;
	memcpy(out.url.text, url.data, url.len);
	/* One spelling: leading zeros, the 31st of June and a wrong CRC end here. */
	if (!span_equal(span_of(again, format(&out, again)), text))
		return false;
	*line = out;
	return true;
}
