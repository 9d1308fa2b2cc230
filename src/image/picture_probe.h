/* picture_probe.h - decode a picture to learn whether it can be decoded.
 *
 * Runs in a confined worker: everything here trusts nothing but its own limits, and
 * may crash on a picture that finds a hole in a decoder. */
#pragma once

#include "image/picture.h"

#include <vips/vips.h>

/* Start libvips, with the loaders of `formats` (bits as in struct picture_limits)
 * and no others.  Returns those of `formats` that this libvips can read; 0 with err if
 * it does not start.  Once per process. */
unsigned picture_probe_init(unsigned formats, struct err *err);

/* Read the header of one picture, all of its frames, and hold it against the limits; no
 * pixel is decoded.  `*image` borrows `bytes` and is unreferenced by the caller.
 * ERR_NOT_A_PICTURE, ERR_PIXEL_BOMB or ERR_TRUNCATED. */
int picture_open(const struct picture_limits *limits, struct span bytes,
	struct picture_facts *facts, VipsImage **image, struct err *err);

/* "the jpeg <what>: <the reason that libvips gives>", ERR_TRUNCATED. */
int picture_damaged(struct err *err, enum picture_format format, const char *what);

/* Header, limits, then pixels, of one picture.  ERR_NOT_A_PICTURE, ERR_PIXEL_BOMB or
 * ERR_TRUNCATED. */
int picture_probe(const struct picture_limits *limits, struct span bytes,
	struct picture_facts *facts, struct err *err);
