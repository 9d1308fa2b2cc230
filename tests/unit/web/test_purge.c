#include "fake_server.h"
#include "unit.h"
#include "web/purge.h"

#include <stdio.h>
#include <string.h>

#define ANSWER(text)                                                                               \
	{                                                                                          \
		.data = text, .len = sizeof(text) - 1                                              \
	}

#define PURGED      ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
#define GONE        ANSWER("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
#define STILL_THERE ANSWER("HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx")
#define REFUSED     ANSWER("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
#define DOWN        ANSWER("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

static size_t whole(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - bytes) + 4;
}

static struct file_id sample(void)
{
	struct file_id id;

	assert_true(file_id_parse(SPAN("g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"), &id));
	return id;
}

/* Purge at a server with these answers. */
static enum err_code purge(const struct fake_answer *answers, size_t count,
	struct purge_outcome *outcome, int *requests)
{
	struct fake_server *server = fake_server_start(whole, answers, count);
	struct web *web = web_new();
	struct file_id id = sample();
	struct err err = { .code = ERR_NONE };

	if (purge_cache(web, fake_server_address(server), &id, 5000, outcome, &err) == 0)
		err.code = ERR_NONE;
	*requests = fake_server_requests(server);
	web_free(web);
	fake_server_stop(server);
	return err.code;
}

TEST(a_cache_is_told_and_then_asked)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct purge_outcome outcome;
	int requests;

	assert_int_equal(purge(answers, 2, &outcome, &requests), ERR_NONE);
	assert_int_equal(requests, 2);
	assert_int_equal(outcome.purges, 1);
	assert_int_equal(outcome.status, 410);
	assert_true(outcome.confirmed > 0);
}

TEST(a_copy_that_came_in_between_is_purged_again)
{
	static const struct fake_answer answers[] = { PURGED, STILL_THERE, PURGED, GONE };
	struct purge_outcome outcome;
	int requests;

	assert_int_equal(purge(answers, 4, &outcome, &requests), ERR_NONE);
	assert_int_equal(outcome.purges, 2);
	assert_int_equal(requests, 4);
}

TEST(only_404_and_410_confirm)
{
	static const struct fake_answer refused[] = { REFUSED };
	static const struct fake_answer down[] = { PURGED, DOWN };
	struct purge_outcome outcome;
	int requests;

	assert_int_equal(purge(refused, 1, &outcome, &requests), ERR_NOT_ALLOWED);
	assert_int_equal(outcome.purges, 0);
	assert_int_equal(purge(down, 2, &outcome, &requests), ERR_UNKNOWN);
	assert_int_equal(outcome.confirmed, 0);
}

TEST(a_cache_that_is_down_is_not_confirmed)
{
	struct purge_outcome outcome;
	struct file_id id = sample();
	struct web *web = web_new();
	char address[32];
	struct err err;

	snprintf(address, sizeof address, "127.0.0.1:%u", fake_server_dead_port());
	assert_int_equal(purge_cache(web, address, &id, 1000, &outcome, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	web_free(web);
}

TEST(the_purge_names_the_picture_in_path_and_key)
{
	static const struct fake_answer answers[] = { REFUSED };
	struct fake_server *server = fake_server_start(whole, answers, 1);
	struct web *web = web_new();
	struct purge_outcome outcome;
	struct file_id id = sample();
	uint8_t request[4097];
	struct err err;
	size_t len;

	purge_cache(web, fake_server_address(server), &id, 5000, &outcome, &err);
	len = fake_server_last(server, request);
	request[len] = '\0';
	assert_non_null(strstr((char *)request,
		"PURGE /g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg HTTP/1.1\r\n"));
	assert_non_null(strstr((char *)request,
		"xkey-purge: g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg\r\n"));
	web_free(web);
	fake_server_stop(server);
}

/* ---- requests ---- */

static enum err_code ask(const struct fake_answer *answer, const struct web_request *like,
	struct web_response *response)
{
	struct fake_server *server = fake_server_start(whole, answer, 1);
	struct web *web = web_new();
	struct web_request request = *like;
	struct err err = { .code = ERR_NONE };
	char url[64];

	snprintf(url, sizeof url, "http://%s/a/../b", fake_server_address(server));
	request.url = url;
	if (web_ask(web, &request, response, &err) == 0)
		err.code = ERR_NONE;
	web_free(web);
	fake_server_stop(server);
	return err.code;
}

TEST(headers_are_found_whatever_their_case)
{
	static const struct fake_answer answer = ANSWER(
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		"eTag:  \"a b\" \r\nX-Cache: HIT\r\n\r\nok");
	const struct web_request get = { .method = "GET" };
	struct web_response response;

	web_response_init(&response);
	assert_int_equal(ask(&answer, &get, &response), ERR_NONE);
	assert_int_equal(response.status, 200);
	assert_true(span_is(buf_span(&response.body), "ok"));
	assert_true(span_is(web_header(&response, "ETag"), "\"a b\""));
	assert_true(span_is(web_header(&response, "x-cache"), "HIT"));
	assert_int_equal(web_header(&response, "Cache").len, 0);
	web_response_fini(&response);
}

TEST(an_answer_is_bounded_in_size_and_time)
{
	static const struct fake_answer large = ANSWER(
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456");
	static const struct fake_answer silent = { .hang = true };
	static const struct fake_answer closed = { .close = true };
	const struct web_request small = { .method = "GET", .max_body = 5 };
	const struct web_request quick = { .method = "GET", .timeout_ms = 50 };
	struct web_response response;

	web_response_init(&response);
	assert_int_equal(ask(&large, &small, &response), ERR_TOO_LARGE);
	assert_int_equal(ask(&silent, &quick, &response), ERR_TIMEOUT);
	assert_int_equal(ask(&closed, &small, &response), ERR_UNREACHABLE);
	web_response_fini(&response);
}

TEST(only_http_is_spoken)
{
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/", "",
		"http://" };
	struct web *web = web_new();
	struct web_response response;

	web_response_init(&response);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		const struct web_request request = { .method = "GET", .url = urls[i] };
		struct err err;

		assert_int_equal(web_ask(web, &request, &response, &err), -1);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
	web_response_fini(&response);
	web_free(web);
}
