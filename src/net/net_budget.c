#include "net/net_budget.h"

#include <assert.h>
#include <stddef.h>

static bool fits(const struct net_budget *budget, uint64_t bytes)
{
	return budget->used == 0 ||
	       (bytes <= budget->limit && budget->used <= budget->limit - bytes);
}

static void hold(struct net_budget *budget, struct net_place *place)
{
	place->held = true;
	budget->used += place->bytes;
}

static void leave_line(struct net_budget *budget, struct net_place *place)
{
	*(place->prev == NULL ? &budget->first : &place->prev->next) = place->next;
	*(place->next == NULL ? &budget->last : &place->next->prev) = place->prev;
	place->next = place->prev = NULL;
	place->waiting = false;
}

bool net_budget_take(struct net_budget *budget, struct net_place *place, uint64_t bytes,
	void (*go)(struct net_place *place))
{
	assert(!place->held && !place->waiting);
	place->bytes = bytes;
	place->go = go;
	if (budget->first == NULL && fits(budget, bytes)) {
		hold(budget, place);
		return true;
	}
	place->waiting = true;
	place->next = NULL;
	place->prev = budget->last;
	*(budget->last == NULL ? &budget->first : &budget->last->next) = place;
	budget->last = place;
	return false;
}

void net_budget_give(struct net_budget *budget, struct net_place *place)
{
	if (place->waiting)
		leave_line(budget, place);
	else if (place->held)
		budget->used -= place->bytes;
	else
		return;
	place->held = false;
	if (budget->granting) /* the loop below goes on: no recursion as deep as the line is long */
		return;
	budget->granting = true;
	while (budget->first != NULL && fits(budget, budget->first->bytes)) {
		struct net_place *next = budget->first;

		leave_line(budget, next);
		hold(budget, next);
		next->go(next); /* may give back at once */
	}
	budget->granting = false;
}
