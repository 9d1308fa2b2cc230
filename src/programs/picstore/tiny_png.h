/* tiny_png.h - a small picture made from nothing, for self-tests. */
#pragma once

#include "core/buf.h"

enum { TINY_PNG_SIDE = 48 }; /* pixels */

/* Append a whole PNG of coloured noise, about 7 KB, to `out`; another seed gives other
 * bytes. */
void tiny_png(struct buf *out, uint64_t seed);
