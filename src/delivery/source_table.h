/* source_table.h - where a program of this machine finds pictures, as settings say: its own
 * engine, the volumes of the storages beside it, the trackers' storages, in this order. */
#pragma once

#include "delivery/delivery.h"
#include "service/settings.h"

enum { SOURCE_TABLE_MAX = 2 };

struct source_table {
	struct delivery_source sources[SOURCE_TABLE_MAX];
	size_t count;
	struct local_source *local;
	struct fdfs_client *client;
};

/* `own` and `engine` as of local_source_beside(), NULL for a program that is no storage.
 * `idle_connections` is how many to other storages are kept.  `settings` must outlive the
 * table, which must stay where it is.  Returns 0, or -1 with err and an empty table. */
int source_table_open(struct source_table *table, const struct settings *settings,
	const struct storage_settings *own, struct engine *engine, size_t idle_connections,
	struct err *err);
void source_table_close(struct source_table *table); /* a zeroed one is fine */

/* Bytes of the greatest picture that any of our storages takes in: what is larger, in the
 * store of others, is not handed out. */
size_t source_table_greatest(const struct settings *settings);
