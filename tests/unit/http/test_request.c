#include "http/request.h"
#include "unit.h"

#include <string.h>

TEST(headers_are_lines)
{
	struct http_response response;

	http_response_init(&response, 10);
	http_header(&response, "A", "%d", 1);
	http_header(&response, "B", "%s", "x, y");
	assert_true(span_is(buf_span(&response.header), "A: 1\r\nB: x, y\r\n"));
	http_response_fini(&response);
}

TEST(headers_that_do_not_fit_are_remembered_as_a_failure)
{
	struct http_response response;
	char text[HTTP_HEADER_MAX];

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	http_response_init(&response, 10);
	http_header(&response, "A", "%s", text);
	assert_false(buf_ok(&response.header));
	http_response_reset(&response);
	assert_true(buf_ok(&response.header));
	http_response_fini(&response);
}

TEST(a_response_that_is_reset_is_empty)
{
	struct http_response response;

	http_response_init(&response, 10);
	response.status = 200;
	buf_put_str(&response.body, "hello");
	strcpy(response.file_path, "/a");
	response.file_len = 7;
	http_response_reset(&response);
	assert_int_equal(response.status, 0);
	assert_int_equal(response.body.len, 0);
	assert_string_equal(response.file_path, "");
	assert_int_equal(response.file_len, 0);
	http_response_fini(&response);
}

TEST(every_status_that_we_send_has_a_reason)
{
	for (int code = 0; code < ERR_COUNT; code++)
		assert_string_not_equal(
			http_reason(err_http_status((enum err_code)code)), "Unknown");
	assert_string_equal(http_reason(999), "Unknown");
}
