/* rados_pool.h - what the monitors of a Ceph cluster tell of a pool, in JSON: how many copies
 * it keeps, and how much room it has. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

struct rados_pool_copies {
	int64_t size;     /* copies, or chunks, of an object */
	int64_t min_size; /* so many must have it before a write is acknowledged */
	int64_t needed;   /* so many it takes to read it: 1, or k of an erasure code */
};

/* The number called `key` in an answer such as {"pool":"pics","pool_id":1,"size":3}; from 1
 * on.  Some answers have it as text. */
int rados_pool_read_number(struct span json, const char *key, int64_t *out, struct err *err);

/* The text called `key`, of at most `max` bytes, to `out` with a NUL.  False if there is none. */
bool rados_pool_read_text(struct span json, const char *key, char *out, size_t max);

/* Is an acknowledged picture still there when any one place of it is lost, and can be written
 * while one is away?  Else -1 with a sentence, ERR_CONFIG. */
int rados_pool_check(const char *pool, const struct rados_pool_copies *copies, struct err *err);

struct rados_pool_space {
	uint64_t total, free; /* bytes of content */
};

/* Of the answer to "df detail".  -1 if the pool is not in it, or nothing is known (no manager
 * runs). */
int rados_pool_read_space(
	struct span json, const char *pool, struct rados_pool_space *out, struct err *err);
