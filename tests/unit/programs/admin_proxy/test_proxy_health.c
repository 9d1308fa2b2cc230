#include "programs/admin_proxy/proxy_health.h"
#include "unit.h"

TEST(is_checked_at_once_when_nothing_is_known)
{
	struct proxy_health health;

	proxy_health_init(&health, 5000);
	assert_int_equal(health.state, PROXY_NEW);
	assert_int_equal(health.check_at, 5000);
}

TEST(is_up_after_a_good_check_and_checked_again)
{
	struct proxy_health health;

	proxy_health_init(&health, 0);
	assert_true(proxy_health_good(&health, 10, 500));
	assert_int_equal(health.state, PROXY_UP);
	assert_int_equal(health.check_at, 510);
	assert_false(proxy_health_good(&health, 510, 500)); /* nothing new */
	assert_int_equal(health.since, 10);
}

TEST(waits_twice_as_long_after_each_failure)
{
	struct proxy_health health;
	int64_t now = 0, wait = PROXY_RETRY_MIN_MS;

	proxy_health_init(&health, now);
	assert_true(proxy_health_bad(&health, now));
	for (int i = 0; i < 12; i++) {
		assert_int_equal(health.check_at, now + wait);
		now = health.check_at;
		assert_false(proxy_health_bad(&health, now));
		wait = wait * 2 > PROXY_RETRY_MAX_MS ? PROXY_RETRY_MAX_MS : wait * 2;
	}
	assert_int_equal(wait, PROXY_RETRY_MAX_MS);
	assert_int_equal(health.since, 0);
}

TEST(what_failed_before_it_was_ever_up_does_not_count)
{
	struct proxy_health health;

	proxy_health_init(&health, 0);
	for (int i = 0; i < 5; i++)
		proxy_health_bad(&health, i);
	proxy_health_good(&health, 100, 500);
	proxy_health_bad(&health, 200);
	assert_int_equal(health.check_at, 200 + PROXY_RETRY_MIN_MS);
}

TEST(one_that_comes_and_goes_is_not_trusted_before_it_was_up_for_a_while)
{
	struct proxy_health health;

	proxy_health_init(&health, 0);
	for (int64_t now = 0; now < 3000; now += 1000) {
		proxy_health_good(&health, now, 500);
		proxy_health_bad(&health, now + 10);
	}
	assert_int_equal(health.check_at - 2010, 4 * PROXY_RETRY_MIN_MS);
	proxy_health_good(&health, 3000, 500);
	proxy_health_bad(&health, 3000 + PROXY_STEADY_MS);
	assert_int_equal(health.check_at, 3000 + PROXY_STEADY_MS + PROXY_RETRY_MIN_MS);
}

TEST(so_many_requests_in_a_row_without_an_answer_are_too_many)
{
	struct proxy_health health;

	proxy_health_init(&health, 0);
	for (int i = 1; i < PROXY_STALLS; i++)
		assert_false(proxy_health_stalled(&health));
	proxy_health_answered(&health);
	for (int i = 1; i < PROXY_STALLS; i++)
		assert_false(proxy_health_stalled(&health));
	assert_true(proxy_health_stalled(&health));
}

TEST(chooses_who_has_least_to_do)
{
	struct proxy_load loads[] = { { true, false, 5 }, { true, false, 2 }, { false, false, 0 },
		{ true, false, 3 } };
	size_t turn = 0;

	for (int i = 0; i < 4; i++)
		assert_int_equal(proxy_choose(loads, 4, &turn), 1);
}

TEST(those_that_have_equally_little_take_turns)
{
	struct proxy_load loads[] = { { true, false, 1 }, { true, false, 1 }, { true, false, 1 } };
	size_t turn = 0, before = 3;
	int got[3] = { 0 };

	for (int i = 0; i < 9; i++) {
		size_t at = proxy_choose(loads, 3, &turn);

		assert_int_not_equal(at, before);
		before = at;
		got[at]++;
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(got[i], 3);
}

TEST(the_one_that_failed_before_is_chosen_only_when_it_is_alone)
{
	struct proxy_load loads[] = { { true, true, 0 }, { true, false, 100 } };
	size_t turn = 0;

	assert_int_equal(proxy_choose(loads, 2, &turn), 1);
	loads[1].usable = false;
	assert_int_equal(proxy_choose(loads, 2, &turn), 0);
	loads[0].usable = false;
	assert_int_equal(proxy_choose(loads, 2, &turn), 2); /* none */
	assert_int_equal(proxy_choose(loads, 0, &turn), 0);
}
