#include "fake_server.h"
#include "unit.h"
#include "web/web.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* What a resolver says of a host with these addresses. */
struct answer {
	struct addrinfo list[3];
	struct sockaddr_in v4[3];
	struct sockaddr_in6 v6[3];
};

static const struct addrinfo *resolved(struct answer *answer, const char *const texts[3])
{
	for (int i = 0; i < 3; i++) {
		bool is_v6 = strchr(texts[i], ':') != NULL;

		answer->v4[i] = (struct sockaddr_in){ .sin_family = AF_INET };
		answer->v6[i] = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
		inet_pton(is_v6 ? AF_INET6 : AF_INET, texts[i],
			is_v6 ? (void *)&answer->v6[i].sin6_addr : &answer->v4[i].sin_addr);
		answer->list[i] = (struct addrinfo){
			.ai_family = is_v6 ? AF_INET6 : AF_INET,
			.ai_addr = is_v6 ? (struct sockaddr *)&answer->v6[i]
					 : (struct sockaddr *)&answer->v4[i],
			.ai_addrlen = is_v6 ? sizeof answer->v6[i] : sizeof answer->v4[i],
			.ai_next = i < 2 ? &answer->list[i + 1] : NULL,
		};
	}
	return &answer->list[0];
}

TEST(another_address_of_a_host_is_the_first_that_is_not_to_be_asked)
{
	static const char *const some[] = { "10.0.0.1", "10.0.0.2", "2001:db8::7" };
	static const char *const same[] = { "10.0.0.1", "10.0.0.1", "10.0.0.1" };
	char out[WEB_ADDRESS_MAX];
	struct answer answer;

	assert_true(web_address_other(resolved(&answer, some), "10.0.0.1", out));
	assert_string_equal(out, "10.0.0.2");
	assert_true(web_address_other(resolved(&answer, some), "10.0.0.2", out));
	assert_string_equal(out, "10.0.0.1");
	answer.list[0].ai_next = &answer.list[2];
	assert_true(web_address_other(&answer.list[0], "10.0.0.1", out));
	assert_string_equal(out, "2001:db8::7");
	assert_false(web_address_other(resolved(&answer, same), "10.0.0.1", out));
	assert_false(web_address_other(NULL, "10.0.0.1", out));
}

TEST(what_is_no_host_has_none)
{
	char out[WEB_ADDRESS_MAX];

	assert_false(web_address_other_of("", "10.0.0.1", out));
	assert_false(web_address_other_of("http://", "10.0.0.1", out));
	assert_false(web_address_other_of("http://127.0.0.1:80/a", "127.0.0.1", out));
	assert_true(web_address_other_of("http://127.0.0.1:80/a", "127.0.0.2", out));
	assert_string_equal(out, "127.0.0.1");
}

static size_t whole(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - bytes) + 4;
}

TEST(a_request_goes_to_another_address_and_to_the_same_one_if_there_is_none)
{
	static const struct fake_answer ok = {
		.data = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .len = 38
	};
	static const char *const avoided[] = { "127.0.0.1", "127.0.0.2" };
	const struct fake_answer answers[] = { ok, ok, ok };
	struct fake_server *server = fake_server_start(whole, answers, 3);
	struct web *web = web_new();
	struct web_response response;
	char url[100];
	struct web_request get = { .method = "GET", .url = url };
	struct err err;

	web_response_init(&response);
	snprintf(url, sizeof url, "http://%s/", fake_server_address(server));
	assert_int_equal(web_ask(web, &get, &response, &err), 0);
	assert_string_equal(response.peer, "127.0.0.1");
	for (int i = 0; i < 2; i++) {
		get.avoid = avoided[i];
		if (web_ask(web, &get, &response, &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(response.status, 200);
		assert_string_equal(response.peer, "127.0.0.1");
	}
	web_response_fini(&response);
	web_free(web);
	fake_server_stop(server);
}
