/* proxy_seq.h - which request a reply of a back end belongs to.
 *
 * Callers choose their seq as they like, and many may choose the same.  On its way to a
 * back end a request gets a seq of this table instead, which finds it again:
 *
 *     bits 0 to 11    slot
 *     bits 12 to 31   how often the slot was used before
 *
 * So a reply that comes a second time, or was made up, finds nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PROXY_SEQ_MAX = 4096 }; /* that can be under way */

struct proxy_slot {
	uint32_t seq;
	bool used;
	bool left; /* nobody waits for the reply any more */
	uint16_t next;
	uint64_t end; /* where its package ends in what was sent */
	void *owner;
};

struct proxy_seq {
	struct proxy_slot *slots;
	uint16_t size, count, left;
	uint16_t first, last; /* free ones; the one that is free longest is used first */
};

/* `size` is 1 to PROXY_SEQ_MAX. */
void proxy_seq_init(struct proxy_seq *table, unsigned size);
void proxy_seq_fini(struct proxy_seq *table);

/* A slot for `owner`, with the seq to send; NULL if all are in use. */
struct proxy_slot *proxy_seq_take(struct proxy_seq *table, void *owner);

/* The slot that was taken with this seq and not given back since; else NULL. */
struct proxy_slot *proxy_seq_find(struct proxy_seq *table, uint32_t seq);

/* Its owner has gone.  The slot stays in use until the reply comes. */
void proxy_seq_leave(struct proxy_seq *table, struct proxy_slot *slot);

void proxy_seq_give(struct proxy_seq *table, struct proxy_slot *slot);
