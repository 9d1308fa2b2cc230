#include "store/eraser.h"
#include "unit.h"

enum { MANY = 200000 };

static uint32_t found;

/* Volumes are asked for in the order in which they were added. */
static struct volume *find(void *context, uint16_t number)
{
	(void)context;
	assert_int_equal(number, (uint16_t)found);
	found++;
	return NULL;
}

static void add(struct eraser *eraser, uint32_t first, uint32_t end, int64_t due_ms)
{
	for (uint32_t i = first; i < end; i++)
		eraser_add(eraser, (uint16_t)i, i, due_ms);
}

static void run_until(struct eraser *eraser, uint32_t count, int64_t now_ms)
{
	for (uint32_t runs = 0; found < count; runs++) {
		assert_true(runs < count);
		eraser_run(eraser, now_ms);
	}
	assert_int_equal(found, count);
}

TEST(forgets_nothing_however_many_wait)
{
	struct eraser *eraser = eraser_new(find, NULL);

	found = 0;
	add(eraser, 0, 1500, 5);
	run_until(eraser, 1024, 5);
	add(eraser, 1500, MANY, 5); /* the ring has turned, and grows */
	assert_int_equal(eraser_wait_ms(eraser, 4), 1);
	run_until(eraser, MANY, 5);
	assert_int_equal(eraser_wait_ms(eraser, 5), -1);
	eraser_free(eraser);
}

TEST(erases_nothing_before_its_time)
{
	struct eraser *eraser = eraser_new(find, NULL);

	found = 0;
	add(eraser, 0, 3, 10);
	add(eraser, 3, 5, 20);
	eraser_run(eraser, 9);
	assert_int_equal(found, 0);
	eraser_run(eraser, 19);
	assert_int_equal(found, 3);
	assert_int_equal(eraser_wait_ms(eraser, 19), 1);
	eraser_free(eraser);
}
