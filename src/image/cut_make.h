/* cut_make.h - cut one picture, in a confined worker.
 *
 * What is decoded is scaled row by row; colours are converted, alpha is flattened and the
 * picture is turned when it is small already. */
#pragma once

#include "image/cut.h"

/* Write the cut picture to `room` and its facts to `*made`.  Returns its length, or 0 with
 * ERR_BAD_REQUEST (a box without pixels), ERR_TOO_LARGE (the box is over the limit, or
 * what comes out), ERR_NOT_A_PICTURE, ERR_PIXEL_BOMB or ERR_TRUNCATED. */
size_t cut_make(const struct cut_rules *rules, struct span bytes, const struct cut_wish *wish,
	uint8_t *room, size_t room_len, struct picture_facts *made, struct err *err);
