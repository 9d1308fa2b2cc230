/* proto_kit.h - bytes as they were captured, and those that were written, for the tests of the
 * FastDFS protocol. */
#pragma once

#include "core/buf.h"

#define G01    "673031............."
#define G02    "673032............."
#define LOCAL2 "3132372e302e302e32......"
#define NAME   "M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg"

/* Bytes from hex digits and blanks; '.' stands for a zero byte.  Until the next call. */
struct span hex(const char *text);

/* What the function under test has written. */
extern struct buf out;

/* The same, empty. */
struct buf *fresh(void);

/* The test fails unless `out` has these bytes, written as for hex(). */
void expect(const char *text);
