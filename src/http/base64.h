/* base64.h - bytes from the standard alphabet of RFC 4648, as JSON carries them. */
#pragma once

#include "core/buf.h"

/* Append the bytes that `text` stands for to `out`.  Padding may be there or not; line
 * breaks and blanks, which some encoders put in, are passed over.  Returns false, and
 * leaves the bytes in `out` as they were, if there are other characters, padding is
 * wrong, or `out` has no room for text.len / 4 * 3 + 3 bytes more. */
bool base64_decode(struct span text, struct buf *out);
