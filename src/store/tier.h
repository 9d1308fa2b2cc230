/* tier.h - a hot store with a cold one behind it, and pictures on their way between them.
 *
 * The hot store is an engine that notes where the bytes of each picture are (engine_shift):
 * volumes on this machine's disks.  It gives out the ids, and what it says of an id counts:
 * never there, deleted, here, or in the cold store.  So nothing is looked for in two places,
 * and a tombstone stays one.  The cold store keeps bytes under ids that are given to it.
 *
 *                what the hot store has noted, in the order of a move
 *     NONE       the bytes are here
 *     COPY       they are here; the cold store may have a copy: noted before one is made
 *     ONLY       the copy was read back and is right: that one counts
 *     EMPTY      the bytes here are erased, `punch_delay` later, for those that were sending them
 *
 * and back: the bytes are put in their old place, COPY, removed from the cold store, NONE.
 * Whatever is cut off at whatever point, the picture can be got, and the next move goes on.
 *
 * A delete writes the tombstone, then removes what the cold store may have, notes that, and
 * is answered; if the cold store cannot be asked it fails, though nobody gets the picture any more,
 * and has to be repeated.  A picture that is moved at this moment is deleted when that is
 * over: so no copy is made of what is deleted. */
#pragma once

#include "store/engine.h"

struct tier;

/* Put `cold` behind `hot`.  engine_close closes both. */
struct engine *engine_tiered_new(struct engine *hot, struct engine *cold);

/* Bring one picture where it is to be, from wherever an earlier try has left it; both wait,
 * and may be called from any thread.  ERR_BUSY if it is on its way already, ERR_GONE if it is
 * deleted, ERR_CORRUPT if the bytes do not match, ERR_FULL; other errors are those of the
 * cold store, and the picture is where it was.  `*moved`: whether its bytes were. */
int tier_out(struct tier *tier, const struct file_id *id, bool *moved, struct err *err);
int tier_back(struct tier *tier, const struct file_id *id, bool *moved, struct err *err);

/* Remove what the cold store may have of a picture that was deleted. */
int tier_sweep(struct tier *tier, const struct file_id *id, struct err *err);

/* Can the cold store be used, as far as is known? */
int tier_health(struct tier *tier, struct err *err);
