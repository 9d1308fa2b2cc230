#include "programs/picstore/move_report.h"
#include "unit.h"

TEST(a_line_tells_counts_rate_and_what_is_left)
{
	struct move_report report = { .verb = "imported", .total = 40, .bytes = 3 << 20 };
	char text[200];

	report.counts[MOVE_DONE] = 9;
	report.counts[MOVE_FAILED] = 1;
	move_report_text(&report, 10000, false, text);
	assert_string_equal(text, "9 of 40 imported, 1 failed, 3.0 MiB, 307.2 KiB/s, 0:30 left");
	move_report_text(&report, 10000, true, text);
	assert_string_equal(text, "9 of 40 imported, 1 failed, 3.0 MiB, 307.2 KiB/s");
}

TEST(a_total_that_is_not_known_is_not_made_up)
{
	struct move_report report = { .verb = "exported" };
	char text[200];

	report.counts[MOVE_ALREADY] = 5;
	move_report_text(&report, 0, false, text);
	assert_string_equal(text, "0 exported, 5 there already, 0 B, 0 B/s");
}
