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

static struct net_place of(uint64_t owner)
{
	return (struct net_place){ .owner = owner };
}

TEST(who_holds_much_waits_behind_those_who_hold_nothing)
{
	struct net_budget budget = { .limit = 100 };
	struct net_place greedy[4] = { of(1), of(1), of(1), of(1) }, modest = of(2);

	assert_true(net_budget_take(&budget, &greedy[0], 50, go));
	assert_true(net_budget_take(&budget, &greedy[1], 50, go));
	assert_false(net_budget_take(&budget, &greedy[2], 50, go));
	assert_false(net_budget_take(&budget, &greedy[3], 50, go));
	assert_false(net_budget_take(&budget, &modest, 60, go));
	net_budget_give(&budget, &greedy[0]); /* it is the turn of 60: nobody overtakes */
	assert_false(modest.held || greedy[2].held);
	greedy[1].since = 1;
	assert_ptr_equal(net_budget_laggard(&budget, 60000), &greedy[1]);
	net_budget_give(&budget, &modest); /* it goes */
	assert_true(greedy[2].held);
	assert_false(net_budget_take(&budget, &modest, 50, go));
	net_budget_give(&budget, &greedy[1]);
	assert_true(modest.held);
	assert_false(greedy[3].held);
}

TEST(who_holds_nothing_passes_a_line_that_waits_for_itself)
{
	struct net_budget budget = { .limit = 100 };
	struct net_place greedy[2] = { of(1), of(1) }, modest = of(2);

	assert_true(net_budget_take(&budget, &greedy[0], 60, go));
	assert_false(net_budget_take(&budget, &greedy[1], 60, go));
	assert_true(net_budget_take(&budget, &modest, 40, go));
	net_budget_give(&budget, &greedy[0]);
	assert_true(greedy[1].held);
}

TEST(the_slowest_is_the_laggard_but_only_while_somebody_waits)
{
	enum { START = 1000 };
	struct net_budget budget = { .limit = 200000 };
	struct net_place slow = of(1), slower = of(2), quick = of(3), unmeasured = of(4),
			 waits = of(5);

	assert_true(net_budget_take(&budget, &slow, 50000, go));
	assert_true(net_budget_take(&budget, &slower, 50000, go));
	assert_true(net_budget_take(&budget, &quick, 50000, go));
	assert_true(net_budget_take(&budget, &unmeasured, 50000, go));
	slow.since = slower.since = quick.since = START;
	slow.done = 1000;
	slower.done = 10;
	quick.done = 40000;
	assert_null(net_budget_laggard(&budget, START + 60000));
	assert_false(net_budget_take(&budget, &waits, 50000, go));
	assert_null(net_budget_laggard(&budget, START + NET_BUDGET_GRACE_MS - 1));
	assert_ptr_equal(net_budget_laggard(&budget, START + NET_BUDGET_GRACE_MS), &slower);
	net_budget_give(&budget, &slower);
	assert_true(waits.held);
	assert_null(net_budget_laggard(&budget, START + NET_BUDGET_GRACE_MS));
	assert_false(net_budget_take(&budget, &slower, 50000, go));
	assert_ptr_equal(net_budget_laggard(&budget, START + NET_BUDGET_GRACE_MS), &slow);
	slow.done = quick.done = 50000; /* the peers have done their part */
	assert_null(net_budget_laggard(&budget, START + 60000));
}
