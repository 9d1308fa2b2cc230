#include "http/fcgi.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_LEN = 8,
	BEGIN_LEN = 8,
	CONTENT_MAX = 0xfff8, /* of our records: even to 8 bytes, so that none needs padding */
	TAIL_LEN = 3 * HEADER_LEN,
	OUT_MAX = 1 << 20,

	BEGIN_REQUEST = 1,
	ABORT_REQUEST = 2,
	END_REQUEST = 3,
	PARAMS = 4,
	STDIN = 5,
	STDOUT = 6,
	GET_VALUES = 9,
	GET_VALUES_RESULT = 10,
	UNKNOWN_TYPE = 11,

	RESPONDER = 1,
	KEEP_CONN = 1,

	REQUEST_COMPLETE = 0,
	CANT_MPX_CONN = 1,
	UNKNOWN_ROLE = 3,
};

static void store_header(uint8_t to[HEADER_LEN], uint8_t type, uint16_t id, size_t len)
{
	to[0] = 1;
	to[1] = type;
	store_be16(to + 2, id);
	store_be16(to + 4, (uint16_t)len);
	to[6] = 0;
	to[7] = 0;
}

static void put_header(struct buf *out, uint8_t type, uint16_t id, size_t len)
{
	uint8_t header[HEADER_LEN];

	store_header(header, type, id, len);
	buf_put(out, header, sizeof header);
}

static void put_end(struct buf *out, uint16_t id, uint8_t status)
{
	const uint8_t content[8] = { [4] = status };

	put_header(out, END_REQUEST, id, sizeof content);
	buf_put(out, content, sizeof content);
}

void fcgi_reader_init(struct fcgi_reader *reader, size_t max_body, int max_conns)
{
	*reader = (struct fcgi_reader){ .max_conns = max_conns };
	buf_init(&reader->out, OUT_MAX);
	buf_init(&reader->params, FCGI_PARAMS_MAX);
	buf_init(&reader->body, max_body);
	buf_init(&reader->management, UINT16_MAX);
}

void fcgi_reader_fini(struct fcgi_reader *reader)
{
	buf_fini(&reader->out);
	buf_fini(&reader->params);
	buf_fini(&reader->body);
	buf_fini(&reader->management);
}

void fcgi_reader_next(struct fcgi_reader *reader)
{
	reader->phase = FCGI_IDLE;
	reader->id = 0;
	reader->keep_conn = false;
	buf_clear(&reader->params);
	buf_clear(&reader->body);
}

void fcgi_reader_reset(struct fcgi_reader *reader)
{
	fcgi_reader_next(reader);
	buf_clear(&reader->out);
	buf_clear(&reader->management);
	reader->err = (struct err){ 0 };
	reader->header_have = 0;
	reader->content_left = 0;
	reader->padding_left = 0;
}

bool fcgi_reader_idle(const struct fcgi_reader *reader)
{
	return reader->phase == FCGI_IDLE && reader->header_have == 0 && reader->padding_left == 0;
}

static enum fcgi_event broken(struct fcgi_reader *reader, const char *why)
{
	err_set(&reader->err, ERR_BAD_REQUEST, "not FastCGI: %s", why);
	return FCGI_BROKEN;
}

/* A length of one byte, or of four. */
static size_t get_length(struct cursor *cursor)
{
	uint32_t first = cursor_get_u8(cursor), rest;

	if (first < 0x80)
		return first;
	rest = (first & 0x7f) << 24;
	rest |= (uint32_t)cursor_get_u8(cursor) << 16;
	rest |= cursor_get_be16(cursor);
	return rest;
}

static bool get_pair(struct cursor *cursor, struct span *name, struct span *value)
{
	size_t name_len = get_length(cursor), value_len = get_length(cursor);

	*name = cursor_get_span(cursor, name_len);
	*value = cursor_get_span(cursor, value_len);
	return cursor_ok(cursor);
}

/* What a web server asks before it sends more at a time than we take. */
static void answer_values(struct fcgi_reader *reader)
{
	struct cursor cursor = cursor_of(buf_span(&reader->management));
	struct span name, value;
	struct buf result;

	buf_init(&result, 1024);
	while (cursor_left(&cursor) > 0 && get_pair(&cursor, &name, &value)) {
		char number[16];
		int len;

		if (span_is(name, "FCGI_MAX_CONNS") || span_is(name, "FCGI_MAX_REQS"))
			len = snprintf(number, sizeof number, "%d", reader->max_conns);
		else if (span_is(name, "FCGI_MPXS_CONNS"))
			len = snprintf(number, sizeof number, "0");
		else
			continue; /* unknown ones are left out, says the protocol */
		if (result.len + 2 + name.len + (size_t)len > result.limit)
			break; /* the same names over and over */
		buf_put_u8(&result, (uint8_t)name.len);
		buf_put_u8(&result, (uint8_t)len);
		buf_put_span(&result, name);
		buf_put(&result, number, (size_t)len);
	}
	put_header(&reader->out, GET_VALUES_RESULT, 0, result.len);
	buf_put_span(&reader->out, buf_span(&result));
	buf_fini(&result);
}

static enum fcgi_event begin(struct fcgi_reader *reader)
{
	const uint8_t *content = reader->management.data;
	bool keep;

	if (reader->record_id == 0)
		return broken(reader, "a request with id 0");
	if (reader->phase != FCGI_IDLE && reader->record_id == reader->id)
		return broken(reader, "a request begins twice");
	if (reader->phase != FCGI_IDLE) {
		put_end(&reader->out, reader->record_id, CANT_MPX_CONN);
		return FCGI_MORE;
	}
	keep = (content[2] & KEEP_CONN) != 0;
	if (load_be16(content) != RESPONDER) {
		put_end(&reader->out, reader->record_id, UNKNOWN_ROLE);
		return keep ? FCGI_MORE : FCGI_CLOSE;
	}
	reader->phase = FCGI_IN_PARAMS;
	reader->id = reader->record_id;
	reader->keep_conn = keep;
	return FCGI_MORE;
}

static enum fcgi_event abort_request(struct fcgi_reader *reader)
{
	bool keep = reader->keep_conn;

	put_end(&reader->out, reader->id, REQUEST_COMPLETE);
	fcgi_reader_next(reader);
	return keep ? FCGI_MORE : FCGI_CLOSE;
}

/* Is the record one of the request that is being read?  Those of others are passed over:
 * they were refused, or aborted, or answered already. */
static bool is_current(const struct fcgi_reader *reader)
{
	return reader->phase != FCGI_IDLE && reader->record_id == reader->id;
}

/* Where the content of the record is collected; NULL if it is passed over. */
static struct buf *content_buf(struct fcgi_reader *reader)
{
	if (reader->type == BEGIN_REQUEST || (reader->type == GET_VALUES && reader->record_id == 0))
		return &reader->management;
	if (!is_current(reader))
		return NULL;
	return reader->type == PARAMS  ? &reader->params
	       : reader->type == STDIN ? &reader->body
				       : NULL;
}

/* The 8 bytes are here: what follows? */
static enum fcgi_event start_record(struct fcgi_reader *reader)
{
	const uint8_t *header = reader->header;

	if (header[0] != 1)
		return broken(reader, "its version is not 1");
	reader->type = header[1];
	reader->record_id = load_be16(header + 2);
	reader->content_left = load_be16(header + 4);
	reader->padding_left = header[6];
	buf_clear(&reader->management);
	if (reader->type == BEGIN_REQUEST && reader->content_left != BEGIN_LEN)
		return broken(reader, "a BEGIN_REQUEST of another length");
	if (!is_current(reader))
		return FCGI_MORE;
	if (reader->type == PARAMS && reader->phase != FCGI_IN_PARAMS)
		return broken(reader, "PARAMS behind the last");
	if (reader->type == STDIN && reader->phase != FCGI_IN_STDIN)
		return broken(reader, "STDIN in front of the last PARAMS");
	return FCGI_MORE;
}

/* The content is here, the padding need not be. */
static enum fcgi_event end_record(struct fcgi_reader *reader)
{
	bool empty = load_be16(reader->header + 4) == 0;

	if (reader->type == BEGIN_REQUEST)
		return begin(reader);
	if (reader->record_id == 0) {
		if (reader->type == GET_VALUES) {
			answer_values(reader);
		} else {
			const uint8_t content[8] = { reader->type };

			put_header(&reader->out, UNKNOWN_TYPE, 0, sizeof content);
			buf_put(&reader->out, content, sizeof content);
		}
		return FCGI_MORE;
	}
	if (!is_current(reader))
		return FCGI_MORE;
	if (reader->type == ABORT_REQUEST)
		return abort_request(reader);
	if (reader->type == PARAMS && empty)
		reader->phase = FCGI_IN_STDIN;
	if (reader->type == STDIN && empty) {
		reader->phase = FCGI_COMPLETE;
		return FCGI_REQUEST;
	}
	return FCGI_MORE;
}

/* Take some of the bytes: of a header, of content or of padding. */
static size_t step(struct fcgi_reader *reader, struct span bytes, enum fcgi_event *event)
{
	struct buf *to;
	size_t take;

	if (reader->header_have == HEADER_LEN) {
		take = bytes.len < reader->content_left ? bytes.len : reader->content_left;
		to = content_buf(reader);
		if (to != NULL)
			buf_put(to, bytes.data, take); /* remembers if it was too much */
		reader->content_left -= take;
	} else if (reader->padding_left > 0) {
		take = bytes.len < reader->padding_left ? bytes.len : reader->padding_left;
		reader->padding_left -= take;
		return take;
	} else {
		take = HEADER_LEN - reader->header_have;
		if (take > bytes.len)
			take = bytes.len;
		memcpy(reader->header + reader->header_have, bytes.data, take);
		reader->header_have += take;
		if (reader->header_have < HEADER_LEN)
			return take;
		*event = start_record(reader);
	}
	if (*event == FCGI_MORE && reader->content_left == 0) {
		reader->header_have = 0;
		*event = end_record(reader);
	}
	return take;
}

size_t fcgi_read(struct fcgi_reader *reader, struct span bytes, enum fcgi_event *event)
{
	size_t at = 0;

	*event = FCGI_MORE;
	assert(reader->phase != FCGI_COMPLETE);
	while (at < bytes.len && *event == FCGI_MORE) {
		at += step(reader, span_of(bytes.data + at, bytes.len - at), event);
		if (!buf_ok(&reader->out))
			*event = broken(reader, "it asks without listening");
	}
	return at;
}

static enum http_method method_of(struct span name)
{
	return span_is(name, "GET")    ? HTTP_GET
	       : span_is(name, "HEAD") ? HTTP_HEAD
	       : span_is(name, "POST") ? HTTP_POST
				       : HTTP_OTHER;
}

/* True if `text` is empty or says `len`. */
static bool length_matches(struct span text, size_t len)
{
	uint64_t value = 0;

	if (text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	}
	return text.len == 0 || value == len;
}

int fcgi_request(const struct fcgi_reader *reader, struct http_request *request, struct err *err)
{
	struct span method = { 0 }, length = { 0 }, name, value;
	struct http_request out = { 0 };
	const struct {
		const char *name;
		struct span *to;
	} wanted[] = {
		{ "REQUEST_METHOD", &method },
		{ "REQUEST_URI", &out.target },
		{ "CONTENT_TYPE", &out.content_type },
		{ "CONTENT_LENGTH", &length },
		{ "HTTP_IF_NONE_MATCH", &out.if_none_match },
		{ "HTTP_IF_MODIFIED_SINCE", &out.if_modified_since },
		{ "HTTP_IF_RANGE", &out.if_range },
		{ "HTTP_RANGE", &out.range },
		{ "REMOTE_ADDR", &out.remote_addr },
		{ "HTTP_X_FORWARDED_FOR", &out.forwarded_for },
	};
	struct cursor cursor;

	assert(reader->phase == FCGI_COMPLETE);
	if (!buf_ok(&reader->params))
		return err_set(err, ERR_BAD_REQUEST, "the request's headers are over %d bytes",
			FCGI_PARAMS_MAX);
	cursor = cursor_of(buf_span(&reader->params));
	while (cursor_left(&cursor) > 0) {
		if (!get_pair(&cursor, &name, &value))
			return err_set(err, ERR_BAD_REQUEST, "the request's headers are malformed");
		/* The last one counts: "X.Forwarded.For" of a client gets the same name as the
		 * header that the cache in front adds behind it. */
		for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
			if (span_is(name, wanted[i].name))
				*wanted[i].to = value;
	}
	if (method.len == 0 || out.target.len == 0)
		return err_set(err, ERR_BAD_REQUEST, "the request has no method or no target");
	if (!buf_ok(&reader->body))
		return err_set(err, ERR_TOO_LARGE, "the request's body is over %zu bytes",
			reader->body.limit);
	if (!length_matches(length, reader->body.len))
		return err_set(
			err, ERR_BAD_REQUEST, "the request's body is not as long as announced");
	out.method = method_of(method);
	out.body = buf_span(&reader->body);
	*request = out;
	return 0;
}

void fcgi_answer_init(struct fcgi_answer *answer)
{
	*answer = (struct fcgi_answer){ 0 };
	buf_init(&answer->frames, SIZE_MAX / 2);
}

void fcgi_answer_fini(struct fcgi_answer *answer)
{
	buf_fini(&answer->frames);
	free(answer->pieces);
	*answer = (struct fcgi_answer){ 0 };
}

static void add_piece(struct fcgi_answer *answer, const void *data, size_t len)
{
	assert(answer->count < answer->cap);
	if (len > 0)
		answer->pieces[answer->count++] = (struct iovec){
			.iov_base = (void *)(uintptr_t)data, .iov_len = len
		};
}

void fcgi_answer_fill(
	struct fcgi_answer *answer, uint16_t id, struct span header, struct span body, bool last)
{
	size_t left = header.len + body.len;
	size_t records = (left + CONTENT_MAX - 1) / CONTENT_MAX;
	size_t need = 2 * records + 2; /* a frame and a part each; the header's part; the tail */
	uint8_t *frame;

	buf_clear(&answer->frames);
	frame = buf_reserve(&answer->frames, records * HEADER_LEN + TAIL_LEN);
	if (answer->cap < need) {
		free(answer->pieces);
		answer->pieces = calloc(need, sizeof *answer->pieces);
		answer->cap = need;
	}
	if (frame == NULL || answer->pieces == NULL)
		abort();
	answer->count = 0;
	while (left > 0) {
		size_t room = left < CONTENT_MAX ? left : CONTENT_MAX, part;

		store_header(frame, STDOUT, id, room);
		add_piece(answer, frame, HEADER_LEN);
		frame += HEADER_LEN;
		left -= room;
		part = header.len < room ? header.len : room;
		add_piece(answer, header.data, part);
		header = span_of(header.data + part, header.len - part);
		room -= part;
		add_piece(answer, body.data, room);
		body = span_of(body.data + room, body.len - room);
	}
	if (!last)
		return;
	store_header(frame, STDOUT, id, 0);
	store_header(frame + HEADER_LEN, END_REQUEST, id, 8);
	memset(frame + 2 * HEADER_LEN, 0, 8); /* REQUEST_COMPLETE */
	add_piece(answer, frame, TAIL_LEN);
}

/* The web server decodes percent signs in the path and takes commas and spaces apart. */
static void put_path(const char *path, struct buf *out)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

	for (; *path != '\0'; path++) {
		if (strchr(plain, *path) != NULL)
			buf_put_u8(out, (uint8_t)*path);
		else
			buf_printf(out, "%%%02X", (unsigned)(uint8_t)*path);
	}
}

void fcgi_header(const struct http_response *response, bool head, bool sendfile, struct buf *out)
{
	bool file = response->file_path[0] != '\0';
	uint64_t len = file ? response->file_len : response->body.len;

	buf_printf(out, "Status: %d %s\r\n", response->status, http_reason(response->status));
	buf_put_span(out, buf_span(&response->header));
	if (file && sendfile && !head && len > 0) {
		buf_put_str(out, "X-Sendfile2: ");
		put_path(response->file_path, out);
		buf_printf(out, " %" PRIu64 "-%" PRIu64 "\r\n", response->file_offset,
			response->file_offset + len - 1);
	} else if (response->status != 204 && response->status != 304) {
		buf_printf(out, "Content-Length: %" PRIu64 "\r\n", len);
	}
	buf_put_str(out, "\r\n");
}
