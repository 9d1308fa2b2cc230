#include "unit.h"
#include "wire/ret.h"

TEST(every_number_is_one_outcome_and_back)
{
	for (uint32_t ret = 0; ret < RET_COUNT; ret++)
		assert_int_equal(ret_of_err(ret_to_err(ret)), ret);
}

TEST(only_zero_is_success)
{
	for (uint32_t ret = 1; ret < RET_COUNT; ret++)
		assert_int_not_equal(ret_to_err(ret), ERR_NONE);
}

TEST(an_unknown_number_is_an_error)
{
	assert_int_equal(ret_to_err(RET_COUNT), ERR_INTERNAL);
	assert_int_equal(ret_to_err(UINT32_MAX), ERR_INTERNAL);
}

TEST(an_outcome_without_a_number_is_an_internal_error)
{
	assert_int_equal(ret_of_err(ERR_METHOD), RET_INTERNAL);
}
