#include "moving/name_set.h"

#include "auth/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t key_of(const char *name)
{
	uint8_t out[DIGEST_LEN];
	uint64_t key;

	digest(span_str(name), out);
	key = load_be64(out);
	return key == 0 ? 1 : key;
}

static uint64_t *slot_of(uint64_t *slots, size_t size, uint64_t key)
{
	size_t at = key & (size - 1);

	while (slots[at] != 0 && slots[at] != key)
		at = (at + 1) & (size - 1);
	return &slots[at];
}

static void grow(struct name_set *set)
{
	size_t size = set->size == 0 ? 1024 : set->size * 2;
	uint64_t *slots = calloc(size, sizeof *slots);

	assert(slots != NULL);
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i] != 0)
			*slot_of(slots, size, set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->size = size;
}

void name_set_fini(struct name_set *set)
{
	free(set->slots);
	*set = (struct name_set){ 0 };
}

bool name_set_add(struct name_set *set, const char *name)
{
	uint64_t key = key_of(name), *slot;

	if (set->count * 4 >= set->size * 3)
		grow(set);
	slot = slot_of(set->slots, set->size, key);
	if (*slot == key)
		return false;
	*slot = key;
	set->count++;
	return true;
}

bool name_set_has(const struct name_set *set, const char *name)
{
	uint64_t key = key_of(name);

	return set->size > 0 && *slot_of(set->slots, set->size, key) == key;
}
