#include "fdfs/proto.h"
#include "programs/monit_fdfs/monit_fdfs.h"
#include "unit.h"

#include <string.h>

static double figure(const struct report_row *row, const char *name)
{
	for (size_t i = 0; i < row->kind->count; i++)
		if (strcmp(row->kind->columns[i].name, name) == 0)
			return row->values[i].known ? row->values[i].number : -1;
	fail_msg("no figure %s", name);
	return 0;
}

static const struct fdfs_storage pair[] = {
	{ .group = "g01",
		.id = "1",
		.ip = "10.0.0.1",
		.port = 23000,
		.state = FDFS_STATE_ACTIVE,
		.total_mib = 200,
		.free_mib = 50,
		.last_beat = 1000,
		.last_source_update = 900,
		.last_synced = 500 },
	{ .group = "g01",
		.id = "2",
		.ip = "10.0.0.2",
		.port = 23000,
		.state = FDFS_STATE_OFFLINE,
		.last_source_update = 600,
		.last_synced = 890 },
};

TEST(lag_is_what_the_others_took_in_since)
{
	assert_int_equal(monit_fdfs_lag(pair, 2, 0), 100);
	assert_int_equal(monit_fdfs_lag(pair, 2, 1), 10);
	assert_int_equal(monit_fdfs_lag(pair, 1, 0), -1); /* alone */
}

TEST(a_storage_becomes_a_row)
{
	struct report report;

	report_init(&report, "monit_fdfs", "FDFS");
	monit_fdfs_put(&report, "one", pair, 2, 0, 1003);
	assert_int_equal(report.row_count, 1);
	assert_int_equal(report.state, REPORT_OK);
	assert_true(figure(&report.rows[0], "free") == 25);
	assert_true(figure(&report.rows[0], "free_bytes") == 50 << 20);
	assert_true(figure(&report.rows[0], "beat") == 3);
	assert_true(figure(&report.rows[0], "lag") == 100);
	assert_true(figure(&report.rows[0], "active") == 1);
	assert_true(figure(&report.rows[0], "latency") == -1); /* asked elsewhere */
	report_fini(&report);
}

TEST(a_storage_that_is_down_is_critical)
{
	struct report report;

	report_init(&report, "monit_fdfs", "FDFS");
	monit_fdfs_put(&report, "one", pair, 2, 1, 1003);
	assert_int_equal(report.state, REPORT_CRITICAL);
	assert_string_equal(report.problems[0].text, "storage 2 of group g01 on one is offline");
	assert_true(figure(&report.rows[0], "free") == -1); /* never told */
	report_fini(&report);
}

TEST(one_on_its_way_up_is_a_warning)
{
	assert_int_equal(monit_fdfs_state_of(2), REPORT_WARNING);
	assert_int_equal(monit_fdfs_state_of(FDFS_STATE_ONLINE), REPORT_WARNING);
	assert_int_equal(monit_fdfs_state_of(FDFS_STATE_ACTIVE), REPORT_OK);
	assert_int_equal(monit_fdfs_state_of(99), REPORT_CRITICAL);
	assert_string_equal(monit_fdfs_state_word(99), "unknown");
}
