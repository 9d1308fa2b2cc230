/* http_date.h - times in HTTP headers: "Wed, 30 Jan 2019 02:53:45 GMT".
 *
 * Only this one form is written and read.  The two older ones that RFC 9110 tells
 * recipients to know have been sent by nobody for decades; to If-Modified-Since and
 * If-Range an unknown date means that the condition is not there. */
#pragma once

#include "core/buf.h"

enum { HTTP_DATE_LEN = 29 }; /* without the NUL */

/* Write `time` (Unix seconds, years 1970 to 9999) and a NUL to `out`. */
void http_date_format(int64_t time, char out[HTTP_DATE_LEN + 1]);

/* Read exactly one date.  Returns false, and leaves `*time` alone, if `text` is
 * anything else: a day that the month does not have, a wrong weekday. */
bool http_date_parse(struct span text, int64_t *time);
