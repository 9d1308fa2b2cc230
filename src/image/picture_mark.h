/* picture_mark.h - a number in a picture, where decoders pass it over.
 *
 * It makes the bytes of a picture that is about to be stored unlike those of any other, so
 * that it can be told from others even if nobody knows under which id it was stored.  The
 * text "picstore 0123456789abcdef" is put into
 *
 *     JPEG        a comment (COM) behind the JFIF header
 *     PNG         a chunk tEXt, keyword Comment, before IEND
 *     GIF         a comment extension before the trailer
 *     WebP        a chunk PICS at the end, unknown to all
 *     AVIF, HEIC  a box `free` at the end
 *
 * Pixels stay as they are, and the length grows by the same for each number. */
#pragma once

#include "core/err.h"
#include "image/picture.h"

enum { PICTURE_MARK_MAX = 64 }; /* bytes that a mark adds at most */

/* Put `picture` with the mark into the empty `out`.  -1 with ERR_TRUNCATED if its outer form is not
 * that of a whole picture of `format`, ERR_UNSUPPORTED for PICTURE_NONE, ERR_TOO_LARGE if
 * `out` takes no more. */
int picture_mark(struct span picture, enum picture_format format, uint64_t number, struct buf *out,
	struct err *err);

/* Do these bytes have the mark, wherever? */
bool picture_has_mark(struct span picture, uint64_t number);
