/* cut_scale.h - scale rows of pixels, as they are decoded, into a small picture.
 *
 * Each pixel of the result is the weighted mean (Lanczos, 3 lobes) of the pixels under
 * and around it, none of them outside the rectangle.  The rectangle need not lie on whole
 * pixels of what was decoded: a picture that was shrunk while it was decoded gives the
 * same result, but for what shrinking lost.  Where the factor is large, boxes of pixels
 * are averaged first.  Memory is a few rows. */
#pragma once

#include "image/cut_plan.h"

#include <stddef.h>

struct cut_scale_conf {
	struct cut_axis x, y;
	uint32_t width, height; /* of the picture as it is decoded, which may be shrunk */
	double load_x, load_y;  /* decoded pixels for each one of the file: 1, 0.5, ... */
	int channels;           /* 1 to 4, a byte each */
	bool alpha;             /* the last one is */
};

/* A run of pixels. */
struct cut_run {
	uint32_t from, to; /* `to` is behind the last */
};

struct cut_scale;

struct cut_scale *cut_scale_new(const struct cut_scale_conf *conf);
void cut_scale_free(struct cut_scale *scale);

/* Which of the decoded columns and rows are needed; empty when the rectangle lies
 * outside the picture. */
struct cut_run cut_scale_columns(const struct cut_scale *scale);
struct cut_run cut_scale_rows(const struct cut_scale *scale);

/* Take the next row that is needed: `pixels` begins with the first needed column. */
void cut_scale_put(struct cut_scale *scale, const uint8_t *pixels);

/* The columns and rows of the result that show some of the picture, the others being
 * white, and these pixels, without gaps, in the channels of the picture.  Valid when all
 * rows were put, until cut_scale_free. */
struct cut_run cut_scale_out_columns(const struct cut_scale *scale);
struct cut_run cut_scale_out_rows(const struct cut_scale *scale);
uint8_t *cut_scale_out(const struct cut_scale *scale);

/* How much of a column or row of the result the picture covers, 0 to 1. */
float cut_scale_cover_x(const struct cut_scale *scale, uint32_t column);
float cut_scale_cover_y(const struct cut_scale *scale, uint32_t row);
