/* cut.h - make a smaller picture of a picture.
 *
 * A rectangle of it, or all of it, is scaled into a box.  The result has the format of
 * the source, 8 bits a channel, in sRGB, upright, and nothing but pixels: no EXIF, no
 * profile.  Where the rectangle reaches outside the picture it is white.  Transparency
 * stays where the format has it and is white in JPEG.
 *
 * The work is done by a pool of confined processes, as in src/image/picture_jobs.h. */
#pragma once

#include "image/cut_plan.h"
#include "image/picture.h"

struct cut_rules {
	struct picture_limits limits; /* of the source; `decode` means nothing here */
	uint64_t max_pixels;          /* of the result, all frames together */
	int quality;                  /* 1 to 100, of formats that lose something */
	bool animated;                /* all frames, where there are several; else the first */
};

struct picture_cutter_conf {
	struct cut_rules rules;
	int workers;
	int64_t timeout_ms;  /* of one picture */
	uint64_t memory;     /* bytes that one worker may use for a picture */
	uint64_t max_bytes;  /* of one picture */
	uint64_t max_result; /* of what is made of it */
};

enum { CUT_SIDE_MAX = 16383 }; /* pixels; every format has so many */

struct picture_cutter;

/* As picture_checker_new. */
struct picture_cutter *picture_cutter_new(const struct picture_cutter_conf *conf, struct err *err);
void picture_cutter_free(struct picture_cutter *cutter);

/* The formats that can be cut here. */
unsigned picture_cutter_formats(const struct picture_cutter *cutter);

/* Cut `picture` and put the result into `result`, its facts into `*made`.  Any thread.
 * ERR_BAD_REQUEST when the box has no pixels, ERR_TOO_LARGE when it has too many; else as
 * picture_check. */
int picture_cut(struct picture_cutter *cutter, struct span picture, const struct cut_wish *wish,
	struct buf *result, struct picture_facts *made, struct err *err);
