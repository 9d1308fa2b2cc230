/* mover.h - the pictures of a storage brought to the cold store behind it, or back, slowly
 * and beside everything else.
 *
 * One order at a time is carried out, until it is done or another one comes.  A thread walks
 * over the volumes, and a few more move what is to be moved (tier.h).  Where it is stands in
 * STORE/moving of the first store path, so that a restart goes on:
 *
 *     moving ACTION BEFORE RATE PATH VOLUME SPOT LOOKED MOVED BYTES YOUNG FAILED
 *
 * all of them numbers; PATH is the number of store paths when all is done.  Whatever stands there,
 * each record says for itself where its bytes are: the position only saves time. */
#pragma once

#include "store/tier.h"

enum mover_action {
	MOVER_REST, /* nothing, and what was under way stops */
	MOVER_OUT,  /* to the cold store, what was stored before `before` */
	MOVER_STAY, /* everything, and what comes after it too */
	MOVER_BACK, /* from the cold store */
	MOVER_ACTIONS,
};

struct mover_order {
	enum mover_action action;
	int64_t before; /* Unix seconds; of MOVER_OUT */
	uint64_t rate;  /* bytes a second, at most; 0: as fast as it goes */
};

enum mover_state {
	MOVER_IDLE,    /* there is no order */
	MOVER_WORKING, /* */
	MOVER_WAITING, /* something must get well first: `trouble` says what */
	MOVER_SETTLED, /* MOVER_STAY: all is there; what comes follows in a second or so */
	MOVER_DONE,
	MOVER_STATES,
};

struct mover_report {
	struct mover_order order;
	enum mover_state state;
	uint64_t volumes, volumes_done; /* of this pass */
	uint64_t looked;                /* pictures */
	uint64_t moved, bytes;          /* and checked */
	uint64_t young;                 /* stayed, for their age */
	uint64_t failed;                /* stayed, and each is in the log */
	struct err trouble;             /* the last one */
};

struct mover_conf {
	struct tier *tier;
	const char *group;
	char *const *paths;
	size_t path_count;
	bool (*may)(void *context); /* false: nothing is to change now */
	/* A picture that cannot be moved, or (NULL) what keeps everything waiting. */
	void (*failed)(void *context, const struct file_id *id, const struct err *err);
	void *context;
};

struct mover;

/* Start, and go on with the order that stands in the file.  `conf` is copied, what it points
 * to must stay. */
struct mover *mover_start(const struct mover_conf *conf, struct err *err);
void mover_stop(struct mover *mover); /* waits for what is on its way; NULL is fine */

/* Take an order instead of the one before.  It is on the disk when 0 is returned.  The same
 * one once more, while it is carried out, changes nothing but the rate. */
int mover_command(struct mover *mover, const struct mover_order *order, struct err *err);

void mover_tell(struct mover *mover, struct mover_report *report);
