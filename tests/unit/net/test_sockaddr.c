#include "net/sockaddr.h"
#include "unit.h"

#include <netinet/in.h>
#include <string.h>

static void assert_round_trip(const char *text, int family)
{
	char again[SOCKADDR_TEXT_MAX];
	struct sockaddr_storage address;
	struct err err = { 0 };
	socklen_t len;

	if (sockaddr_resolve(text, &address, &len, &err) != 0)
		fail_msg("refused %s: %s", text, err.text);
	assert_int_equal(address.ss_family, family);
	sockaddr_text((struct sockaddr *)&address, len, again);
	assert_string_equal(again, text);
}

TEST(addresses_come_back_as_they_were_written)
{
	assert_round_trip("10.1.1.197:23000", AF_INET);
	assert_round_trip("[::1]:80", AF_INET6);
	assert_round_trip("[2001:db8::1]:65535", AF_INET6);
	assert_round_trip("unix:/run/picstore/a.sock", AF_UNIX);
}

TEST(a_unix_path_may_be_as_long_as_the_system_takes)
{
	char text[5 + 107 + 1] = "unix:/";

	memset(text + 6, 'a', 106);
	text[5 + 107] = '\0';
	assert_round_trip(text, AF_UNIX);
}

TEST(refuses_what_is_no_address)
{
	struct sockaddr_storage address;
	struct err err = { 0 };
	socklen_t len;

	assert_int_equal(sockaddr_resolve("10.1.1.197", &address, &len, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
}

TEST(an_address_of_nobody_is_a_question_mark)
{
	char text[SOCKADDR_TEXT_MAX];
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	sockaddr_text(&none, sizeof none, text);
	assert_string_equal(text, "?");
	sockaddr_text((struct sockaddr *)&v4, 3, text); /* cut off */
	assert_string_equal(text, "?");
}
