#include "http/multipart.h"

#include "http/header_param.h"

#include <string.h>

static bool is_boundary_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static int find_boundary(struct span content_type, struct span *boundary, struct err *err)
{
	struct span rest = content_type;
	struct header_param param;
	int got;

	while ((got = header_param_next(&rest, &param)) > 0)
		if (span_equal_nocase(param.name, SPAN("boundary")))
			break;
	if (got <= 0)
		return err_set(err, ERR_BAD_REQUEST, "the content type names no boundary");
	if (param.value.len == 0 || param.value.len > MULTIPART_BOUNDARY_MAX ||
		param.value.data[param.value.len - 1] == ' ')
		return err_set(err, ERR_BAD_REQUEST, "the boundary must have 1 to %d characters",
			MULTIPART_BOUNDARY_MAX);
	for (size_t i = 0; i < param.value.len; i++)
		if (!is_boundary_char(param.value.data[i]))
			return err_set(err, ERR_BAD_REQUEST,
				"the boundary has a character that is not allowed there");
	*boundary = param.value;
	return 0;
}

/* Is there, at `at` behind a delimiter's last character, the rest of a boundary line?
 * Sets what is left behind it, the line's own CRLF included, since it may be the
 * start of the next delimiter as well. */
static bool line_ends(struct span at, struct span *rest, bool *final)
{
	size_t i = 0;

	if (at.len >= 2 && memcmp(at.data, "--", 2) == 0) {
		*final = true;
		*rest = span_of(at.data + 2, at.len - 2);
		return true;
	}
	*final = false;
	while (i < at.len && (at.data[i] == ' ' || at.data[i] == '\t'))
		i++;
	if (at.len - i < 2 || memcmp(at.data + i, "\r\n", 2) != 0)
		return false;
	*rest = span_of(at.data + i, at.len - i);
	return true;
}

/* The next boundary line in `text`; false if there is none.  *before is what stands in
 * front of it, without the CRLF that belongs to it. */
static bool find_line(const struct multipart *multipart, struct span text, struct span *before,
	struct span *rest, bool *final)
{
	size_t from = 0;

	while (from < text.len) {
		const uint8_t *found = memmem(text.data + from, text.len - from,
			multipart->delimiter, multipart->delimiter_len);
		size_t end;

		if (found == NULL)
			return false;
		end = (size_t)(found - text.data) + multipart->delimiter_len;
		if (line_ends(span_of(text.data + end, text.len - end), rest, final)) {
			*before = span_of(text.data, (size_t)(found - text.data));
			return true;
		}
		from = end - multipart->delimiter_len + 1; /* a longer line that starts alike */
	}
	return false;
}

int multipart_open(
	struct multipart *multipart, struct span content_type, struct span body, struct err *err)
{
	struct span boundary = { 0 }, before, first;
	bool found;

	*multipart = (struct multipart){ 0 };
	if (find_boundary(content_type, &boundary, err) < 0)
		return -1;
	memcpy(multipart->delimiter, "\r\n--", 4);
	memcpy(multipart->delimiter + 4, boundary.data, boundary.len);
	multipart->delimiter_len = 4 + boundary.len;
	/* The first line has no CRLF in front, unless there is a preamble. */
	first = span_of(multipart->delimiter + 2, multipart->delimiter_len - 2);
	found = body.len >= first.len && memcmp(body.data, first.data, first.len) == 0 &&
		line_ends(span_of(body.data + first.len, body.len - first.len), &multipart->rest,
			&multipart->ended);
	if (!found && !find_line(multipart, body, &before, &multipart->rest, &multipart->ended))
		return err_set(err, ERR_BAD_REQUEST, "the form does not begin with its boundary");
	return 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Copy to `out`, which has room for `max` bytes and a NUL, the last of what is put. */
struct tail {
	char *out;
	size_t max, len;
};

static void tail_put(struct tail *tail, uint8_t c)
{
	if (c == '\0')
		return;
	if (tail->len == tail->max)
		memmove(tail->out, tail->out + 1, --tail->len);
	tail->out[tail->len++] = (char)c;
}

/* \" and %22 are quotes, %0D and %0A what browsers make of line breaks; everything else
 * stands for itself. */
static void put_unquoted(struct tail *tail, struct span text, bool quoted)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool three = c == '%' && text.len - i >= 3;

		if (quoted && c == '\\' && i + 1 < text.len && text.data[i + 1] == '"') {
			c = '"';
			i++;
		} else if (three && memcmp(text.data + i, "%22", 3) == 0) {
			c = '"';
			i += 2;
		} else if (three && (memcmp(text.data + i, "%0D", 3) == 0 ||
					    memcmp(text.data + i, "%0A", 3) == 0)) {
			c = ' ';
			i += 2;
		}
		tail_put(tail, c);
	}
	tail->out[tail->len] = '\0';
}

/* charset'language'percent-encoded; UTF-8 alone. */
static bool put_extended(struct tail *tail, struct span text)
{
	const uint8_t *first = text.len > 0 ? memchr(text.data, '\'', text.len) : NULL;
	const uint8_t *second, *end;

	if (first == NULL ||
		!span_equal_nocase(span_of(text.data, (size_t)(first - text.data)), SPAN("utf-8")))
		return false;
	end = text.data + text.len;
	second = memchr(first + 1, '\'', (size_t)(end - first - 1));
	if (second == NULL)
		return false;
	tail->len = 0;
	for (const uint8_t *p = second + 1; p < end; p++) {
		int high = *p == '%' && end - p >= 3 ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		tail_put(tail, low >= 0 ? (uint8_t)(high << 4 | low) : *p);
		if (low >= 0)
			p += 2;
	}
	tail->out[tail->len] = '\0';
	return true;
}

static int read_disposition(struct span value, struct multipart_part *part, struct err *err)
{
	struct tail filename = { .out = part->filename, .max = MULTIPART_FILENAME_MAX };
	struct span rest = value;
	struct header_param param;
	bool extended = false;
	int got;

	while ((got = header_param_next(&rest, &param)) > 0) {
		if (span_equal_nocase(param.name, SPAN("name"))) {
			struct tail name = { .out = part->name, .max = MULTIPART_NAME_MAX };

			if (param.value.len <= MULTIPART_NAME_MAX)
				put_unquoted(&name, param.value, param.quoted);
		} else if (span_equal_nocase(param.name, SPAN("filename")) && !extended) {
			filename.len = 0;
			put_unquoted(&filename, param.value, param.quoted);
			part->has_filename = true;
		} else if (span_equal_nocase(param.name, SPAN("filename*"))) {
			extended = put_extended(&filename, param.value) || extended;
			part->has_filename = part->has_filename || extended;
		}
	}
	if (got < 0)
		return err_set(err, ERR_BAD_REQUEST, "a part of the form has a malformed header");
	return 0;
}

static int read_header(struct span line, struct multipart_part *part, struct err *err)
{
	const uint8_t *colon = memchr(line.data, ':', line.len);
	struct span name, value;

	if (colon == NULL)
		return err_set(err, ERR_BAD_REQUEST, "a part of the form has a malformed header");
	name = header_trim(span_of(line.data, (size_t)(colon - line.data)));
	value = span_of(colon + 1, line.len - (size_t)(colon - line.data) - 1);
	if (span_equal_nocase(name, SPAN("content-disposition")))
		return read_disposition(value, part, err);
	if (span_equal_nocase(name, SPAN("content-transfer-encoding"))) {
		struct span word = header_word(value);

		if (!span_equal_nocase(word, SPAN("binary")) &&
			!span_equal_nocase(word, SPAN("8bit")) &&
			!span_equal_nocase(word, SPAN("7bit")))
			return err_set(err, ERR_BAD_REQUEST,
				"a part of the form has a transfer encoding, which is not "
				"supported");
	}
	return 0;
}

/* The length of the first line with the lines folded into it, without its CRLF. */
static size_t line_len(struct span text)
{
	size_t from = 0;

	for (;;) {
		const uint8_t *end = memmem(text.data + from, text.len - from, "\r\n", 2);
		size_t len = end == NULL ? text.len : (size_t)(end - text.data);

		if (len + 2 >= text.len ||
			(text.data[len + 2] != ' ' && text.data[len + 2] != '\t'))
			return len;
		from = len + 2;
	}
}

/* `text` is a part: CRLF, header lines, an empty line, the bytes. */
static int read_part(struct span text, struct multipart_part *part, struct err *err)
{
	size_t window = text.len < MULTIPART_HEADERS_MAX ? text.len : MULTIPART_HEADERS_MAX;
	const uint8_t *empty = text.data != NULL && window >= 4
				       ? memmem(text.data, window, "\r\n\r\n", 4)
				       : NULL;
	struct span headers;

	if (empty == NULL)
		return err_set(err, ERR_BAD_REQUEST,
			"the headers of a part of the form do not end within %d bytes",
			MULTIPART_HEADERS_MAX);
	part->data = span_of(empty + 4, text.len - (size_t)(empty + 4 - text.data));
	if (empty == text.data)
		return 0; /* no headers at all */
	headers = span_of(text.data + 2, (size_t)(empty - text.data) - 2);
	while (headers.len > 0) {
		size_t len = line_len(headers),
		       step = len + 2 < headers.len ? len + 2 : headers.len;

		if (read_header(span_of(headers.data, len), part, err) < 0)
			return -1;
		headers = span_of(headers.data + step, headers.len - step);
	}
	return 0;
}

int multipart_next(struct multipart *multipart, struct multipart_part *part, struct err *err)
{
	struct span text;

	if (multipart->ended)
		return 0;
	if (++multipart->parts > MULTIPART_PARTS_MAX)
		return err_set(
			err, ERR_BAD_REQUEST, "the form has over %d parts", MULTIPART_PARTS_MAX);
	if (!find_line(multipart, multipart->rest, &text, &multipart->rest, &multipart->ended))
		return err_set(err, ERR_BAD_REQUEST,
			"the form was cut off: its final boundary is missing");
	memset(part, 0, sizeof *part);
	return read_part(text, part, err) < 0 ? -1 : 1;
}
