#include "store/breaker.h"
#include "store/turns.h"
#include "unit.h"

#include <string.h>

static int64_t time_ms;

static int64_t now_ms(void)
{
	return time_ms;
}

static const struct err good, trouble = { ERR_TIMEOUT, "nobody answers" },
			      refused = { ERR_NOT_ALLOWED, "the key is wrong" };

TEST(there_are_so_many_turns_and_no_more)
{
	struct turns *turns = turns_new(2, now_ms);
	struct err err;

	assert_int_equal(turns_take(turns, time_ms, &err), 0);
	assert_int_equal(turns_take(turns, time_ms, &err), 0);
	assert_int_equal(turns_take(turns, time_ms, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_non_null(strstr(err.text, "2 requests"));
	turns_end(turns, &good);
	assert_int_equal(turns_take(turns, time_ms, &err), 0);
	turns_end(turns, &good);
	turns_end(turns, &good);
	turns_free(turns);
}

TEST(after_trouble_in_a_row_there_are_none_for_a_while_and_it_says_why)
{
	struct turns *turns = turns_new(2, now_ms);
	struct err err;

	for (int i = 0; i < BREAKER_FAILURES; i++) {
		assert_int_equal(turns_health(turns, &err), 0);
		assert_int_equal(turns_take(turns, time_ms, &err), 0);
		turns_end(turns, &trouble);
	}
	assert_int_equal(turns_health(turns, &err), -1);
	assert_int_equal(turns_take(turns, time_ms, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_non_null(strstr(err.text, trouble.text));
	time_ms += BREAKER_FIRST_MS;
	assert_int_equal(turns_take(turns, time_ms, &err), 0); /* a probe, one */
	assert_int_equal(turns_take(turns, time_ms, &err), -1);
	turns_end(turns, &good);
	assert_int_equal(turns_health(turns, &err), 0);
	turns_free(turns);
}

TEST(who_refuses_answers)
{
	struct turns *turns = turns_new(2, now_ms);
	struct err err;

	for (int i = 0; i < 2 * BREAKER_FAILURES; i++) {
		assert_int_equal(turns_take(turns, time_ms, &err), 0);
		turns_end(turns, i % 2 == 0 ? &trouble : &refused);
	}
	assert_int_equal(turns_health(turns, &err), 0);
	turns_free(turns);
}
