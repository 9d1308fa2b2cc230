#include "unit.h"
#include "varnish/varnish_stats.h"

#include <string.h>

static bool parse(const char *text, struct varnish_probe *probe)
{
	return varnish_probe_parse(span_str(text), probe);
}

TEST(reads_what_a_probe_said)
{
	struct varnish_probe probe;

	assert_true(parse("boot.gateway Still healthy 4---X-RH 4 3 8 0.000307 0.000312 "
			  "\"HTTP/1.1 404 Not Found\"",
		&probe));
	assert_string_equal(probe.vcl, "boot");
	assert_string_equal(probe.name, "gateway");
	assert_true(probe.healthy);
	assert_int_equal(probe.good, 4);
	assert_int_equal(probe.threshold, 3);
	assert_int_equal(probe.window, 8);
}

TEST(reads_names_without_a_vcl_and_a_nul_at_the_end)
{
	static const char text[] = "gateway Went sick -------- 0 3 4 0.0 0.0 \"Open error 111\"";
	struct varnish_probe probe;

	assert_true(varnish_probe_parse(span_of(text, sizeof text), &probe));
	assert_string_equal(probe.vcl, "");
	assert_string_equal(probe.name, "gateway");
	assert_false(probe.healthy);
	assert_true(parse("a Back healthy x 1 2 3", &probe));
}

TEST(refuses_any_other_record)
{
	static const char *const bad[] = { "", " ", "gateway", "gateway Still",
		"gateway Still well", "gateway Still healthy", "gateway Still healthy flags",
		"gateway Still healthy flags 1 2", "gateway Still healthy flags 1 2 x",
		"gateway Still healthy flags -1 2 3", "gateway Still healthy flags 99999 2 3",
		"gateway Now healthy flags 1 2 3", ". Still healthy f 1 2 3",
		"a. Still healthy f 1 2 3", ".a Still healthy f 1 2 3" };
	struct varnish_probe probe;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(bad[i], &probe))
			fail_msg("accepted '%s'", bad[i]);
}

TEST(a_rate_of_nothing_is_none)
{
	assert_true(varnish_hit_rate(0, 0) < 0);
	assert_true(varnish_hit_rate(3, 1) == 75);
}
