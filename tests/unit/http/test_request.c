#include "http/request.h"
#include "unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Whether a header with that value ends the program. */
static bool is_a_bug(const char *value)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct http_response response;
		struct rlimit none = { 0 };

		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		http_response_init(&response, 0);
		http_header(&response, "X-Test", "%s", value);
		http_response_fini(&response);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(control_characters_in_a_header_are_a_bug)
{
	assert_false(is_a_bug("caf\xc3\xa9\ta b \x80\xff ~ and more than a word of it"));
	for (size_t at = 0; at < 20; at++) {
		static const char bad[] = "\n\r\x01\x1f\x7f";

		for (const char *c = bad; *c != '\0'; c++) {
			char value[] = "12345678901234567890";

			value[at] = *c;
			assert_true(is_a_bug(value));
		}
	}
}
