/* rados_store.h - one picture in a pool: put, get, stat, remove with their tries; and the list
 * of all. */
#pragma once

#include "store/engine_rados.h"
#include "store/object_store.h"

struct object_store *rados_store_open(
	const struct engine_rados_conf *conf, const char *group, struct err *err);
