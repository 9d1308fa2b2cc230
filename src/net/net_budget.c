#include "net/net_budget.h"

#include <assert.h>
#include <stddef.h>

static bool fits(const struct net_budget *budget, uint64_t bytes)
{
	return budget->used == 0 ||
	       (bytes <= budget->limit && budget->used <= budget->limit - bytes);
}

static uint64_t *held_by(struct net_budget *budget, const struct net_place *place)
{
	return &budget->held_by[place->owner % NET_BUDGET_OWNERS];
}

static void hold(struct net_budget *budget, struct net_place *place)
{
	place->held = true;
	place->since = 0;
	place->done = 0;
	place->prev = NULL;
	place->next = budget->holders;
	if (place->next != NULL)
		place->next->prev = place;
	budget->holders = place;
	budget->used += place->bytes;
	*held_by(budget, place) += place->bytes;
}

static void let_go(struct net_budget *budget, struct net_place *place)
{
	*(place->prev == NULL ? &budget->holders : &place->prev->next) = place->next;
	if (place->next != NULL)
		place->next->prev = place->prev;
	place->next = place->prev = NULL;
	budget->used -= place->bytes;
	*held_by(budget, place) -= place->bytes;
	place->held = false;
}

static void leave_line(struct net_budget *budget, struct net_place *place)
{
	*(place->prev == NULL ? &budget->first : &place->prev->next) = place->next;
	*(place->next == NULL ? &budget->last : &place->next->prev) = place->prev;
	place->next = place->prev = NULL;
	place->waiting = false;
}

/* Whose turn it is. */
static struct net_place *next_in_turn(struct net_budget *budget)
{
	struct net_place *best = budget->first;

	for (struct net_place *place = best; place != NULL && *held_by(budget, best) > 0;
		place = place->next)
		if (*held_by(budget, place) < *held_by(budget, best))
			best = place;
	return best;
}

bool net_budget_take(struct net_budget *budget, struct net_place *place, uint64_t bytes,
	void (*go)(struct net_place *place))
{
	assert(!place->held && !place->waiting);
	place->bytes = bytes;
	place->go = go;
	place->waiting = true;
	place->next = NULL;
	place->prev = budget->last;
	*(budget->last == NULL ? &budget->first : &budget->last->next) = place;
	budget->last = place;
	if (!fits(budget, bytes) || next_in_turn(budget) != place)
		return false;
	leave_line(budget, place);
	hold(budget, place);
	return true;
}

void net_budget_give(struct net_budget *budget, struct net_place *place)
{
	struct net_place *next;

	if (place->waiting)
		leave_line(budget, place);
	else if (place->held)
		let_go(budget, place);
	else
		return;
	if (budget->granting) /* the loop below goes on: no recursion as deep as the line is long */
		return;
	budget->granting = true;
	while ((next = next_in_turn(budget)) != NULL && fits(budget, next->bytes)) {
		leave_line(budget, next);
		hold(budget, next);
		next->go(next); /* may give back at once */
	}
	budget->granting = false;
}

struct net_place *net_budget_laggard(const struct net_budget *budget, int64_t now)
{
	struct net_place *worst = NULL;
	double most_ms = NET_BUDGET_LEFT_MS;

	if (budget->first == NULL)
		return NULL;
	for (struct net_place *place = budget->holders; place != NULL; place = place->next) {
		int64_t elapsed_ms = now - place->since;
		double left_ms;

		if (place->since == 0 || place->done >= place->bytes ||
			elapsed_ms < NET_BUDGET_GRACE_MS)
			continue;
		left_ms = (double)(place->bytes - place->done) * (double)elapsed_ms /
			  ((double)place->done + 1);
		if (left_ms > most_ms) {
			most_ms = left_ms;
			worst = place;
		}
	}
	return worst;
}
