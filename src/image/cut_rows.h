/* cut_rows.h - the pixels of a picture, row by row, whatever its format.
 *
 * Runs in a confined worker. */
#pragma once

#include "image/cut_jpeg.h"
#include "image/cut_scale.h"
#include "image/picture_probe.h"

struct cut_rows {
	uint32_t width, height; /* of a frame as it is decoded, which may be shrunk */
	int channels;           /* 1 to 4, a byte each */
	bool alpha;             /* the last one is */
	bool cmyk;
	uint32_t frames;

	enum picture_format format;
	bool is_jpeg; /* read by `jpeg`, else by `image` */
	struct cut_jpeg_in jpeg;
	VipsImage *image;
};

/* Open a picture that is `facts` and whose header is all right, to read it as `plan` needs
 * it: no larger than need be, and only its first frame unless `animated`. */
int cut_rows_open(struct cut_rows *rows, struct span bytes, const struct picture_facts *facts,
	const struct cut_plan *plan, bool animated, struct err *err);
void cut_rows_close(struct cut_rows *rows);

/* Give `scale` the rows that it needs of a frame; frames come in order. */
int cut_rows_feed(struct cut_rows *rows, uint32_t frame, struct cut_scale *scale, struct err *err);
