/* s3_store.h - one picture in a bucket: put, get, stat, remove with their tries; and the
 * list of all. */
#pragma once

#include "store/engine_s3.h"
#include "store/object_store.h"

struct object_store *s3_store_open(const struct engine_s3_conf *conf, const char *group,
	int64_t (*now)(void), struct err *err);
