#include "core/log_limit.h"

#include "unit.h"

TEST(passes_a_few_lines_a_second_and_counts_the_rest)
{
	struct log_limit limit = { 0 };
	unsigned hidden = 99;

	for (int i = 0; i < LOG_LIMIT_A_SECOND; i++)
		assert_true(log_limit_pass(&limit, 5000 + i, &hidden));
	assert_int_equal(hidden, 0);
	for (int i = 0; i < 7; i++)
		assert_false(log_limit_pass(&limit, 5999, &hidden));
	assert_true(log_limit_pass(&limit, 6000, &hidden));
	assert_int_equal(hidden, 7);
	assert_true(log_limit_pass(&limit, 6001, &hidden));
	assert_int_equal(hidden, 0);
}
