/* volume_change.h - what is done to records that stand in a volume: found after a crash,
 * deleted, erased.
 *
 * What writes is for the one that may: the writer of the store path, or fsck. */
#pragma once

#include "store/volume.h"

/* Where the next record may start: behind the last byte that is not zero, in bytes.
 * Reads no more than what was allocated ahead of the records. */
int volume_tail(struct volume *volume, uint64_t *tail, struct err *err);

/* Where the last batch of records before `tail` starts: everything before `*spot` was
 * flushed.  Reads back from the tail to the last header that is there. */
int volume_last_batch(struct volume *volume, uint64_t tail, uint32_t *spot, struct err *err);

enum volume_end { VOLUME_END_RIGHT, VOLUME_END_BLANK, VOLUME_END_OTHER };

/* How many of the blocks of `record` are its own: a record that a crash cut off has no end
 * mark, and the next one may have been put inside of it.  `*end`: what is where the end mark
 * should be. */
int volume_own_room(struct volume *volume, const struct record *record, uint32_t *room,
	enum volume_end *end, struct err *err);

/* Write a tombstone over the header of `id`, for a record that ends at byte `limit` of the
 * volume or before.  When ERR_NONE or ERR_GONE is what comes out, `*record` is the
 * tombstone, and nothing may be answered before the volume is flushed. */
int volume_remove(struct volume *volume, const struct file_id *id, int64_t now, uint64_t limit,
	struct record *record, struct err *err);

/* Overwrite the content that `record` covers, a tombstone or a picture whose bytes are in a
 * cold store, with zeros and give whole blocks back to the file system.  After a flush
 * volume_set_erased notes it. */
int volume_erase(struct volume *volume, const struct record *record, struct err *err);
int volume_set_erased(struct volume *volume, const struct record *record, struct err *err);

/* Write the header of `record` anew. */
int volume_write_header(struct volume *volume, const struct record *record, struct err *err);

/* Write the end mark of `record` anew. */
int volume_write_end(struct volume *volume, const struct record *record, struct err *err);

/* Note that a crash cut `record` off; what it claims behind byte `limit` is not its own. */
int volume_set_torn(
	struct volume *volume, const struct record *record, uint64_t limit, struct err *err);
