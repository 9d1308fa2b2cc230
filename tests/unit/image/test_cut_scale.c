#include "image/cut_scale.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* Scale a picture that is made by `colour`; the result has width x height bytes or is
 * empty. */
static struct cut_scale *scale_of(
	struct cut_axis x, struct cut_axis y, uint8_t (*colour)(uint32_t x, uint32_t y))
{
	struct cut_scale *scale = cut_scale_new(&(struct cut_scale_conf){
		.x = x,
		.y = y,
		.width = x.size,
		.height = y.size,
		.load_x = 1,
		.load_y = 1,
		.channels = 1,
	});
	struct cut_run columns = cut_scale_columns(scale), rows = cut_scale_rows(scale);
	uint8_t *row = malloc(x.size);

	assert_non_null(row);
	for (uint32_t at = rows.from; at < rows.to; at++) {
		for (uint32_t i = columns.from; i < columns.to; i++)
			row[i] = colour(i, at);
		cut_scale_put(scale, row + columns.from);
	}
	free(row);
	return scale;
}

static uint8_t ramp(uint32_t x, uint32_t y)
{
	(void)y;
	return (uint8_t)x;
}

static uint8_t halves(uint32_t x, uint32_t y)
{
	(void)y;
	return x < 50 ? 10 : 240;
}

static uint8_t flat(uint32_t x, uint32_t y)
{
	(void)x;
	(void)y;
	return 77;
}

static struct cut_axis axis(uint32_t size, int64_t start, int64_t len, uint32_t out)
{
	return (struct cut_axis){ .size = size, .start = start, .len = len, .out = out };
}

TEST(pixels_that_are_not_scaled_stay_as_they_are)
{
	struct cut_scale *scale = scale_of(axis(200, 13, 100, 100), axis(9, 2, 5, 5), ramp);

	assert_int_equal(cut_scale_out_columns(scale).to, 100);
	assert_int_equal(cut_scale_out_rows(scale).to, 5);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(cut_scale_out(scale)[i], 13 + i % 100);
	cut_scale_free(scale);
}

TEST(a_flat_picture_stays_flat_at_every_scale)
{
	static const struct {
		int64_t len;
		uint32_t out;
	} cases[] = { { 100, 1 }, { 100, 3 }, { 100, 33 }, { 100, 99 }, { 100, 101 }, { 100, 1000 },
		{ 3, 50 }, { 1, 1 }, { 1, 50 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cut_axis a = axis(100, 0, cases[i].len, cases[i].out);
		struct cut_scale *scale = scale_of(a, a, flat);

		assert_int_equal(cut_scale_out_columns(scale).to, cases[i].out);
		for (uint32_t at = 0; at < cases[i].out * cases[i].out; at++)
			assert_int_equal(cut_scale_out(scale)[at], 77);
		cut_scale_free(scale);
	}
}

TEST(nothing_outside_the_rectangle_shines_in)
{
	for (uint32_t out = 1; out < 200; out += 13) {
		struct cut_scale *scale = scale_of(
			axis(100, 0, 50, out), axis(100, 0, 50, out), halves);

		for (uint32_t at = 0; at < out * out; at++)
			assert_int_equal(cut_scale_out(scale)[at], 10);
		cut_scale_free(scale);
	}
}

TEST(columns_and_rows_outside_the_picture_are_told)
{
	/* -50 to 150 of a picture of 100, in 20 steps of 10 */
	struct cut_scale *scale = scale_of(axis(100, -50, 200, 20), axis(100, -5, 10, 1), flat);

	assert_int_equal(cut_scale_out_columns(scale).from, 5);
	assert_int_equal(cut_scale_out_columns(scale).to, 15);
	assert_true(cut_scale_cover_x(scale, 4) == 0);
	assert_true(cut_scale_cover_x(scale, 5) == 1);
	assert_true(cut_scale_cover_x(scale, 14) == 1);
	assert_true(cut_scale_cover_x(scale, 15) == 0);
	assert_true(cut_scale_cover_y(scale, 0) == 0.5F);
	cut_scale_free(scale);
}

TEST(a_rectangle_outside_needs_no_row)
{
	static const struct {
		int64_t start, len;
	} cases[] = { { 100, 10 }, { -10, 10 }, { INT32_MAX, UINT32_MAX },
		{ -(int64_t)UINT32_MAX, UINT32_MAX } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cut_scale *scale = scale_of(
			axis(100, cases[i].start, cases[i].len, 10), axis(100, 0, 10, 10), flat);

		assert_int_equal(cut_scale_rows(scale).to, cut_scale_rows(scale).from);
		assert_int_equal(
			cut_scale_out_columns(scale).to, cut_scale_out_columns(scale).from);
		assert_true(cut_scale_cover_x(scale, 3) == 0);
		cut_scale_free(scale);
	}
}

TEST(a_picture_in_an_enormous_rectangle_is_a_trace)
{
	struct cut_scale *scale = scale_of(
		axis(100, INT32_MIN, UINT32_MAX, 16383), axis(100, INT32_MIN, UINT32_MAX, 3), flat);

	assert_int_equal(cut_scale_out_columns(scale).to - cut_scale_out_columns(scale).from, 1);
	assert_int_equal(cut_scale_out(scale)[0], 77);
	assert_true(cut_scale_cover_x(scale, cut_scale_out_columns(scale).from) < 0.001F);
	cut_scale_free(scale);
}

TEST(the_middle_of_a_ramp_is_where_it_was)
{
	for (uint32_t out = 2; out < 400; out += 7) {
		struct cut_scale *scale = scale_of(axis(256, 0, 256, out), axis(4, 0, 4, 1), ramp);

		for (uint32_t i = 0; i < out; i++) {
			double want = (i + 0.5) * 256 / out - 0.5;

			assert_true(abs((int)cut_scale_out(scale)[i] - (int)(want + 0.5)) <= 3);
		}
		cut_scale_free(scale);
	}
}
