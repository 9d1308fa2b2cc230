#include "programs/picstore/jobs.h"
#include "unit.h"

#include <stdatomic.h>
#include <string.h>

enum { MANY = 1000 };

struct count {
	_Atomic int worked[MANY];
	size_t reported;
};

static void work(void *context, size_t i)
{
	struct count *count = context;

	count->worked[i]++;
}

static void report(void *context, size_t i)
{
	struct count *count = context;

	assert_int_equal(i, count->reported);
	assert_int_equal(count->worked[i], 1);
	count->reported++;
}

TEST(each_is_done_once_and_reported_in_order)
{
	static const size_t threads[] = { 1, 2, 7, 64, 1000 };
	static struct count count;
	const struct jobs jobs = { work, report, &count };

	for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
		memset(&count, 0, sizeof count);
		jobs_run(&jobs, MANY, threads[t]);
		assert_int_equal(count.reported, MANY);
	}
	memset(&count, 0, sizeof count);
	jobs_run(&jobs, 0, 4);
	jobs_run(&jobs, 3, 64);
	assert_int_equal(count.reported, 3);
}
