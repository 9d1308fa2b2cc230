/* net_budget.h - memory that many share: who does not fit waits in turn.
 *
 * A place takes all it will need at once and waits while it holds nothing, so that
 * nobody waits in a circle.  More than the whole budget is granted when nobody else
 * holds anything. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct net_place {
	struct net_place *next, *prev;
	uint64_t bytes;
	bool waiting, held;
	void (*go)(struct net_place *place);
};

struct net_budget {
	uint64_t limit, used;
	struct net_place *first, *last; /* who waits */
	bool granting;
};

/* Take `bytes` for `place`.  True: held.  False: place->go is called when it is. */
bool net_budget_take(struct net_budget *budget, struct net_place *place, uint64_t bytes,
	void (*go)(struct net_place *place));

/* Give back what `place` holds, or leave the line; nothing if neither. */
void net_budget_give(struct net_budget *budget, struct net_place *place);
