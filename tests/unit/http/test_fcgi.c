#include "http/fcgi.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, GET_VALUES = 9 };

static void put_record(
	struct buf *to, uint8_t type, uint16_t id, struct span content, uint8_t padding)
{
	buf_put_u8(to, 1);
	buf_put_u8(to, type);
	buf_put_be16(to, id);
	buf_put_be16(to, (uint16_t)content.len);
	buf_put_u8(to, padding);
	buf_put_u8(to, 0);
	buf_put_span(to, content);
	for (uint8_t i = 0; i < padding; i++)
		buf_put_u8(to, 0xff);
}

static void put_begin(struct buf *to, uint16_t id, uint8_t role, uint8_t flags)
{
	const uint8_t content[8] = { 0, role, flags };

	put_record(to, BEGIN, id, span_of(content, 8), 0);
}

static void put_pair(struct buf *to, const char *name, const char *value)
{
	buf_put_u8(to, (uint8_t)strlen(name));
	if (strlen(value) < 128)
		buf_put_u8(to, (uint8_t)strlen(value));
	else
		buf_put_be32(to, 0x80000000U | (uint32_t)strlen(value));
	buf_put_str(to, name);
	buf_put_str(to, value);
}

static struct buf new_buf(void)
{
	struct buf buf;

	buf_init(&buf, 1 << 22);
	return buf;
}

/* A whole request, its params in two records, its records padded. */
static struct buf whole_request(const char *method, const char *target, struct span body)
{
	struct buf out = new_buf(), params = new_buf();
	char len[24];

	snprintf(len, sizeof len, "%zu", body.len);
	put_pair(&params, "REQUEST_METHOD", method);
	put_pair(&params, "REQUEST_URI", target);
	put_pair(&params, "CONTENT_LENGTH", len);
	put_pair(&params, "REMOTE_ADDR", "10.0.0.1");
	put_begin(&out, 1, 1, 0);
	put_record(&out, PARAMS, 1, span_of(params.data, 7), 1);
	put_record(&out, PARAMS, 1, span_of(params.data + 7, params.len - 7), 5);
	put_record(&out, PARAMS, 1, (struct span){ 0 }, 0);
	while (body.len > 0) {
		size_t part = body.len < 50000 ? body.len : 50000;

		put_record(&out, STDIN, 1, span_of(body.data, part), 0);
		body = span_of(body.data + part, body.len - part);
	}
	put_record(&out, STDIN, 1, (struct span){ 0 }, 0);
	buf_fini(&params);
	return out;
}

static enum fcgi_event read_all(struct fcgi_reader *reader, const struct buf *bytes)
{
	enum fcgi_event event;
	size_t taken = fcgi_read(reader, buf_span(bytes), &event);

	if (event == FCGI_MORE || event == FCGI_REQUEST)
		assert_int_equal(taken, bytes->len);
	return event;
}

TEST(reads_a_request)
{
	struct buf bytes = whole_request("POST", "/upload.cgi?a=%20", SPAN("hello"));
	struct http_request request;
	struct fcgi_reader reader;
	struct err err;

	fcgi_reader_init(&reader, 100, 4);
	assert_int_equal(read_all(&reader, &bytes), FCGI_REQUEST);
	assert_int_equal(fcgi_request(&reader, &request, &err), 0);
	assert_int_equal(request.method, HTTP_POST);
	assert_true(span_is(request.target, "/upload.cgi?a=%20"));
	assert_true(span_is(request.body, "hello"));
	assert_true(span_is(request.remote_addr, "10.0.0.1"));
	assert_int_equal(request.range.len, 0);
	assert_int_equal(reader.id, 1);
	assert_false(reader.keep_conn);
	fcgi_reader_fini(&reader);
	buf_fini(&bytes);
}

TEST(of_headers_with_the_same_name_the_last_counts)
{
	struct buf bytes = new_buf(), params = new_buf();
	struct http_request request;
	struct fcgi_reader reader;
	struct err err;

	put_pair(&params, "REQUEST_METHOD", "GET");
	put_pair(&params, "REQUEST_URI", "/");
	put_pair(&params, "HTTP_X_FORWARDED_FOR", "6.6.6.6"); /* a client's X_Forwarded_For */
	put_pair(&params, "HTTP_X_FORWARDED_FOR", "10.0.0.1");
	put_begin(&bytes, 1, 1, 0);
	put_record(&bytes, PARAMS, 1, buf_span(&params), 0);
	put_record(&bytes, PARAMS, 1, (struct span){ 0 }, 0);
	put_record(&bytes, STDIN, 1, (struct span){ 0 }, 0);
	fcgi_reader_init(&reader, 100, 4);
	assert_int_equal(read_all(&reader, &bytes), FCGI_REQUEST);
	assert_int_equal(fcgi_request(&reader, &request, &err), 0);
	assert_true(span_is(request.forwarded_for, "10.0.0.1"));
	fcgi_reader_fini(&reader);
	buf_fini(&params);
	buf_fini(&bytes);
}

TEST(reads_the_same_however_the_bytes_are_split)
{
	struct buf bytes = whole_request("GET", "/a", SPAN("0123456789"));

	for (size_t split = 1; split < bytes.len; split++) {
		struct http_request request;
		struct fcgi_reader reader;
		enum fcgi_event event = FCGI_MORE;
		struct err err;

		fcgi_reader_init(&reader, 100, 4);
		for (size_t at = 0; at < bytes.len; at += split) {
			size_t len = bytes.len - at < split ? bytes.len - at : split;

			assert_int_equal(event, FCGI_MORE);
			assert_int_equal(
				fcgi_read(&reader, span_of(bytes.data + at, len), &event), len);
		}
		assert_int_equal(event, FCGI_REQUEST);
		assert_int_equal(fcgi_request(&reader, &request, &err), 0);
		assert_true(span_is(request.body, "0123456789"));
		fcgi_reader_fini(&reader);
	}
	buf_fini(&bytes);
}

TEST(several_requests_share_a_connection_one_after_another)
{
	struct buf one = whole_request("GET", "/1", (struct span){ 0 });
	struct buf both = new_buf();
	struct fcgi_reader reader;
	enum fcgi_event event;
	size_t taken;

	one.data[8 + 2] = 1; /* FCGI_KEEP_CONN */
	buf_put_span(&both, buf_span(&one));
	buf_put_span(&both, buf_span(&one));
	fcgi_reader_init(&reader, 100, 4);
	assert_true(fcgi_reader_idle(&reader));
	taken = fcgi_read(&reader, buf_span(&both), &event);
	assert_int_equal(event, FCGI_REQUEST);
	assert_int_equal(taken, one.len); /* the second waits for its turn */
	assert_true(reader.keep_conn);
	fcgi_reader_next(&reader);
	assert_true(fcgi_reader_idle(&reader));
	fcgi_read(&reader, span_of(both.data + taken, both.len - taken), &event);
	assert_int_equal(event, FCGI_REQUEST);
	fcgi_reader_fini(&reader);
	buf_fini(&one);
	buf_fini(&both);
}

static enum err_code refusal_of(const struct buf *bytes)
{
	struct http_request request;
	struct fcgi_reader reader;
	struct err err = { 0 };

	fcgi_reader_init(&reader, 100000, 4);
	assert_int_equal(read_all(&reader, bytes), FCGI_REQUEST);
	assert_int_equal(fcgi_request(&reader, &request, &err), -1);
	fcgi_reader_fini(&reader);
	return err.code;
}

TEST(a_body_over_the_limit_is_read_but_refused)
{
	static const uint8_t body[100001];
	struct buf bytes = whole_request("POST", "/", span_of(body, sizeof body));

	assert_int_equal(refusal_of(&bytes), ERR_TOO_LARGE);
	buf_fini(&bytes);
}

TEST(a_body_cut_short_is_refused)
{
	struct buf bytes = new_buf(), params = new_buf();

	put_pair(&params, "REQUEST_METHOD", "POST");
	put_pair(&params, "REQUEST_URI", "/");
	put_pair(&params, "CONTENT_LENGTH", "10");
	put_begin(&bytes, 1, 1, 0);
	put_record(&bytes, PARAMS, 1, buf_span(&params), 0);
	put_record(&bytes, PARAMS, 1, (struct span){ 0 }, 0);
	put_record(&bytes, STDIN, 1, SPAN("123456789"), 0);
	put_record(&bytes, STDIN, 1, (struct span){ 0 }, 0);
	assert_int_equal(refusal_of(&bytes), ERR_BAD_REQUEST);
	buf_fini(&bytes);
	buf_fini(&params);
}

TEST(names_and_values_that_lie_about_their_length_are_refused)
{
	static const char *const lies[] = {
		"\x05\x05"
		"abc",
		"\xff\xff\xff\xff\xff\xff\xff\xff"
		"ab",
		"\x80", "\x01", "", /* nothing at all: no method */
	};

	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		struct buf bytes = new_buf();

		put_begin(&bytes, 1, 1, 0);
		if (lies[i][0] != '\0')
			put_record(&bytes, PARAMS, 1, span_str(lies[i]), 0);
		put_record(&bytes, PARAMS, 1, (struct span){ 0 }, 0);
		put_record(&bytes, STDIN, 1, (struct span){ 0 }, 0);
		assert_int_equal(refusal_of(&bytes), ERR_BAD_REQUEST);
		buf_fini(&bytes);
	}
}

TEST(more_names_and_values_than_64_kb_are_refused)
{
	static const uint8_t much[60000];
	struct buf bytes = new_buf();

	put_begin(&bytes, 1, 1, 0);
	put_record(&bytes, PARAMS, 1, span_of(much, sizeof much), 0);
	put_record(&bytes, PARAMS, 1, span_of(much, sizeof much), 0);
	put_record(&bytes, PARAMS, 1, (struct span){ 0 }, 0);
	put_record(&bytes, STDIN, 1, (struct span){ 0 }, 0);
	assert_int_equal(refusal_of(&bytes), ERR_BAD_REQUEST);
	buf_fini(&bytes);
}

static void assert_broken(const struct buf *bytes)
{
	struct fcgi_reader reader;
	enum fcgi_event event;

	fcgi_reader_init(&reader, 100, 4);
	fcgi_read(&reader, buf_span(bytes), &event);
	assert_int_equal(event, FCGI_BROKEN);
	assert_memory_equal(reader.err.text, "not FastCGI: ", 13);
	fcgi_reader_fini(&reader);
}

TEST(what_is_no_fastcgi_ends_the_connection)
{
	struct buf bytes = new_buf();

	buf_put_str(&bytes, "GET / HTTP/1.1\r\n\r\n");
	assert_broken(&bytes);
	buf_clear(&bytes);
	put_record(&bytes, BEGIN, 1, SPAN("short"), 0);
	assert_broken(&bytes);
	buf_clear(&bytes);
	put_begin(&bytes, 0, 1, 0);
	assert_broken(&bytes);
	buf_clear(&bytes);
	put_begin(&bytes, 1, 1, 0);
	put_begin(&bytes, 1, 1, 0);
	assert_broken(&bytes);
	buf_clear(&bytes);
	put_begin(&bytes, 1, 1, 0);
	put_record(&bytes, STDIN, 1, SPAN("early"), 0);
	assert_broken(&bytes);
	buf_clear(&bytes);
	put_begin(&bytes, 1, 1, 0);
	put_record(&bytes, PARAMS, 1, (struct span){ 0 }, 0);
	put_record(&bytes, PARAMS, 1, SPAN("late"), 0);
	assert_broken(&bytes);
	buf_fini(&bytes);
}

/* Read `bytes` and return what is sent in return, as far as it is one record. */
static struct span reply_to(
	struct fcgi_reader *reader, const struct buf *bytes, enum fcgi_event want)
{
	enum fcgi_event event;

	fcgi_reader_init(reader, 100, 4);
	fcgi_read(reader, buf_span(bytes), &event);
	assert_int_equal(event, want);
	assert_true(reader->out.len >= 8);
	assert_int_equal(reader->out.len, 8 + load_be16(reader->out.data + 4));
	return buf_span(&reader->out);
}

TEST(a_second_request_at_a_time_is_refused_and_the_first_goes_on)
{
	struct buf bytes = whole_request("GET", "/", (struct span){ 0 }), mixed = new_buf();
	const size_t begin_len = 16;
	struct fcgi_reader reader;
	struct span reply;

	buf_put(&mixed, bytes.data, begin_len);
	put_begin(&mixed, 2, 1, 0);
	put_record(&mixed, PARAMS, 2, SPAN("whatever"), 0);
	put_record(&mixed, STDIN, 2, (struct span){ 0 }, 0);
	buf_put(&mixed, bytes.data + begin_len, bytes.len - begin_len);
	reply = reply_to(&reader, &mixed, FCGI_REQUEST);
	assert_int_equal(reply.data[1], END);
	assert_int_equal(load_be16(reply.data + 2), 2);
	assert_int_equal(reply.data[8 + 4], 1); /* CANT_MPX_CONN */
	assert_int_equal(reader.id, 1);
	fcgi_reader_fini(&reader);
	buf_fini(&bytes);
	buf_fini(&mixed);
}

TEST(a_role_other_than_responder_is_refused)
{
	struct fcgi_reader reader;
	struct buf bytes = new_buf();
	struct span reply;

	put_begin(&bytes, 3, 2, 0);
	reply = reply_to(&reader, &bytes, FCGI_CLOSE);
	assert_int_equal(reply.data[1], END);
	assert_int_equal(reply.data[8 + 4], 3); /* UNKNOWN_ROLE */
	fcgi_reader_fini(&reader);
	buf_fini(&bytes);
}

TEST(an_aborted_request_is_forgotten)
{
	struct buf bytes = new_buf();
	struct fcgi_reader reader;
	struct span reply;

	put_begin(&bytes, 1, 1, 1);
	put_record(&bytes, PARAMS, 1, SPAN("half"), 0);
	put_record(&bytes, ABORT, 1, (struct span){ 0 }, 0);
	put_record(&bytes, ABORT, 1, (struct span){ 0 }, 0); /* says nothing to anybody */
	reply = reply_to(&reader, &bytes, FCGI_MORE);
	assert_int_equal(reply.data[1], END);
	assert_true(fcgi_reader_idle(&reader));
	fcgi_reader_fini(&reader);
	buf_fini(&bytes);
}

TEST(answers_what_a_web_server_asks_about_us)
{
	struct buf bytes = new_buf(), names = new_buf();
	struct fcgi_reader reader;
	struct span reply;

	put_pair(&names, "FCGI_MAX_CONNS", "");
	put_pair(&names, "FCGI_WHATEVER", "");
	put_pair(&names, "FCGI_MPXS_CONNS", "");
	put_record(&bytes, GET_VALUES, 0, buf_span(&names), 3);
	reply = reply_to(&reader, &bytes, FCGI_MORE);
	assert_int_equal(reply.data[1], 10);
	assert_int_equal(reply.len, 8 + 2 + 14 + 1 + 2 + 15 + 1);
	assert_memory_equal(reply.data + 8,
		"\x0e\x01"
		"FCGI_MAX_CONNS4",
		17);
	assert_memory_equal(reply.data + 25,
		"\x0f\x01"
		"FCGI_MPXS_CONNS0",
		18);
	fcgi_reader_fini(&reader);
	buf_clear(&bytes);
	put_record(&bytes, 77, 0, SPAN("what is this"), 0);
	reply = reply_to(&reader, &bytes, FCGI_MORE);
	assert_int_equal(reply.data[1], 11);
	assert_int_equal(reply.data[8], 77);
	fcgi_reader_fini(&reader);
	buf_fini(&bytes);
	buf_fini(&names);
}

TEST(a_peer_that_only_asks_is_left)
{
	struct buf bytes = new_buf();
	struct fcgi_reader reader;
	enum fcgi_event event = FCGI_MORE;

	put_record(&bytes, 77, 0, (struct span){ 0 }, 0);
	fcgi_reader_init(&reader, 100, 4);
	for (int i = 0; i < 1000000 && event == FCGI_MORE; i++)
		fcgi_read(&reader, buf_span(&bytes), &event);
	assert_int_equal(event, FCGI_BROKEN);
	fcgi_reader_fini(&reader);
	buf_fini(&bytes);
}

/* The content of all STDOUT records of an answer. */
static struct buf stdout_of(const struct fcgi_answer *answer, uint16_t id)
{
	struct buf bytes = new_buf(), out = new_buf();
	struct cursor cursor;
	bool ended = false;

	for (size_t i = 0; i < answer->count; i++)
		buf_put(&bytes, answer->pieces[i].iov_base, answer->pieces[i].iov_len);
	cursor = cursor_of(buf_span(&bytes));
	while (!ended) {
		uint8_t type;
		uint16_t len;

		assert_int_equal(cursor_get_u8(&cursor), 1);
		type = cursor_get_u8(&cursor);
		assert_int_equal(cursor_get_be16(&cursor), id);
		len = cursor_get_be16(&cursor);
		assert_int_equal(cursor_get_be16(&cursor), 0);
		ended = type == END;
		if (type == STDOUT)
			buf_put_span(&out, cursor_get_span(&cursor, len));
		else
			assert_int_equal(cursor_get_be64(&cursor), 0);
	}
	assert_true(cursor_end(&cursor));
	buf_fini(&bytes);
	return out;
}

TEST(an_answer_of_any_size_comes_apart_into_records_and_together_again)
{
	static uint8_t body[200000];
	static const size_t sizes[] = { 0, 1, 65525, 65526, 65527, 131063, 131064, 200000 };
	struct fcgi_answer answer;

	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 7 >> 3);
	fcgi_answer_init(&answer);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct buf out;

		fcgi_answer_fill(&answer, 9, SPAN("head\r\n\r\n"), span_of(body, sizes[i]), true);
		out = stdout_of(&answer, 9);
		assert_int_equal(out.len, 8 + sizes[i]);
		assert_memory_equal(out.data, "head\r\n\r\n", 8);
		assert_memory_equal(out.data + 8, body, sizes[i]);
		buf_fini(&out);
	}
	fcgi_answer_fini(&answer);
}

static void assert_header(
	const struct http_response *response, bool head, bool sendfile, const char *want)
{
	struct buf out = new_buf();

	fcgi_header(response, head, sendfile, &out);
	buf_put_u8(&out, 0);
	assert_string_equal((char *)out.data, want);
	buf_fini(&out);
}

TEST(writes_the_header_that_the_web_server_wants)
{
	struct http_response response;

	http_response_init(&response, 100);
	response.status = 206;
	http_header(&response, "ETag", "\"%d\"", 7);
	buf_put_str(&response.body, "hello");
	assert_header(&response, false, true,
		"Status: 206 Partial Content\r\nETag: \"7\"\r\nContent-Length: 5\r\n\r\n");
	http_response_reset(&response);
	response.status = 304;
	assert_header(&response, false, true, "Status: 304 Not Modified\r\n\r\n");
	http_response_fini(&response);
}

TEST(names_a_slice_of_a_file_with_its_path_encoded)
{
	struct http_response response;

	http_response_init(&response, 100);
	response.status = 200;
	strcpy(response.file_path, "/data/my disk/50%,v.dat");
	response.file_offset = 512;
	response.file_len = 1000;
	assert_header(&response, false, true,
		"Status: 200 OK\r\nX-Sendfile2: /data/my%20disk/50%25%2Cv.dat 512-1511\r\n\r\n");
	assert_header(&response, false, false, "Status: 200 OK\r\nContent-Length: 1000\r\n\r\n");
	assert_header(&response, true, true, "Status: 200 OK\r\nContent-Length: 1000\r\n\r\n");
	response.file_len = 0; /* no range says nothing */
	assert_header(&response, false, true, "Status: 200 OK\r\nContent-Length: 0\r\n\r\n");
	http_response_fini(&response);
}
