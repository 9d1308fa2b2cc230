#include "monitor/threshold.h"
#include "unit.h" /* cmocka; TEST() defines a test and lists it */

#include <math.h>

static bool alerts(const char *text, double value)
{
	struct threshold threshold;

	if (!threshold_parse(text, &threshold))
		fail_msg("refused '%s'", text);
	return threshold_alerts(&threshold, value);
}

TEST(alerts_as_monitoring_plugins_do)
{
	static const struct {
		const char *text;
		double quiet, loud;
	} cases[] = {
		{ "10", 0, -1 },
		{ "10", 10, 10.1 },
		{ "10:", 10, 9.9 },
		{ "10:", 1e9, -1e9 },
		{ "~:10", -1e9, 11 },
		{ ":10", 0, -0.5 },
		{ "10:20", 15, 21 },
		{ "10:20", 20, 9 },
		{ "@10:20", 9, 10 },
		{ "@10:20", 21, 20 },
		{ "-5:5", -5, -6 },
		{ "0.5:", 0.5, 0.4 },
		{ "2K:", 2048, 2047 },
		{ "1G:2G", 1 << 30, 1 },
		{ "~:", 1e300, NAN },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (alerts(cases[i].text, cases[i].quiet))
			fail_msg("%s alerts at %g", cases[i].text, cases[i].quiet);
		if (!alerts(cases[i].text, cases[i].loud))
			fail_msg("%s is quiet at %g", cases[i].text, cases[i].loud);
	}
}

TEST(refuses_any_other_text)
{
	static const char *const bad[] = { "", "@", ":", "~", "x", "10:x", "10:20:30", "20:10",
		"1e5", "nan", "inf", "10 ", " 10", "0x10", "--1", "1.2.3", "10:~", "1KK", "-",
		"99999999999999999999999999999999999" };
	struct threshold threshold = { .low = 1, .high = 2 };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (threshold_parse(bad[i], &threshold))
			fail_msg("accepted '%s'", bad[i]);
	assert_true(threshold.low == 1 && threshold.high == 2); /* left alone */
}
