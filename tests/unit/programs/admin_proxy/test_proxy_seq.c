#include "programs/admin_proxy/proxy_seq.h"
#include "unit.h"

TEST(finds_the_owner_by_the_seq)
{
	struct proxy_seq table;
	int owners[3];
	struct proxy_slot *slots[3];

	proxy_seq_init(&table, 3);
	for (int i = 0; i < 3; i++)
		slots[i] = proxy_seq_take(&table, &owners[i]);
	assert_null(proxy_seq_take(&table, NULL)); /* full */
	assert_int_equal(table.count, 3);
	for (int i = 2; i >= 0; i--) {
		assert_ptr_equal(proxy_seq_find(&table, slots[i]->seq), slots[i]);
		assert_ptr_equal(slots[i]->owner, &owners[i]);
	}
	proxy_seq_fini(&table);
}

TEST(a_second_reply_finds_nothing)
{
	struct proxy_seq table;
	struct proxy_slot *slot;
	uint32_t seq;

	proxy_seq_init(&table, 1);
	slot = proxy_seq_take(&table, NULL);
	seq = slot->seq;
	proxy_seq_give(&table, slot);
	assert_null(proxy_seq_find(&table, seq));
	slot = proxy_seq_take(&table, NULL); /* the same slot again */
	assert_null(proxy_seq_find(&table, seq));
	assert_non_null(proxy_seq_find(&table, slot->seq));
	proxy_seq_fini(&table);
}

TEST(a_reply_to_nothing_finds_nothing)
{
	static const uint32_t made_up[] = { 0, 1, 2, 3, 0xfff, 0x1000, 0x1003, UINT32_MAX };
	struct proxy_seq table;

	proxy_seq_init(&table, 3);
	for (unsigned i = 0; i < sizeof made_up / sizeof made_up[0]; i++)
		assert_null(proxy_seq_find(&table, made_up[i]));
	proxy_seq_fini(&table);
}

TEST(a_slot_whose_owner_left_stays_in_use_until_the_reply_comes)
{
	struct proxy_seq table;
	struct proxy_slot *slot, *other;
	int owner;
	uint32_t seq;

	proxy_seq_init(&table, 2);
	slot = proxy_seq_take(&table, &owner);
	seq = slot->seq;
	proxy_seq_leave(&table, slot);
	assert_int_equal(table.left, 1);
	assert_int_equal(table.count, 1);
	other = proxy_seq_take(&table, &owner);
	assert_non_null(other);
	assert_null(proxy_seq_take(&table, &owner));
	assert_ptr_equal(proxy_seq_find(&table, seq), slot);
	assert_null(slot->owner);
	proxy_seq_give(&table, slot);
	assert_int_equal(table.left, 0);
	assert_non_null(proxy_seq_take(&table, &owner));
	proxy_seq_fini(&table);
}

TEST(no_seq_is_used_twice_in_a_million)
{
	struct proxy_seq table;
	uint32_t before = 0;

	proxy_seq_init(&table, PROXY_SEQ_MAX);
	for (int round = 0; round < 1000; round++)
		for (int i = 0; i < PROXY_SEQ_MAX; i++) {
			struct proxy_slot *slot = proxy_seq_take(&table, &table);

			/* Slots take turns, so seqs only grow within one. */
			assert_true(round == 0 || slot->seq != before);
			assert_int_equal(slot->seq >> 12, round + 1);
			before = slot->seq;
			proxy_seq_give(&table, slot);
		}
	proxy_seq_fini(&table);
}
