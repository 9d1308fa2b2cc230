#include "store/company.h"

#include "unit.h"

static void flush(struct company *company, size_t count, size_t queued)
{
	company_flushed(company, count, queued, 100);
}

TEST(a_single_client_never_waits)
{
	struct company company = { 0 };

	for (int i = 0; i < 10; i++) {
		assert_int_equal(company_expected(&company, 1, 0), 1);
		flush(&company, 1, 0);
	}
}

TEST(a_batch_waits_for_as_many_as_took_part_lately)
{
	struct company company = { 0 };

	flush(&company, 1, 3); /* one was flushed, three came meanwhile */
	assert_int_equal(company_expected(&company, 3, 0), 4);
	assert_int_equal(company_expected(&company, 4, 0), 4);
	assert_int_equal(company_expected(&company, 9, 0), 9);
}

TEST(a_batch_waits_no_longer_than_a_flush_takes)
{
	struct company company = { 0 };

	assert_int_equal(company_wait_us(&company), 0);
	company_flushed(&company, 1, 1, 120);
	assert_int_equal(company_wait_us(&company), 120);
	for (int i = 0; i < 100; i++)
		company_flushed(&company, 1, 1, 40);
	assert_in_range(company_wait_us(&company), 40, 48);
	for (int i = 0; i < 100; i++)
		company_flushed(&company, 1, 1, 90000);
	assert_int_equal(company_wait_us(&company), COMPANY_WAIT_MAX_US);
}

TEST(large_contents_do_not_wait)
{
	struct company company = { 0 };

	flush(&company, 2, 2);
	assert_int_equal(company_expected(&company, 1, COMPANY_BYTES_MAX), 4);
	assert_int_equal(company_expected(&company, 1, COMPANY_BYTES_MAX + 1), 1);
}

TEST(after_waits_in_vain_fewer_and_fewer_batches_wait)
{
	struct company company = { 0 };
	int skipped_before = 0;

	for (int round = 0; round < 12; round++) {
		int skipped = 0;

		flush(&company, 2, 2);
		while (company_expected(&company, 1, 0) == 1)
			skipped++;
		assert_int_equal(skipped, round == 0   ? 0
					  : round == 1 ? 1
					  : skipped_before * 2 > COMPANY_SKIP_MAX
						  ? COMPANY_SKIP_MAX
						  : skipped_before * 2);
		skipped_before = skipped;
		company_came(&company, 4, 1);
	}
	assert_int_equal(skipped_before, COMPANY_SKIP_MAX);
}

TEST(company_that_came_is_waited_for_again)
{
	struct company company = { 0 };

	flush(&company, 2, 2);
	company_came(&company, 4, 1);
	company_came(&company, 4, 4);
	while (company_expected(&company, 1, 0) == 1)
		;
	company_came(&company, 4, 2);
	assert_int_equal(company_expected(&company, 1, 0), 1);
	assert_int_equal(company_expected(&company, 1, 0), 4);
}
