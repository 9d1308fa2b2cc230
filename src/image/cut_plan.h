/* cut_plan.h - which part of a stored picture becomes which pixels.
 *
 * A wish is about the picture as it is shown; a plan is about the picture as its file has
 * it, which its EXIF orientation may turn and mirror.  Pure arithmetic. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What is wanted, in pixels of the picture as it is shown. */
struct cut_wish {
	uint32_t clip_w, clip_h;   /* 0: no clipping, the whole picture is fitted into the box */
	int32_t start_x, start_y;  /* may be negative, or behind the picture */
	uint32_t thumb_w, thumb_h; /* the box */
};

/* One direction of a picture as its file has it. */
struct cut_axis {
	uint32_t size;      /* pixels of the picture */
	int64_t start, len; /* of the rectangle; what lies outside the picture is white */
	uint32_t out;       /* pixels that are made of the rectangle */
};

struct cut_plan {
	struct cut_axis x, y;
	bool swap;               /* columns become rows: the result is y.out wide */
	bool mirror_x, mirror_y; /* then, of the result */
	uint32_t width, height;  /* of the result */
};

/* Plan a cut of a picture that its file has as `width` x `height` and that `orientation`
 * (1 to 8, as in EXIF; others are 1) turns.  Returns false if the wish makes no sense: a
 * box without pixels. */
bool cut_plan_make(const struct cut_wish *wish, uint32_t width, uint32_t height, int orientation,
	struct cut_plan *plan);

/* Pixels of the rectangle for each of the result, along the axis with fewer. */
double cut_plan_factor(const struct cut_plan *plan);

/* The largest of 1, 2, 4 and 8 by which the picture may be shrunk while it is decoded and
 * still have every pixel that the result needs. */
int cut_plan_shrink(const struct cut_plan *plan);
