#include "net/net_budget.h"

#include "unit.h"

static int goes;

static void go(struct net_place *place)
{
	(void)place;
	goes++;
}

TEST(who_does_not_fit_waits_in_turn)
{
	struct net_budget budget = { .limit = 100 };
	struct net_place a = { 0 }, b = { 0 }, c = { 0 };

	goes = 0;
	assert_true(net_budget_take(&budget, &a, 60, go));
	assert_false(net_budget_take(&budget, &b, 60, go));
	assert_false(net_budget_take(&budget, &c, 10, go)); /* would fit, but b was first */
	assert_int_equal(goes, 0);
	net_budget_give(&budget, &a);
	assert_int_equal(goes, 2);
	assert_true(b.held && c.held);
	net_budget_give(&budget, &b);
	net_budget_give(&budget, &c);
	net_budget_give(&budget, &c);
	assert_int_equal(budget.used, 0);
}

TEST(who_leaves_the_line_lets_the_next_in)
{
	struct net_budget budget = { .limit = 100 };
	struct net_place a = { 0 }, b = { 0 }, c = { 0 };

	goes = 0;
	assert_true(net_budget_take(&budget, &a, 60, go));
	assert_false(net_budget_take(&budget, &b, 60, go));
	assert_false(net_budget_take(&budget, &c, 10, go));
	net_budget_give(&budget, &b);
	assert_int_equal(goes, 1);
	assert_true(c.held);
}

TEST(more_than_everything_is_granted_to_who_is_alone)
{
	struct net_budget budget = { .limit = 100 };
	struct net_place a = { 0 }, b = { 0 };

	goes = 0;
	assert_true(net_budget_take(&budget, &a, 1000, go));
	assert_false(net_budget_take(&budget, &b, 1000, go));
	net_budget_give(&budget, &a);
	assert_true(b.held);
}
