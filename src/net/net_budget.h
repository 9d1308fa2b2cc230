/* net_budget.h - memory that many share: who does not fit waits in turn.
 *
 * A place takes all it will need at once and waits while it holds nothing, so that
 * nobody waits in a circle.  More than the whole budget is granted when nobody else
 * holds anything.
 *
 * Turns are fair between owners, which are the addresses of peers: next is the place whose
 * owner holds least, and of those with equally little the one that came first.  So whoever
 * takes many places waits for himself, and hardly holds up others.
 *
 * And nobody may hold up others by dawdling: as long as somebody waits, net_budget_laggard
 * names the place that would be held longest at the pace of its peer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	NET_BUDGET_OWNERS = 256,    /* owners with the same remainder count as one */
	NET_BUDGET_GRACE_MS = 2000, /* before a pace is judged */
	NET_BUDGET_LEFT_MS = 10000, /* a peer that will be through in this time is waited for */
};

struct net_place {
	struct net_place *next, *prev; /* in the line, or of those that hold */
	uint64_t owner;                /* set by the caller, before it takes */
	uint64_t bytes;
	bool waiting, held;
	void (*go)(struct net_place *place);
	/* Set by the caller while it holds: */
	int64_t since; /* when the peer could begin to send or take the bytes; 0: not yet */
	uint64_t done; /* of them */
};

struct net_budget {
	uint64_t limit, used;
	struct net_place *first, *last; /* who waits */
	struct net_place *holders;
	uint64_t held_by[NET_BUDGET_OWNERS];
	bool granting;
};

/* Take `bytes` for `place`.  True: held.  False: place->go is called when it is. */
bool net_budget_take(struct net_budget *budget, struct net_place *place, uint64_t bytes,
	void (*go)(struct net_place *place));

/* Give back what `place` holds, or leave the line; nothing if neither. */
void net_budget_give(struct net_budget *budget, struct net_place *place);

/* The place that is to be given back by force, or NULL; `now` is on the clock of `since`. */
struct net_place *net_budget_laggard(const struct net_budget *budget, int64_t now);
