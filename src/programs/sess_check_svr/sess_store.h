/* sess_store.h - what keeps the counts of session keys.
 *
 * A key is known by its digest alone: who reads the store learns no key. */
#pragma once

#include "auth/digest.h"
#include "service/settings.h"

#include <stdbool.h>

struct sess_count {
	uint8_t key[DIGEST_LEN];
	bool use;      /* count a use, unless there were `limit` already; else only look */
	int64_t ends;  /* Unix seconds from which on the count is of no use any more */
	uint32_t used; /* result */
	bool refused;  /* result: there were `limit` uses already */
};

struct sess_store {
	const char *name;
	/* Returns what the other functions take, or NULL with err. */
	void *(*open)(const struct settings *settings, struct err *err);
	/* Deal with `count` counts at the time `now`, in their order; the same key may come
	 * several times.  They are durable when this returns 0.  With -1 some may have been
	 * counted, and none may be let pass. */
	int (*count)(void *store, struct sess_count *counts, size_t count, uint32_t limit,
		int64_t now, struct err *err);
	/* Forget some of the counts that ended before `now`; returns how many, 0 when there
	 * are none, or -1.  NULL: it forgets by itself. */
	int64_t (*forget)(void *store, int64_t now, struct err *err);
	void (*close)(void *store); /* NULL is fine */
};

extern const struct sess_store sess_store_sqlite;
extern const struct sess_store sess_store_redis;
