#include "programs/monit_varnish/monit_varnish.h"
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

static const struct varnish_stats before = {
	.uptime_s = 10, .hits = 80, .misses = 20, .requests = 120, .evicted = 4
};

TEST(figures_of_now_are_differences)
{
	struct varnish_stats now = before;
	struct report report;

	now.uptime_s = 12;
	now.hits += 9;
	now.misses += 1;
	now.requests += 20;
	now.evicted += 6;
	now.used_bytes = 1;
	now.free_bytes = 3;
	report_init(&report, "monit_varnish", "VARNISH");
	monit_varnish_put(&report, "one", &before, &now, 2000);
	assert_true(figure(&report.rows[0], "hit_rate_now") == 90);
	assert_true(figure(&report.rows[0], "requests_per_second") == 10);
	assert_true(figure(&report.rows[0], "evictions_now") == 3);
	assert_true(figure(&report.rows[0], "used") == 25);
	report_fini(&report);
}

TEST(a_worker_started_anew_has_none)
{
	struct varnish_stats now = { .uptime_s = 1, .hits = 1 };
	struct report report;

	report_init(&report, "monit_varnish", "VARNISH");
	monit_varnish_put(&report, "one", &before, &now, 2000);
	assert_true(figure(&report.rows[0], "hit_rate") == 100);
	assert_true(figure(&report.rows[0], "hit_rate_now") == -1);
	assert_true(figure(&report.rows[0], "requests_per_second") == -1);
	report_fini(&report);
}

TEST(backends_become_rows)
{
	struct varnish_stats now = before;
	struct report report;

	now.backend_count = 2;
	now.backends[0] = (struct varnish_backend){
		.name = "a", .probed = true, .healthy = false, .good = 1, .window = 4
	};
	now.backends[1] = (struct varnish_backend){ .name = "b", .healthy = true };
	report_init(&report, "monit_varnish", "VARNISH");
	monit_varnish_put(&report, "one", NULL, &now, 0);
	assert_int_equal(report.row_count, 3);
	assert_true(figure(&report.rows[1], "healthy") == 0);
	assert_true(figure(&report.rows[2], "healthy") == 1);
	assert_non_null(strstr(report.summary, "1 of 2 backends healthy"));
	report_fini(&report);
}
