/* engine_object.h - an engine whose pictures are objects of a service that others use too.
 *
 * It draws ids, checks those it is asked for, and has threads for puts and removes, which the
 * store (object_store.h) does one at a time.  The store path is always M00. */
#pragma once

#include "store/engines.h"
#include "store/object_store.h"

/* Takes `store` over.  `conf` as engine_open has it, with a group; the store takes at most
 * `in_flight` calls at a time, 2 and more, of which some are left for reads. */
struct engine *engine_object_new(const struct engine_ops *ops, const struct engine_conf *conf,
	unsigned in_flight, struct object_store *store);

/* For the tables of such engines. */
void engine_object_close(struct engine *engine);
void engine_object_put(struct engine *engine, struct engine_put *put);
void engine_object_remove(struct engine *engine, struct engine_remove *remove);
int engine_object_get(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err);
bool engine_object_read(struct engine *engine, struct engine_reading *reading);
int engine_object_stat(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err);
int engine_object_walk(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err);
int engine_object_space(struct engine *engine, struct engine_space *out, struct err *err);
int engine_object_health(struct engine *engine, struct err *err);
