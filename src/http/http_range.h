/* http_range.h - the Range header: which bytes of a picture are wanted.
 *
 * One range is answered with 206, one outside of the content with 416.  Several
 * ranges, other units and what is malformed are answered with everything, as
 * RFC 9110 allows: nobody reads pictures in several pieces at once. */
#pragma once

#include "core/buf.h"

enum http_range {
	HTTP_RANGE_WHOLE,   /* no range that counts: 200 */
	HTTP_RANGE_PART,    /* 206 */
	HTTP_RANGE_OUTSIDE, /* 416 */
};

/* Read `value` for a content of `size` bytes.  For HTTP_RANGE_PART `*first` and `*len`
 * are set to what is to be sent: len > 0 and first + len <= size. */
enum http_range http_range_parse(struct span value, uint64_t size, uint64_t *first, uint64_t *len);
