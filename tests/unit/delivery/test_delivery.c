#include "core/crc32.h"
#include "delivery/delivery.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define ID       "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define ETAG     "\"CgEBxVxREbmAUETXAAEqVyZGQRY\""
#define DATE     "Wed, 30 Jan 2019 02:53:45 GMT"
#define APPENDER "g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log"
#define SLAVE    "g01/M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_150x150.png"
#define PIXELS                                                                                     \
	"\xff\xd8\xff\xe0"                                                                         \
	"0123456789"

/* A source that has one content for every id, or one failure. */
struct stub {
	enum delivery_holds holds;
	enum err_code code;
	struct span content;
	bool as_place, waits;
	int reads;
};

static enum delivery_holds stub_holds(void *context, const struct file_id *id)
{
	(void)id;
	return ((struct stub *)context)->holds;
}

static int stub_read(void *context, const struct file_id *id, unsigned flags,
	uint64_t place_from, struct delivery_picture *picture, struct err *err)
{
	struct stub *stub = context;

	(void)id;
	stub->reads++;
	if (stub->waits && (flags & ENGINE_NO_WAIT))
		return err_set(err, ERR_WOULD_BLOCK, "the disk is slow");
	if (stub->code != ERR_NONE)
		return err_set(err, stub->code, "host 10.0.0.1 says so");
	if (place_from > 0 && stub->as_place) {
		strcpy(picture->place.path, "/v/0000");
		picture->place.offset = 1024;
		picture->place.len = stub->content.len;
		memcpy(picture->place.start, stub->content.data, 8);
		picture->place.start_len = 8;
	} else {
		buf_put_span(picture->content, stub->content);
	}
	return 0;
}

static struct http_response response;
static struct err error;

/* The answer of one or two stubs to a request. */
static int answer2(struct stub *a, struct stub *b, const struct http_request *request)
{
	struct delivery_source sources[] = { { stub_holds, stub_read, a },
		{ stub_holds, stub_read, b } };
	struct delivery delivery = { sources, b == NULL ? 1 : 2, 1 };

	http_response_fini(&response);
	http_response_init(&response, 4096);
	return delivery_answer(&delivery, request, 0, &response, &error);
}

static struct stub cat(void)
{
	return (struct stub){ .holds = DELIVERY_SURELY, .content = SPAN(PIXELS) };
}

static int answer(const struct http_request *request)
{
	struct stub stub = cat();

	return answer2(&stub, NULL, request);
}

static struct http_request get(const char *target)
{
	return (struct http_request){ .method = HTTP_GET, .target = span_str(target) };
}

static bool has(const char *line)
{
	struct span header = buf_span(&response.header);

	return memmem(header.data, header.len, line, strlen(line)) != NULL;
}

static void body_is(const char *text)
{
	if (!span_is(buf_span(&response.body), text))
		fail_msg("body is '%.*s'", (int)response.body.len, response.body.data);
}

TEST(sends_a_picture_with_all_that_caches_need)
{
	struct http_request request = get("/" ID);

	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
	body_is(PIXELS);
	assert_true(has("ETag: " ETAG "\r\n"));
	assert_true(has("Last-Modified: " DATE "\r\n"));
	assert_true(has("Cache-Control: public, max-age=31536000, immutable\r\n"));
	assert_true(has("xkey: " ID "\r\n"));
	assert_true(has("Content-Type: image/jpeg\r\n"));
	assert_true(has("X-Content-Type-Options: nosniff\r\n"));
	assert_true(has("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
			"sandbox\r\n"));
	assert_false(has("Content-Disposition"));
}

TEST(answers_head_like_get)
{
	struct http_request request = get("/download.fcgi/" ID);

	request.method = HTTP_HEAD;
	request.range = span_str("bytes=0-1"); /* has no meaning for HEAD */
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
	body_is(PIXELS);
}

TEST(names_the_file_on_request)
{
	struct http_request request = get("/" ID "?name=a%20b.jpg");

	assert_int_equal(answer(&request), 0);
	assert_true(has("Content-Disposition: attachment; filename*=UTF-8''a%20b.jpg\r\n"));
	request = get("/" ID "?name=a%0d%0ab.jpg");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
	assert_false(has("Content-Disposition"));
}

TEST(does_not_trust_what_is_no_picture)
{
	struct stub stub = { .holds = DELIVERY_SURELY,
		.content = SPAN("<script>alert(1)</script>") };
	struct http_request request = get("/" ID);

	assert_int_equal(answer2(&stub, NULL, &request), 0);
	assert_true(has("Content-Type: application/octet-stream\r\n"));
}

TEST(sends_nothing_to_who_has_it)
{
	struct http_request request = get("/" ID);

	request.if_none_match = span_str("\"x\", W/" ETAG);
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 304);
	body_is("");
	assert_true(has("ETag: " ETAG "\r\n"));
	assert_true(has("Cache-Control: public"));
	assert_true(has("xkey: " ID "\r\n"));
	assert_false(has("Content-Type"));

	request.if_none_match = span_str("*");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 304);

	request = get("/" ID);
	request.if_modified_since = span_str(DATE);
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 304);
	request.if_modified_since = span_str("Wed, 30 Jan 2019 02:53:44 GMT");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
}

TEST(asks_the_tag_before_the_date)
{
	struct http_request request = get("/" ID);

	request.if_none_match = span_str("\"other\"");
	request.if_modified_since = span_str(DATE);
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
}

TEST(sends_a_part)
{
	struct http_request request = get("/" ID);

	request.range = span_str("bytes=4-7");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 206);
	body_is("0123");
	assert_true(has("Content-Range: bytes 4-7/14\r\n"));
	assert_true(has("Content-Type: image/jpeg\r\n"));
	request.range = span_str("bytes=-2");
	assert_int_equal(answer(&request), 0);
	body_is("89");
}

TEST(sends_everything_for_several_ranges)
{
	struct http_request request = get("/" ID);

	request.range = span_str("bytes=0-1,4-5");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
	body_is(PIXELS);
	assert_true(
		has("Accept-Ranges: none\r\n")); /* in front of a server with ideas of its own */
}

TEST(says_how_long_it_is_to_who_asks_outside)
{
	struct http_request request = get("/" ID);

	request.range = span_str("bytes=14-");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 416);
	assert_true(has("Content-Range: bytes */14\r\n"));
	assert_true(has("Cache-Control: no-store\r\n"));
	assert_true(has("Content-Type: application/json\r\n"));
}

TEST(sends_a_part_only_of_the_same_bytes)
{
	static const struct {
		const char *if_range;
		int status;
	} cases[] = {
		{ ETAG, 206 },
		{ DATE, 206 },
		{ "W/" ETAG, 200 },
		{ "\"other\"", 200 },
		{ "Wed, 30 Jan 2019 02:53:46 GMT", 200 },
		{ "nonsense", 200 },
	};
	struct http_request request = get("/" ID);

	request.range = span_str("bytes=0-3");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		request.if_range = span_str(cases[i].if_range);
		assert_int_equal(answer(&request), 0);
		assert_int_equal(response.status, cases[i].status);
	}
}

TEST(lets_the_web_server_send_a_slice)
{
	struct stub stub = cat();
	struct http_request request = get("/" ID);

	stub.as_place = true;
	assert_int_equal(answer2(&stub, NULL, &request), 0);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.file_path, "/v/0000");
	assert_int_equal(response.file_offset, 1024);
	assert_int_equal(response.file_len, 14);
	assert_int_equal(response.body.len, 0);
	assert_true(has("Content-Type: image/jpeg\r\n"));

	request.range = span_str("bytes=4-5");
	assert_int_equal(answer2(&stub, NULL, &request), 0);
	assert_int_equal(response.status, 206);
	assert_int_equal(response.file_offset, 1028);
	assert_int_equal(response.file_len, 2);

	request.range = span_str("bytes=99-");
	assert_int_equal(answer2(&stub, NULL, &request), 0);
	assert_int_equal(response.status, 416);
	assert_string_equal(response.file_path, "");
	assert_int_equal(response.file_len, 0);

	request = get("/" ID);
	request.if_none_match = span_str(ETAG);
	assert_int_equal(answer2(&stub, NULL, &request), 0);
	assert_int_equal(response.status, 304);
	assert_string_equal(response.file_path, "");
	assert_int_equal(response.file_len, 0);
}

TEST(lets_nobody_keep_what_grows_without_asking)
{
	struct http_request request = get("/" APPENDER);

	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
	assert_true(has("Cache-Control: no-cache\r\n"));
	assert_false(has("Last-Modified"));
}

TEST(lets_what_may_be_made_anew_be_kept_for_a_minute)
{
	struct http_request request = get("/" SLAVE);
	char etag[64];

	snprintf(etag, sizeof etag, "\"%08x-e\"", crc32_add(0, SPAN(PIXELS)));
	request.if_modified_since = span_str("Sat, 01 Jan 2050 00:00:00 GMT");
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 200);
	assert_true(has("Cache-Control: public, max-age=60\r\n"));
	assert_true(has(etag)); /* of the bytes, not of the name */
	assert_false(has("Last-Modified"));
	request.if_none_match = span_str(etag);
	assert_int_equal(answer(&request), 0);
	assert_int_equal(response.status, 304);
}

TEST(tells_what_is_no_id_without_asking_the_store)
{
	struct stub stub = cat();
	struct http_request request = get("/download.fcgi/../etc/passwd");

	assert_int_equal(answer2(&stub, NULL, &request), -1);
	assert_int_equal(response.status, 400);
	assert_int_equal(stub.reads, 0);
	body_is("{\"result\":\"fail\",\"error\":\"bad_id\","
		"\"message\":\"that is not the id of a picture\"}\n");
	assert_true(has("Content-Type: application/json\r\n"));
}

TEST(answers_no_other_method)
{
	struct stub stub = cat();
	struct http_request request = get("/" ID);

	request.method = HTTP_POST;
	assert_int_equal(answer2(&stub, NULL, &request), -1);
	assert_int_equal(response.status, 405);
	assert_true(has("Allow: GET, HEAD\r\n"));
	assert_int_equal(stub.reads, 0);
}

TEST(has_a_status_for_each_failure)
{
	static const struct {
		enum err_code code;
		int status;
	} cases[] = {
		{ ERR_NOT_FOUND, 404 },
		{ ERR_GONE, 410 },
		{ ERR_CORRUPT, 502 },
		{ ERR_UNREACHABLE, 503 },
		{ ERR_TIMEOUT, 503 },
		{ ERR_BUSY, 503 },
		{ ERR_IO, 500 },
		{ ERR_BAD_REQUEST, 404 }, /* the store's opinion of an id */
		{ ERR_TOO_LARGE, 500 },
		{ ERR_NOT_ALLOWED, 500 },
	};
	struct http_request request = get("/" ID);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct stub stub = { .holds = DELIVERY_SURELY, .code = cases[i].code };

		assert_int_equal(answer2(&stub, NULL, &request), -1);
		assert_int_equal(response.status, cases[i].status);
		assert_true(has("Cache-Control: no-store\r\n"));
		assert_int_equal(has("Retry-After: 5\r\n"), cases[i].status == 503);
		assert_int_equal(has("xkey: " ID "\r\n"), cases[i].status == 410);
		/* Where the store is, is for the log alone. */
		assert_null(memmem(response.body.data, response.body.len, "10.0.0.1", 8));
		assert_non_null(strstr(error.text, "10.0.0.1"));
	}
}

TEST(asks_the_next_source_unless_the_first_one_knows)
{
	static const struct {
		enum delivery_holds holds;
		enum err_code code;
		int status;
		int second_reads;
	} cases[] = {
		{ DELIVERY_NEVER, ERR_GONE, 200, 1 },
		{ DELIVERY_PERHAPS, ERR_NOT_FOUND, 200, 1 },
		{ DELIVERY_PERHAPS, ERR_UNREACHABLE, 200, 1 },
		{ DELIVERY_SURELY, ERR_UNREACHABLE, 200, 1 },
		{ DELIVERY_SURELY, ERR_IO, 200, 1 },
		{ DELIVERY_SURELY, ERR_NOT_FOUND, 404, 0 },
		{ DELIVERY_PERHAPS, ERR_GONE, 410, 0 },
		{ DELIVERY_PERHAPS, ERR_CORRUPT, 502, 0 },
	};
	struct http_request request = get("/" ID);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct stub first = { .holds = cases[i].holds, .code = cases[i].code };
		struct stub second = cat();

		answer2(&first, &second, &request);
		assert_int_equal(response.status, cases[i].status);
		assert_int_equal(second.reads, cases[i].second_reads);
	}
}

TEST(finds_nothing_where_no_source_has_the_group)
{
	struct stub stub = { .holds = DELIVERY_NEVER };
	struct http_request request = get("/" ID);

	assert_int_equal(answer2(&stub, NULL, &request), -1);
	assert_int_equal(response.status, 404);
}

TEST(is_no_answer_where_it_would_have_to_wait)
{
	struct stub first = { .holds = DELIVERY_PERHAPS, .code = ERR_NOT_FOUND };
	struct stub second = cat();
	struct delivery_source sources[] = { { stub_holds, stub_read, &first },
		{ stub_holds, stub_read, &second } };
	struct delivery delivery = { sources, 2, 1 };
	struct http_request request = get("/" ID);

	second.waits = true;
	http_response_fini(&response);
	http_response_init(&response, 4096);
	assert_int_equal(
		delivery_answer(&delivery, &request, ENGINE_NO_WAIT, &response, &error), -1);
	assert_int_equal(error.code, ERR_WOULD_BLOCK);
	assert_int_equal(response.status, 0);
	assert_int_equal(response.header.len + response.body.len, 0);
	assert_int_equal(delivery_answer(&delivery, &request, 0, &response, &error), 0);
	body_is(PIXELS);
}
