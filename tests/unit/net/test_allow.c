#include "net/allow.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static char n0[] = "10.0.0.0/8", n1[] = "192.168.7.9", n2[] = "fd00::/9", n3[] = "::1",
	    n4[] = "172.16.5.0/23";
static char *const items[] = { n0, n1, n2, n3, n4 };

static bool has(const struct allow *allow, const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return allow_has(allow, (struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return allow_has(allow, (struct sockaddr *)&v6);
}

TEST(knows_addresses_and_networks)
{
	static const char *const in[] = { "10.0.0.0", "10.255.255.255", "192.168.7.9", "fd7f::1",
		"::1", "::ffff:10.1.1.1", "172.16.4.1", "172.16.5.255" };
	static const char *const out[] = { "11.0.0.0", "9.255.255.255", "192.168.7.8", "fd80::1",
		"::2", "127.0.0.1", "172.16.6.0", "::ffff:11.1.1.1", "::10.0.0.1" };
	struct allow allow;

	assert_int_equal(allow_init(&allow, items, 5, NULL), 0);
	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
		if (!has(&allow, in[i]))
			fail_msg("%s should be allowed", in[i]);
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
		if (has(&allow, out[i]))
			fail_msg("%s should not be allowed", out[i]);
	allow_fini(&allow);
}

TEST(an_empty_list_allows_unix_sockets_alone)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct allow allow;

	assert_int_equal(allow_init(&allow, NULL, 0, NULL), 0);
	assert_false(has(&allow, "127.0.0.1"));
	assert_true(allow_has(&allow, (struct sockaddr *)&local));
	allow_fini(&allow);
}

TEST(zero_bits_allow_all_of_a_family)
{
	char everything[] = "0.0.0.0/0", *const all[] = { everything };
	struct allow allow;

	assert_int_equal(allow_init(&allow, all, 1, NULL), 0);
	assert_true(has(&allow, "8.8.8.8"));
	assert_false(has(&allow, "2001::1"));
	allow_fini(&allow);
}

TEST(refuses_what_is_no_network)
{
	static const char *const bad[] = { "", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0.0/8x", "10.0.0", "host", "::1/129", "::1/ 1", "/8" };
	struct allow allow;
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *one[] = { (char *)(uintptr_t)bad[i] };

		if (allow_init(&allow, one, 1, &err) == 0)
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}
