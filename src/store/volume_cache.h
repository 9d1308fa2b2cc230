/* volume_cache.h - open volumes, so that a read need not open one.
 *
 * Holds a bounded number of descriptors, the least recently used one goes first.  From
 * any thread; a hit takes one short lock that is shared with few other volumes. */
#pragma once

#include "store/volume.h"

struct volume_cache;

/* `stores` are the store paths by number; they stay the caller's and must outlive the
 * cache. */
struct volume_cache *volume_cache_new(const struct volume_store *stores, size_t count);
void volume_cache_free(struct volume_cache *cache); /* NULL is fine */

/* A volume, with a reference for the caller.  `path` is below `count`.  With
 * ENGINE_NO_WAIT in `flags` a volume that is not open is ERR_WOULD_BLOCK. */
struct volume *volume_cache_get(
	struct volume_cache *cache, uint8_t path, uint16_t number, unsigned flags, struct err *err);
