#include "monitor/report.h"
#include "unit.h"

#include <stdio.h>

static const struct report_column columns[] = {
	{ "name", "NAME", REPORT_LABEL, "" },
	{ "state", "STATE", REPORT_TEXT, "" },
	{ "free", "FREE", REPORT_PERCENT, "room" },
	{ "room_bytes", "ROOM", REPORT_BYTES, "room" },
	{ "latency", "LATENCY", REPORT_MS, "time to answer" },
	{ "uploads", "UPLOADS", REPORT_COUNTER, "files stored" },
};
static const struct report_kind disk = { "disk", columns, sizeof columns / sizeof columns[0] };
static const struct report_kind *const kinds[] = { &disk, NULL };

static void fill(struct report *report)
{
	struct report_row *row;

	report_init(report, "monit_test", "TEST");
	snprintf(report->summary, sizeof report->summary, "two disks");
	row = report_add(report, &disk);
	report_put_text(row, "name", "a \"b\\");
	report_put_text(row, "state", "up");
	report_put(row, "free", 50);
	report_put(row, "room_bytes", 1536);
	report_put(row, "latency", 2.5);
	report_put(row, "uploads", 7);
	row = report_add(report, &disk);
	report_put_text(row, "name", "c'|");
	report_put(row, "free", 4.5);
}

static void assert_form(void (*form)(const struct report *, struct buf *),
	const struct report *report, const char *expected)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	form(report, &out);
	buf_put_u8(&out, '\0');
	assert_true(buf_ok(&out));
	assert_string_equal((const char *)out.data, expected);
	buf_fini(&out);
}

TEST(shows_a_table_that_lines_up)
{
	struct report report;

	fill(&report);
	assert_form(report_screen, &report,
		"TEST OK: two disks\n\n"
		"NAME   STATE    FREE     ROOM  LATENCY  UPLOADS\n"
		"a \"b\\  up     50.0 %  1.5 KiB  2.50 ms        7\n"
		"c'|    -       4.5 %        -        -        -\n");
	report_fini(&report);
}

TEST(writes_json_with_null_for_the_unknown)
{
	struct report report;

	fill(&report);
	assert_form(report_json, &report,
		"{\"monitor\":\"monit_test\",\"state\":\"OK\",\"summary\":\"two disks\","
		"\"problems\":[],\"disk\":[{\"name\":\"a \\\"b\\\\\",\"state\":\"up\",\"free\":50,"
		"\"room_bytes\":1536,\"latency\":2.5,\"uploads\":7},{\"name\":\"c'|\",\"state\":"
		"null,"
		"\"free\":4.5,\"room_bytes\":null,\"latency\":null,\"uploads\":null}]}\n");
	report_fini(&report);
}

TEST(writes_what_prometheus_reads)
{
	struct report report;

	fill(&report);
	report_problem(&report, REPORT_WARNING, "a|b");
	assert_form(report_prometheus, &report,
		"# HELP monit_test_state 0 OK, 1 warning, 2 critical, 3 unknown\n"
		"# TYPE monit_test_state gauge\nmonit_test_state 1\n"
		"# HELP monit_test_disk_free_ratio room\n# TYPE monit_test_disk_free_ratio gauge\n"
		"monit_test_disk_free_ratio{name=\"a \\\"b\\\\\"} 0.5\n"
		"monit_test_disk_free_ratio{name=\"c'|\"} 0.045\n"
		"# HELP monit_test_disk_room_bytes room\n# TYPE monit_test_disk_room_bytes gauge\n"
		"monit_test_disk_room_bytes{name=\"a \\\"b\\\\\"} 1536\n"
		"# HELP monit_test_disk_latency_seconds time to answer\n"
		"# TYPE monit_test_disk_latency_seconds gauge\n"
		"monit_test_disk_latency_seconds{name=\"a \\\"b\\\\\"} 0.0025\n"
		"# HELP monit_test_disk_uploads_total files stored\n"
		"# TYPE monit_test_disk_uploads_total counter\n"
		"monit_test_disk_uploads_total{name=\"a \\\"b\\\\\"} 7\n");
	report_fini(&report);
}

TEST(writes_a_line_with_figures_for_a_plugin)
{
	struct report report;

	fill(&report);
	report_problem(&report, REPORT_CRITICAL, "it burns|\n");
	assert_form(report_plugin, &report,
		"TEST CRITICAL: it burns?? | 'a_\"b\\.free'=50% 'a_\"b\\.room_bytes'=1536B "
		"'a_\"b\\.latency'=2.5ms 'a_\"b\\.uploads'=7c 'c__.free'=4.5%\n");
	report_fini(&report);
}

TEST(takes_the_worst_threshold_that_alerts)
{
	struct report_limits limits = { .count = 0 };
	struct report report;
	struct err err;

	fill(&report);
	assert_int_equal(report_limits_read(&limits, kinds, REPORT_WARNING, "free=60:", &err), 0);
	assert_int_equal(
		report_limits_read(&limits, kinds, REPORT_CRITICAL, "free=5:,latency=~:9", &err),
		0);
	report_check(&report, &limits);
	assert_int_equal(report.state, REPORT_CRITICAL);
	assert_int_equal(report.problem_count, 2);
	assert_int_equal(report.problems[0].state, REPORT_WARNING);
	assert_string_equal(report.problems[1].text, "disk c'?: free is 4.5");
	report_fini(&report);
}

TEST(replaces_and_drops_thresholds)
{
	struct report_limits limits = { .count = 0 };
	struct report report;
	struct err err;

	fill(&report);
	assert_int_equal(
		report_limits_read(&limits, kinds, REPORT_WARNING, "free=60:,uploads=3", &err), 0);
	assert_int_equal(report_limits_read(&limits, kinds, REPORT_WARNING, "free=1:", &err), 0);
	assert_int_equal(
		report_limits_read(&limits, kinds, REPORT_WARNING, "uploads=none", &err), 0);
	report_check(&report, &limits);
	assert_int_equal(report.state, REPORT_OK);
	report_fini(&report);
}

TEST(refuses_thresholds_of_nothing)
{
	static const char *const bad[] = { "", "free", "free=", "free=x", "nothing=1", "name=1",
		"state=1", "free=1,,free=2" };
	struct report_limits limits = { .count = 0 };
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (report_limits_read(&limits, kinds, REPORT_WARNING, bad[i], &err) == 0)
			fail_msg("accepted '%s'", bad[i]);
}

TEST(critical_is_worse_than_unknown)
{
	assert_int_equal(report_worse(REPORT_UNKNOWN, REPORT_CRITICAL), REPORT_CRITICAL);
	assert_int_equal(report_worse(REPORT_UNKNOWN, REPORT_WARNING), REPORT_WARNING);
	assert_int_equal(report_worse(REPORT_OK, REPORT_UNKNOWN), REPORT_UNKNOWN);
}

TEST(text_from_elsewhere_cannot_drive_the_terminal)
{
	struct report report;
	struct report_row *row;

	report_init(&report, "monit_test", "TEST");
	row = report_add(&report, &disk);
	report_put_text(row, "name", "a\033[2Jb");
	assert_string_equal(row->values[0].text, "a?[2Jb");
	report_fini(&report);
}
