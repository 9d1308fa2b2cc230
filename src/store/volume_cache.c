#include "store/volume_cache.h"

#include <pthread.h>
#include <stdlib.h>

enum { SETS = 32, WAYS = 4 }; /* 128 descriptors */

struct set {
	pthread_mutex_t lock;
	struct volume *ways[WAYS];
	uint64_t clock; /* counts uses */
};

struct volume_cache {
	const struct volume_store *stores;
	size_t count;
	struct set sets[SETS];
};

struct volume_cache *volume_cache_new(const struct volume_store *stores, size_t count)
{
	struct volume_cache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return NULL;
	cache->stores = stores;
	cache->count = count;
	for (int i = 0; i < SETS; i++)
		pthread_mutex_init(&cache->sets[i].lock, NULL);
	return cache;
}

void volume_cache_free(struct volume_cache *cache)
{
	if (cache == NULL)
		return;
	for (int i = 0; i < SETS; i++) {
		for (int way = 0; way < WAYS; way++)
			volume_unref(cache->sets[i].ways[way]);
		pthread_mutex_destroy(&cache->sets[i].lock);
	}
	free(cache);
}

/* With the set locked: the volume with a new reference, or NULL. */
static struct volume *find(struct set *set, uint8_t path, uint16_t number)
{
	for (int way = 0; way < WAYS; way++) {
		struct volume *volume = set->ways[way];

		if (volume == NULL || volume->number != number || volume->path != path)
			continue;
		volume->used = ++set->clock;
		return volume_ref(volume);
	}
	return NULL;
}

/* With the set locked: put `volume` in; returns the one that has to go for it. */
static struct volume *replace_oldest(struct set *set, struct volume *volume)
{
	struct volume **oldest = &set->ways[0], *gone;

	for (int way = 0; way < WAYS && *oldest != NULL; way++)
		if (set->ways[way] == NULL || set->ways[way]->used < (*oldest)->used)
			oldest = &set->ways[way];
	gone = *oldest;
	volume->used = ++set->clock;
	*oldest = volume_ref(volume);
	return gone;
}

struct volume *volume_cache_get(
	struct volume_cache *cache, uint8_t path, uint16_t number, unsigned flags, struct err *err)
{
	struct set *set = &cache->sets[(number + path * 7U) % SETS];
	struct volume *volume, *first, *gone = NULL;

	pthread_mutex_lock(&set->lock);
	volume = find(set, path, number);
	pthread_mutex_unlock(&set->lock);
	if (volume != NULL)
		return volume;
	if (flags & ENGINE_NO_WAIT) {
		err_set(err, ERR_WOULD_BLOCK, "volume %u of M%02X would have to be opened", number,
			path);
		return NULL;
	}
	/* Opened without the lock: others need not wait for the disk. */
	volume = volume_open(&cache->stores[path], number, err);
	if (volume == NULL)
		return NULL;
	pthread_mutex_lock(&set->lock);
	first = find(set, path, number);
	if (first == NULL)
		gone = replace_oldest(set, volume);
	pthread_mutex_unlock(&set->lock);
	if (first != NULL)
		gone = volume;
	volume_unref(gone);
	return first != NULL ? first : volume;
}
