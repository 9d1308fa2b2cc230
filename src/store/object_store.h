/* object_store.h - one picture as one object of a service: what a bucket of an S3 service and
 * a pool of a Ceph cluster have in common.  engine_object makes an engine of it.
 *
 * Calls wait, may come from any thread, and have the outcomes of engine.h. */
#pragma once

#include "store/engine.h"

struct object_store; /* each store's own struct begins with one */

struct object_store_ops {
	/* When a call about `len` bytes that begins now has to end, by clock_mono_ms. */
	int64_t (*deadline)(const struct object_store *store, uint64_t len);

	/* ERR_EXISTS if something else is there; that these very bytes are, may be taken for
	 * done. */
	int (*put)(struct object_store *store, const struct file_id *id, struct span content,
		int64_t deadline_ms, struct err *err);

	/* Append the whole picture to `out`, checked. */
	int (*get)(struct object_store *store, const struct file_id *id, struct buf *out,
		struct err *err);

	/* As engine_read; NULL: it cannot. */
	bool (*read)(struct object_store *store, struct engine_reading *reading);

	/* ERR_CORRUPT if its size is not that of the id. */
	int (*stat)(struct object_store *store, const struct file_id *id, int64_t deadline_ms,
		struct err *err);

	int (*remove)(struct object_store *store, const struct file_id *id, int64_t deadline_ms,
		struct err *err);

	/* As engine_walk.  An object of the group whose name is no id is reported as corrupt,
	 * with id all zero. */
	int (*walk)(struct object_store *store, unsigned flags,
		bool (*found)(void *context, const struct engine_found *found), void *context,
		struct err *err);

	/* What is known without asking: it is called often, by who must not wait. */
	void (*space)(struct object_store *store, uint64_t *total, uint64_t *free);
	int (*health)(struct object_store *store, struct err *err);

	void (*close)(struct object_store *store);
};

struct object_store {
	const struct object_store_ops *ops;
};
