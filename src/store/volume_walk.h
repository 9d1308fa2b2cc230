/* volume_walk.h - everything that stands in a volume, from front to back.
 *
 * A walk trusts a record's length only when its end mark is there or its content is
 * right, and otherwise looks for the next header at every block, so that neither a
 * record that a crash cut off nor damage hides what lies behind it.  Holes are passed
 * over.  Safe beside the writer. */
#pragma once

#include "store/volume.h"

enum walk_what {
	WALK_PICTURE,
	WALK_TOMBSTONE, /* record.kind tells whether it is erased */
	WALK_CORRUPT,   /* header or content have changed; err says how */
	WALK_TORN,      /* an upload that a crash cut off, or that is being written right now */
	WALK_UNKNOWN,   /* blocks that belong to no record */
};

struct walk_found {
	enum walk_what what;
	uint64_t offset;
	uint64_t len;    /* of the record's own blocks; of UNKNOWN, bytes with something in them */
	bool has_record; /* a header that is damaged tells nothing */
	bool no_end;     /* a picture that is right but lacks the end mark in its last block */
	struct record record;
	struct err err;
};

/* Call `found` for each thing from block `spot` on until it returns false.  With `content` contents
 * are read too.  Returns 0, also when `found` stopped it, or -1 with err. */
int volume_walk(struct volume *volume, uint32_t spot, bool content,
	bool (*found)(void *context, const struct walk_found *found), void *context,
	struct err *err);
