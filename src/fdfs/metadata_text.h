/* metadata_text.h - FastDFS metadata: keys and values of a file.
 *
 * On the wire, and as it is kept, it is one text: records with 0x01 between them, each a
 * key, 0x02 and a value, sorted by key (as bytes), every key once.  A key has 1 to 64
 * bytes, a value up to 256. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum { METADATA_KEY_MAX = 64, METADATA_VALUE_MAX = 256 };

enum metadata_flag { METADATA_REPLACE = 'O', METADATA_MERGE = 'M' };

/* Append to `out` what becomes of `old` (as it is kept; empty: there is none) when `text`
 * arrives: its records alone, or merged into the old ones.  Records of `text` may stand
 * in any order; of two with the same key the later counts; those without 0x02 or without
 * a key are passed over, as FastDFS does.  Returns 0, or -1 with ERR_BAD_REQUEST if a key
 * or a value is too long. */
int metadata_change(enum metadata_flag flag, struct span old, struct span text, struct buf *out,
	struct err *err);

/* Read the record at the front of `*text` and take it off; false when there is none. */
bool metadata_next(struct span *text, struct span *key, struct span *value);
