/* utf8.h - characters in bytes. */
#pragma once

#include "core/buf.h"

/* The length of the character at the front of `text`, which is not empty, and its number; 0
 * if it is none: overlong, a surrogate, beyond U+10FFFF, cut off. */
size_t utf8_next(struct span text, uint32_t *point);
