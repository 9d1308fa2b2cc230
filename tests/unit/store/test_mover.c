/* Orders to move pictures to the cold store and back: by age, with pauses, and after a stop.
 * It runs beside s3_double.py. */
#include "core/clock.h"
#include "store/mover.h"
#include "store_kit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PICTURES = 40, PATIENCE_MS = 20000 };

/* Near the real one: requests are signed with it. */
static int64_t the_time, middle;

static int64_t test_now(void)
{
	return the_time;
}

static _Atomic bool may;
static _Atomic int failures;

static bool may_move(void *context)
{
	(void)context;
	return may;
}

static void on_failure(void *context, const struct file_id *id, const struct err *err)
{
	(void)context;
	(void)err;
	failures += id != NULL;
}

struct test {
	struct kit kit;
	struct mover *mover;
	struct file_id ids[PICTURES];
};

static void start_mover(struct test *test)
{
	struct mover_conf conf = {
		.tier = engine_tier(test->kit.engine),
		.group = "g01",
		.paths = test->kit.conf.paths,
		.path_count = test->kit.conf.path_count,
		.may = may_move,
		.failed = on_failure,
	};
	struct err err;

	test->mover = mover_start(&conf, &err);
	assert_non_null(test->mover);
}

/* The second half of the pictures is younger. */
static void start(struct test *test)
{
	kit_tell("clear=1&exclusive=honours");
	memset(test, 0, sizeof *test);
	kit_init(&test->kit, 2);
	test->kit.conf.now = test_now;
	test->kit.conf.punch_delay_ms = 0;
	test->kit.conf.volume_size = 64 << 10; /* many */
	test->kit.conf.preallocate = 4 << 10;
	test->kit.s3.timeout_ms = 2000;
	the_time = clock_unix() - 120;
	middle = the_time + 60;
	may = true;
	failures = 0;
	kit_open(&test->kit, "tiered");
	kit_tell("what=none&method=ANY&times=0");
	for (unsigned i = 0; i < PICTURES; i++) {
		if (i == PICTURES / 2)
			the_time = middle;
		test->ids[i] = kit_put(&test->kit, 3000 + i, i);
	}
	start_mover(test);
}

static void end(struct test *test)
{
	mover_stop(test->mover);
	kit_close(&test->kit);
}

static void order(struct test *test, enum mover_action action, int64_t before, uint64_t rate)
{
	const struct mover_order order = { action, before, rate };
	struct err err;

	assert_int_equal(mover_command(test->mover, &order, &err), 0);
}

static bool is_state(const struct mover_report *report, int64_t state)
{
	return (int64_t)report->state == state;
}

static bool has_moved(const struct mover_report *report, int64_t count)
{
	return (int64_t)report->moved >= count;
}

static struct mover_report wait_for(struct test *test,
	bool (*is)(const struct mover_report *report, int64_t value), int64_t value)
{
	const struct timespec nap = { .tv_nsec = 2000000 };
	int64_t began_ms = clock_mono_ms();
	struct mover_report report;

	for (;;) {
		mover_tell(test->mover, &report);
		if (is(&report, value))
			return report;
		if (clock_mono_ms() - began_ms > PATIENCE_MS)
			fail_msg("it is in state %d, %d moved: %s", report.state, (int)report.moved,
				report.trouble.text);
		nanosleep(&nap, NULL);
	}
}

static void expect_all(struct test *test)
{
	for (unsigned i = 0; i < PICTURES; i++)
		kit_expect(&test->kit, &test->ids[i], 3000 + i, i);
}

TEST(those_that_are_old_enough_go_and_the_young_stay)
{
	struct mover_report report;
	struct test test;

	start(&test);
	order(&test, MOVER_OUT, middle, 0);
	report = wait_for(&test, is_state, MOVER_DONE);
	assert_int_equal(report.looked, PICTURES);
	assert_int_equal(report.moved, PICTURES / 2);
	assert_int_equal(report.young, PICTURES / 2);
	assert_int_equal(report.failed, 0);
	assert_int_equal(report.volumes, report.volumes_done);
	assert_true(report.volumes > 2);
	assert_int_equal(kit_tell(""), PICTURES / 2);
	expect_all(&test);
	/* The young ones need no service. */
	kit_tell("what=denied&method=ANY&times=9999");
	for (unsigned i = PICTURES / 2; i < PICTURES; i++)
		kit_expect(&test.kit, &test.ids[i], 3000 + i, i);
	kit_tell("what=none&method=ANY&times=0");
	order(&test, MOVER_OUT, middle, 0); /* once more there is nothing to do */
	report = wait_for(&test, is_state, MOVER_DONE);
	assert_int_equal(report.moved, 0);
	end(&test);
}

TEST(everything_goes_what_comes_follows_and_everything_comes_back)
{
	struct mover_report report;
	struct file_id id;
	struct test test;

	start(&test);
	assert_int_equal(kit_remove(&test.kit, &test.ids[3]), ERR_NONE);
	order(&test, MOVER_STAY, 0, 0);
	report = wait_for(&test, is_state, MOVER_SETTLED);
	assert_int_equal(report.moved, PICTURES - 1);
	id = kit_put(&test.kit, 777, 777);
	wait_for(&test, has_moved, PICTURES);
	assert_int_equal(kit_tell(""), PICTURES);
	mover_stop(test.mover); /* and it remembers that it stays so */
	start_mover(&test);
	kit_put(&test.kit, 778, 778);
	wait_for(&test, has_moved, PICTURES + 1);
	order(&test, MOVER_BACK, 0, 0);
	report = wait_for(&test, is_state, MOVER_DONE);
	assert_int_equal(report.moved, PICTURES + 1);
	assert_int_equal(kit_tell(""), 0);
	kit_expect(&test.kit, &id, 777, 777);
	assert_int_equal(kit_get_code(&test.kit, &test.ids[3]), ERR_GONE);
	end(&test);
}

TEST(a_start_goes_on_where_the_last_one_was)
{
	struct mover_report before, report;
	struct test test;

	start(&test);
	order(&test, MOVER_OUT, INT64_MAX, 60000); /* two seconds */
	before = wait_for(&test, has_moved, 5);
	mover_stop(test.mover);
	assert_true(kit_tell("") < PICTURES);
	expect_all(&test);
	start_mover(&test);
	order(&test, MOVER_OUT, INT64_MAX, 0); /* the same, faster: it is not begun anew */
	report = wait_for(&test, is_state, MOVER_DONE);
	assert_true(before.moved >= 5);
	assert_int_equal(report.failed, 0);
	assert_int_equal(kit_tell(""), PICTURES);
	expect_all(&test);
	mover_stop(test.mover);
	start_mover(&test); /* what is done is done */
	report = wait_for(&test, is_state, MOVER_DONE);
	assert_int_equal(kit_tell(""), PICTURES);
	end(&test);
}

TEST(it_waits_while_the_service_is_away_and_while_nothing_may_change)
{
	struct mover_report report;
	struct test test;

	start(&test);
	may = false;
	order(&test, MOVER_STAY, 0, 0);
	report = wait_for(&test, is_state, MOVER_WAITING);
	assert_int_equal(report.trouble.code, ERR_BUSY);
	assert_int_equal(report.moved, 0);
	kit_tell("what=denied&method=ANY&times=9999");
	may = true;
	for (int64_t began_ms = clock_mono_ms(); report.trouble.code != ERR_NOT_ALLOWED;) {
		report = wait_for(&test, is_state, MOVER_WAITING);
		assert_true(clock_mono_ms() - began_ms < PATIENCE_MS);
	}
	expect_all(&test);
	kit_tell("what=none&method=ANY&times=0");
	report = wait_for(&test, is_state, MOVER_SETTLED);
	assert_int_equal(report.failed, 0);
	assert_int_equal(report.moved, PICTURES);
	expect_all(&test);
	end(&test);
}

TEST(one_that_is_damaged_stays_and_is_told)
{
	struct mover_report report;
	struct test test;

	start(&test);
	kit_flip(&test.kit, &test.ids[7], (int64_t)test.ids[7].random * 512 + 1000, 1);
	order(&test, MOVER_OUT, INT64_MAX, 0);
	report = wait_for(&test, is_state, MOVER_DONE);
	assert_int_equal(report.failed, 1);
	assert_int_equal(report.trouble.code, ERR_CORRUPT);
	assert_int_equal(failures, 1);
	assert_int_equal(report.moved, PICTURES - 1);
	assert_int_equal(kit_get_code(&test.kit, &test.ids[7]), ERR_CORRUPT);
	end(&test);
}

TEST(copies_of_what_was_deleted_are_swept_up)
{
	struct test test;

	start(&test);
	order(&test, MOVER_OUT, INT64_MAX, 0);
	wait_for(&test, is_state, MOVER_DONE);
	kit_tell("method=DELETE&what=denied&times=99");
	assert_int_equal(kit_remove(&test.kit, &test.ids[0]), ERR_NOT_ALLOWED);
	kit_tell("what=none&method=ANY&times=0");
	assert_int_equal(kit_tell(""), PICTURES);
	order(&test, MOVER_OUT, 0, 0); /* whatever the age */
	wait_for(&test, is_state, MOVER_DONE);
	assert_int_equal(kit_tell(""), PICTURES - 1);
	end(&test);
}

TEST(an_order_to_rest_ends_it_and_a_file_that_makes_no_sense_is_none)
{
	static const char *const texts[] = {
		"",
		"moving",
		"moving 9 0 0 0 0 16 0 0 0 0 0\n",
		"moving 1 0 0 3 0 16 0 0 0 0 0\n",
		"moving 1 0 0 0 0 15 0 0 0 0 0\n",
		"moving 1 0 0 0 99999 16 0 0 0 0 0\n",
		"moving 1 0 0 0 0 16 0 0 0 0 0",
	};
	struct mover_report report;
	char path[400];
	struct test test;

	start(&test);
	order(&test, MOVER_STAY, 0, 1000);
	wait_for(&test, is_state, MOVER_WORKING);
	order(&test, MOVER_REST, 0, 0);
	wait_for(&test, is_state, MOVER_IDLE);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		FILE *file;

		mover_stop(test.mover);
		snprintf(path, sizeof path, "%s/moving", test.kit.paths[0]);
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(texts[i], file);
		fclose(file);
		start_mover(&test);
		mover_tell(test.mover, &report);
		assert_int_equal(report.state, MOVER_IDLE);
	}
	expect_all(&test);
	end(&test);
}
