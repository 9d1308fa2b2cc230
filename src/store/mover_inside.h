/* mover_inside.h - what the mover's files share; nobody else includes it. */
#pragma once

#include "store/mover.h"
#include "store/record.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MOVER_BATCH = 256 }; /* pictures that are looked for before they are moved */

enum mover_what { MOVE_OUT, MOVE_BACK, MOVE_SWEEP };

struct mover_item {
	struct file_id id;
	enum mover_what what;
	bool done;
};

struct mover_position {
	size_t path;
	int number; /* of the volume */
	uint32_t spot;
};

struct mover {
	struct mover_conf conf;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* Under `lock`: */
	struct mover_report now;
	bool stopping;
	unsigned orders;          /* so many have come */
	int64_t next_ms;          /* when the next bytes may go, for the rate */
	bool held_up;             /* by `now.trouble`: nothing more is begun */
	struct mover_position at; /* of the pass */
	uint64_t saved;           /* `now.moved`, as it stands in the file */

	/* The thread's own: */
	unsigned order; /* that it carries out: `orders` when it began */
	struct mover_order doing;
	bool first; /* pass over everything, not only over what is new */
	struct mover_position tails[ENGINE_ANY_PATH]; /* where new records began, by path */
	struct mover_item batch[MOVER_BATCH];
	size_t count;
	_Atomic size_t turn;
	uint32_t spot; /* that the batch reaches to */
};

static inline struct mover_position mover_start_of(size_t path)
{
	return (struct mover_position){ path, 0, VOLUME_FIRST_SPOT };
}

/* ---- mover_turns.c: whose turn it is ---- */

/* With the lock held: is there something else to do than what the thread does? */
bool mover_called_off(const struct mover *mover);

/* With the lock held: are the figures those of what the thread does? */
bool mover_is_its_own(const struct mover *mover);

/* The first, for whoever does not hold the lock. */
bool mover_is_called_off(struct mover *mover);

/* With the lock held.  Ends early when called off. */
void mover_wait_ms(struct mover *mover, int64_t ms);

/* Wait for the turn of `len` bytes.  False if they are not to go. */
bool mover_pace(struct mover *mover, uint64_t len);

/* ---- mover_file.c: what is on the disk ---- */

/* With the lock held. */
int mover_save(struct mover *mover, struct err *err);

/* Unless called off; a failure is told. */
void mover_save_or_say(struct mover *mover);

/* What makes no sense is an order that was done long ago. */
void mover_load(struct mover *mover);

/* ---- mover_batch.c: pictures on their way ---- */

/* Move all of the batch, however long it takes.  False if called off. */
bool mover_run_batch(struct mover *mover);

/* ---- mover_pass.c: what is to be moved ---- */

/* Carry the order out until it is called off. */
void mover_carry_out(struct mover *mover);
