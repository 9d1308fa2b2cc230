#include "core/address.h"
#include "unit.h"

#include <string.h>

TEST(takes_the_three_forms_apart)
{
	struct address a;

	assert_true(address_parse("example.org:65535", &a));
	assert_string_equal(a.host, "example.org");
	assert_int_equal(a.port, 65535);
	assert_true(address_parse("[fe80::1]:0", &a));
	assert_string_equal(a.host, "fe80::1");
	assert_int_equal(a.port, 0);
	assert_false(a.is_unix);
	assert_true(address_parse("unix:/run/a b.sock", &a));
	assert_true(a.is_unix);
	assert_string_equal(a.host, "/run/a b.sock");
}

TEST(refuses_any_other_text)
{
	static const char *const bad[] = {
		"",
		":80",
		"host",
		"host:",
		"host:65536",
		"host:8o",
		"host:+80",
		"host:000080",
		"host:-1",
		"::1:80", /* brackets are missing */
		"[::1]",
		"[]:80",
		"[host]:80", /* brackets around a name */
		"a b:80",
		"a/b:80",
		"unix:",
		"unix:/",
		"unix:relative",
		"unix:/"
		"23456789012345678901234567890123456789012345678901234567890123456789012345678"
		"901234567890123456789012345678",
	};
	struct address a = { .port = 7 };
	char long_host[400];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (address_parse(bad[i], &a))
			fail_msg("accepted '%s'", bad[i]);
	memset(long_host, 'a', 300);
	strcpy(long_host + 300, ":80");
	assert_false(address_parse(long_host, &a));
	assert_int_equal(a.port, 7); /* left alone */
}

TEST(services_that_run_several_times_have_ports_in_a_row)
{
	char out[ADDRESS_HOST_MAX + 16];

	assert_true(address_in_row("127.0.0.1:9010", 1, out));
	assert_string_equal(out, "127.0.0.1:9011");
	assert_true(address_in_row("[::1]:9010", 0, out));
	assert_string_equal(out, "[::1]:9010");
	assert_false(address_in_row("unix:/run/x.sock", 1, out));
	assert_string_equal(out, "unix:/run/x.sock");
	assert_false(address_in_row("127.0.0.1:65535", 1, out));
}

TEST(a_port_can_be_replaced_where_there_is_one)
{
	char out[ADDRESS_HOST_MAX + 16];

	assert_true(address_with_port("host.example:1", 65535, out));
	assert_string_equal(out, "host.example:65535");
	assert_true(address_with_port("[::1]:9010", 7, out));
	assert_string_equal(out, "[::1]:7");
	assert_false(address_with_port("unix:/run/x.sock", 7, out));
	assert_string_equal(out, "unix:/run/x.sock");
	assert_false(address_with_port("host", 7, out));
	assert_string_equal(out, "host");
}
