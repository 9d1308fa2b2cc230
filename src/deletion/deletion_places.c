/* deletion_places.c - the places of a deletion, found by picture and cache: a picture may have
 * tens of thousands of slaves. */
#include "deletion/deletion.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 16 };

void deletion_init(struct deletion *deletion, const struct file_id *id)
{
	*deletion = (struct deletion){ .id = *id };
}

void deletion_fini(struct deletion *deletion)
{
	for (size_t i = 0; i < deletion->count; i++)
		free(deletion->places[i].cache);
	free(deletion->places);
	free(deletion->slots);
	*deletion = (struct deletion){ 0 };
}

/* FNV-1a of both. */
static size_t hash_of(const char *picture, const char *cache)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *picture != '\0'; picture++)
		hash = (hash ^ (uint8_t)*picture) * 0x100000001b3;
	for (; *cache != '\0'; cache++)
		hash = (hash ^ (uint8_t)*cache) * 0x100000001b3;
	return (size_t)(hash ^ hash >> 32);
}

/* The slot that has the place, or where it would go: it has its number and 1, or 0. */
static size_t *slot_of(const struct deletion *deletion, const char *picture, const char *cache)
{
	size_t at = hash_of(picture, cache), *slot;

	for (;; at++) {
		const struct deletion_place *place;

		slot = &deletion->slots[at & (deletion->slot_count - 1)];
		if (*slot == 0)
			return slot;
		place = &deletion->places[*slot - 1];
		if (strcmp(place->picture, picture) == 0 && strcmp(place->cache, cache) == 0)
			return slot;
	}
}

const struct deletion_place *deletion_find(
	const struct deletion *deletion, const char *picture, const char *cache)
{
	size_t slot = deletion->slot_count == 0 ? 0 : *slot_of(deletion, picture, cache);

	return slot == 0 ? NULL : &deletion->places[slot - 1];
}

/* Twice the room, for half as many places as there are slots. */
static void grow(struct deletion *deletion)
{
	size_t room = deletion->slot_count == 0 ? FIRST_SLOTS : 2 * deletion->slot_count;

	deletion->places = realloc(deletion->places, room / 2 * sizeof *deletion->places);
	free(deletion->slots);
	deletion->slots = calloc(room, sizeof *deletion->slots);
	assert(deletion->places != NULL && deletion->slots != NULL);
	deletion->slot_count = room;
	for (size_t i = 0; i < deletion->count; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): `count` are filled */
		*slot_of(deletion, deletion->places[i].picture, deletion->places[i].cache) = i + 1;
}

struct deletion_place *deletion_add(
	struct deletion *deletion, const char *picture, const char *cache)
{
	const struct deletion_place *known = deletion_find(deletion, picture, cache);
	struct deletion_place *place;
	size_t *slot;

	if (known != NULL)
		return &deletion->places[known - deletion->places];
	if (deletion->count == deletion->slot_count / 2)
		grow(deletion);
	place = &deletion->places[deletion->count];
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): room for one more was just made */
	*place = (struct deletion_place){ .cache = strdup(cache) };
	assert(place->cache != NULL);
	snprintf(place->picture, sizeof place->picture, "%s", picture);
	slot = slot_of(deletion, place->picture, cache);
	*slot = ++deletion->count;
	return place;
}
