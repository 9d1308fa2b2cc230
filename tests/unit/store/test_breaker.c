#include "store/breaker.h"

#include "unit.h"

static void fail_until_open(struct breaker *breaker, int64_t now_ms)
{
	for (int i = 0; i < BREAKER_FAILURES; i++) {
		assert_false(breaker_is_open(breaker));
		assert_true(breaker_pass(breaker, now_ms));
		breaker_failure(breaker, now_ms);
	}
	assert_true(breaker_is_open(breaker));
}

TEST(opens_after_failures_in_a_row)
{
	struct breaker breaker = { 0 };

	fail_until_open(&breaker, 100);
	assert_false(breaker_pass(&breaker, 100));
	assert_false(breaker_pass(&breaker, 100 + BREAKER_FIRST_MS - 1));
}

TEST(a_success_between_failures_starts_the_count_anew)
{
	struct breaker breaker = { 0 };

	for (int i = 0; i < 3 * BREAKER_FAILURES; i++) {
		assert_true(breaker_pass(&breaker, i));
		if (i % (BREAKER_FAILURES - 1) == 0)
			breaker_success(&breaker);
		else
			breaker_failure(&breaker, i);
	}
	assert_false(breaker_is_open(&breaker));
}

TEST(lets_one_probe_through_and_closes_when_it_succeeds)
{
	struct breaker breaker = { 0 };

	fail_until_open(&breaker, 0);
	assert_true(breaker_pass(&breaker, BREAKER_FIRST_MS));
	assert_false(breaker_pass(&breaker, BREAKER_FIRST_MS)); /* one is enough */
	breaker_success(&breaker);
	assert_false(breaker_is_open(&breaker));
	assert_true(breaker_pass(&breaker, BREAKER_FIRST_MS));
}

TEST(a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound)
{
	struct breaker breaker = { 0 };
	int64_t now_ms = 0, wait_ms = BREAKER_FIRST_MS;

	fail_until_open(&breaker, now_ms);
	for (int i = 0; i < 10; i++) {
		assert_false(breaker_pass(&breaker, now_ms + wait_ms - 1));
		now_ms += wait_ms;
		assert_true(breaker_pass(&breaker, now_ms));
		breaker_failure(&breaker, now_ms);
		wait_ms = 2 * wait_ms < BREAKER_MOST_MS ? 2 * wait_ms : BREAKER_MOST_MS;
	}
	assert_int_equal(wait_ms, BREAKER_MOST_MS);
}

TEST(late_failures_do_not_keep_it_open_longer)
{
	struct breaker breaker = { 0 };

	fail_until_open(&breaker, 0);
	breaker_failure(&breaker, BREAKER_FIRST_MS - 1); /* had passed before */
	assert_true(breaker_pass(&breaker, BREAKER_FIRST_MS));
}

TEST(a_probe_that_tells_nothing_makes_room_for_the_next)
{
	struct breaker breaker = { 0 };

	fail_until_open(&breaker, 0);
	assert_true(breaker_pass(&breaker, BREAKER_FIRST_MS));
	breaker_neither(&breaker);
	assert_true(breaker_is_open(&breaker));
	assert_true(breaker_pass(&breaker, BREAKER_FIRST_MS));
}
