/* active.h - the volume of a store path that new records are appended to.
 *
 * Files are allocated ahead of the records in steps, so that a file's size rarely
 * changes, and a little of that is overwritten with zeros: records that land in blocks
 * which were written before need no journal of the file system's to become durable.
 *
 * Used by the writer's thread alone. */
#pragma once

#include "store/volume.h"

enum {
	ACTIVE_GAPS = 256,
	ACTIVE_AHEAD = 256, /* volume numbers that active_claim may pass over */
};

/* A piece of a volume that the tail was moved past, so that nothing is there. */
struct active_gap {
	uint16_t number;
	uint64_t from, to;
};

struct active {
	/* The owner sets these: */
	struct volume_store store;
	uint64_t volume_size, preallocate, reserved_space;
	int64_t (*now)(void);

	struct volume *volume; /* NULL: the next record makes volume `next_number` */
	uint32_t next_number;
	uint64_t tail;      /* where the next record goes */
	uint64_t allocated; /* the file's size */
	uint64_t zeroed;    /* zeros have been written up to here */
	bool dead;          /* a flush failed, and then a new volume could not be made */
	struct active_gap gaps[ACTIVE_GAPS]; /* of active_claim, the newest last */
	size_t gap_count;
};

/* Go on with the newest volume, if there is one, behind its last record.  After a crash
 * the records of its last batch are checked, and those that were cut off are noted as
 * torn.  Reads the same little however many pictures there are. */
int active_open(struct active *active, struct err *err);

/* Give back what was allocated and not used, and let the volume go. */
void active_close(struct active *active);

/* Would a record of `len` bytes go to the same volume as the one before it? */
bool active_fits(const struct active *active, uint64_t len);

/* Find the place for a record of `len` bytes, a multiple of RECORD_BLOCK, in a new volume
 * if need be; records placed in the old one must be written by then (active_fits).
 * Returns 0 and the volume and offset are `volume` and `tail`, until active_advance.
 * ERR_FULL when only the reserve is left. */
int active_place(struct active *active, uint64_t len, struct err *err);

/* The place is taken: the next record goes behind it. */
void active_advance(struct active *active, uint64_t len);

/* To be called before `len` bytes of records, placed last, are written. */
void active_prepare(struct active *active, uint64_t len);

/* Find out if a record of `len` bytes may go to `offset` of volume `number`, and if so take that
 * place: at the tail or behind it, or in a gap that an earlier call has left.  Records placed
 * before must be written by then.  With `number` above that of the volume in use a new one is
 * made and used from now on.  ERR_EXISTS: something may be there. */
int active_claim(
	struct active *active, uint16_t number, uint64_t offset, uint64_t len, struct err *err);
