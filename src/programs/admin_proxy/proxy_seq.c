#include "programs/admin_proxy/proxy_seq.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOT_BITS = 12, NONE = UINT16_MAX };

static void put_free(struct proxy_seq *table, uint16_t at)
{
	table->slots[at].next = NONE;
	if (table->first == NONE)
		table->first = at;
	else
		table->slots[table->last].next = at;
	table->last = at;
}

void proxy_seq_init(struct proxy_seq *table, unsigned size)
{
	assert(size >= 1 && size <= PROXY_SEQ_MAX);
	*table = (struct proxy_seq){ .size = (uint16_t)size, .first = NONE, .last = NONE };
	table->slots = calloc(size, sizeof *table->slots);
	assert(table->slots != NULL);
	for (unsigned at = 0; at < size; at++) {
		table->slots[at].seq = at;
		put_free(table, (uint16_t)at);
	}
}

void proxy_seq_fini(struct proxy_seq *table)
{
	free(table->slots);
	*table = (struct proxy_seq){ 0 };
}

struct proxy_slot *proxy_seq_take(struct proxy_seq *table, void *owner)
{
	struct proxy_slot *slot;

	if (table->first == NONE)
		return NULL;
	slot = &table->slots[table->first];
	table->first = slot->next;
	slot->seq += 1U << SLOT_BITS; /* wraps: a million uses later */
	slot->used = true;
	slot->left = false;
	slot->owner = owner;
	table->count++;
	return slot;
}

struct proxy_slot *proxy_seq_find(struct proxy_seq *table, uint32_t seq)
{
	uint32_t at = seq & ((1U << SLOT_BITS) - 1);
	struct proxy_slot *slot = at < table->size ? &table->slots[at] : NULL;

	return slot != NULL && slot->used && slot->seq == seq ? slot : NULL;
}

void proxy_seq_leave(struct proxy_seq *table, struct proxy_slot *slot)
{
	assert(slot->used && !slot->left);
	slot->left = true;
	slot->owner = NULL;
	table->left++;
}

void proxy_seq_give(struct proxy_seq *table, struct proxy_slot *slot)
{
	assert(slot->used);
	if (slot->left)
		table->left--;
	slot->used = slot->left = false;
	slot->owner = NULL;
	table->count--;
	put_free(table, (uint16_t)(slot - table->slots));
}
