/* s3_store.h - one picture in a bucket: put, get, stat, remove with their tries; and the
 * list of all.  Every call waits.  Outcomes as in engine.h. */
#pragma once

#include "store/engine.h"
#include "store/engine_s3.h"

struct s3_store;

struct s3_store *s3_store_open(const struct engine_s3_conf *conf, const char *group,
	int64_t (*now)(void), struct err *err);
void s3_store_close(struct s3_store *store); /* NULL is fine */

/* When a call about `len` bytes that begins now has to end, by clock_mono_ms. */
int64_t s3_store_deadline(const struct s3_store *store, uint64_t len);

/* ERR_EXISTS if something else is there; that these very bytes are, may be taken for done. */
int s3_store_put(struct s3_store *store, const struct file_id *id, struct span content,
	int64_t deadline_ms, struct err *err);

/* Append the whole picture to `out`, checked. */
int s3_store_get(
	struct s3_store *store, const struct file_id *id, struct buf *out, struct err *err);

/* ERR_CORRUPT if its size is not that of the id. */
int s3_store_stat(
	struct s3_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err);

int s3_store_remove(
	struct s3_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err);

/* As engine_walk.  An object whose key is no id is reported as corrupt, with id all zero. */
int s3_store_walk(struct s3_store *store, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err);

int s3_store_health(struct s3_store *store, struct err *err);
