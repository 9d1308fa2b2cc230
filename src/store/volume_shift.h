/* volume_shift.h - a picture's bytes leave the volume for a cold store, or come back.
 *
 * The record stays, and says which (record.h, "cold").  For the writer of the store path: all
 * volume_shift_refill of a batch, a flush, all volume_shift_note, a flush, answers; bytes are
 * on the disk before a header says that they are. */
#pragma once

#include "store/volume.h"

/* For one with `back`: put the content in the place that the record has kept for it.  Nothing
 * if the bytes are there.  `*wrote`: it has written, and a flush must follow. */
int volume_shift_refill(
	struct volume *volume, const struct engine_shift *shift, bool *wrote, struct err *err);

/* Note what struct engine_shift says; `*record` is the record then.  What is true already is
 * written again for the flush, since it may be in memory only. */
int volume_shift_note(struct volume *volume, const struct engine_shift *shift,
	struct record *record, struct err *err);
