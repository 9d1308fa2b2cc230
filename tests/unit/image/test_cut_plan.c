#include "image/cut_plan.h"
#include "unit.h"

static struct cut_plan plan_of(struct cut_wish wish, uint32_t width, uint32_t height, int turned)
{
	struct cut_plan plan;

	assert_true(cut_plan_make(&wish, width, height, turned, &plan));
	return plan;
}

static void assert_size(struct cut_plan plan, uint32_t width, uint32_t height)
{
	assert_int_equal(plan.width, width);
	assert_int_equal(plan.height, height);
}

TEST(a_rectangle_becomes_exactly_the_box)
{
	struct cut_plan plan = plan_of((struct cut_wish){ 100, 50, 10, 20, 30, 40 }, 640, 480, 1);

	assert_size(plan, 30, 40);
	assert_int_equal(plan.x.start, 10);
	assert_int_equal(plan.x.len, 100);
	assert_int_equal(plan.x.out, 30);
	assert_int_equal(plan.y.start, 20);
	assert_int_equal(plan.y.len, 50);
	assert_int_equal(plan.y.out, 40);
}

TEST(without_a_rectangle_the_whole_is_fitted_into_the_box)
{
	static const struct {
		uint32_t clip_w, clip_h, box_w, box_h, width, height;
	} cases[] = {
		{ 0, 0, 200, 200, 200, 150 },
		{ 100, 0, 200, 200, 200, 150 }, /* one of them is enough */
		{ 0, 100, 200, 200, 200, 150 },
		{ 0, 0, 200, 75, 100, 75 },
		{ 0, 0, 1, 1, 1, 1 },
		{ 0, 0, 4000, 1, 1, 1 },
		{ 0, 0, 640, 480, 640, 480 },
		{ 0, 0, 6400, 4800, 640, 480 }, /* never enlarged */
		{ 0, 0, UINT32_MAX, UINT32_MAX, 640, 480 },
		{ 0, 0, UINT32_MAX, 240, 320, 240 },
		{ 0, 0, 640, 479, 639, 479 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cut_plan plan = plan_of((struct cut_wish){ cases[i].clip_w, cases[i].clip_h,
						       7, -7, cases[i].box_w, cases[i].box_h },
			640, 480, 1);

		assert_size(plan, cases[i].width, cases[i].height);
		assert_int_equal(plan.x.start, 0);
		assert_int_equal(plan.x.len, 640);
	}
}

TEST(a_box_without_pixels_makes_no_sense)
{
	struct cut_plan plan;

	assert_false(cut_plan_make(&(struct cut_wish){ 1, 1, 0, 0, 0, 9 }, 10, 10, 1, &plan));
	assert_false(cut_plan_make(&(struct cut_wish){ 1, 1, 0, 0, 9, 0 }, 10, 10, 1, &plan));
	assert_false(cut_plan_make(&(struct cut_wish){ 0, 0, 0, 0, 0, 0 }, 10, 10, 1, &plan));
}

TEST(the_rectangle_is_of_the_picture_as_it_is_shown)
{
	/* a camera held on its side: 640 x 480 in the file, shown as 480 x 640 */
	struct cut_wish wish = { 100, 50, 10, 20, 30, 40 };
	struct cut_plan plan = plan_of(wish, 640, 480, 6);

	assert_true(plan.swap);
	assert_size(plan, 30, 40);
	assert_int_equal(plan.x.size, 640);
	assert_int_equal(plan.x.start, 20); /* rows as shown */
	assert_int_equal(plan.x.len, 50);
	assert_int_equal(plan.x.out, 40);
	assert_int_equal(plan.y.start, 480 - 10 - 100); /* columns, from the other side */
	assert_int_equal(plan.y.len, 100);
	assert_size(plan_of((struct cut_wish){ 0, 0, 0, 0, 64, 64 }, 640, 480, 6), 48, 64);
	plan = plan_of(wish, 640, 480, 3);
	assert_int_equal(plan.x.start, 640 - 10 - 100);
	assert_int_equal(plan.y.start, 480 - 20 - 50);
}

TEST(numbers_may_be_as_large_as_they_can)
{
	struct cut_plan plan = plan_of(
		(struct cut_wish){ UINT32_MAX, UINT32_MAX, INT32_MIN, INT32_MAX, 9, 9 }, 640, 480,
		8);

	assert_int_equal(plan.y.start, INT32_MIN); /* columns as shown are rows in the file */
	assert_int_equal(plan.x.start, 640 - (int64_t)INT32_MAX - (int64_t)UINT32_MAX);
}

TEST(a_picture_is_shrunk_as_far_as_no_pixel_is_lost)
{
	static const struct {
		uint32_t clip, box;
		int shrink;
	} cases[] = { { 1600, 200, 8 }, { 1599, 200, 4 }, { 800, 200, 4 }, { 799, 200, 2 },
		{ 400, 200, 2 }, { 399, 200, 1 }, { 100, 200, 1 }, { 8000, 10, 8 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cut_plan plan = plan_of(
			(struct cut_wish){ cases[i].clip, 8000, 0, 0, cases[i].box, 10 }, 4000,
			3000, 1);

		assert_int_equal(cut_plan_shrink(&plan), cases[i].shrink);
	}
}
