/* fdfs_folder.h - files in the data folders of a FastDFS storage, read where they lie.
 *
 *     STORE_PATH/data/HH/LL/NAME       a file: normal, slave or appender
 *     STORE_PATH/data/HH/LL/NAME-m     its metadata
 *     STORE_PATH/data/HH/LL/NNNNNN     a trunk file, see trunk_slot.h
 *
 * Nothing is written there. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/file_id.h"

struct fdfs_folder {
	const char *group;
	char *const *paths; /* store paths in their order: M00, M01, ... */
	size_t path_count;
};

/* Append the content of `id` to `out`, within its limit, checked against what the id says
 * of it: ERR_CORRUPT, and nothing is appended.  ERR_NOT_FOUND, ERR_UNSUPPORTED for a link
 * within a trunk file. */
int fdfs_folder_read(const struct fdfs_folder *folder, const struct file_id *id, struct buf *out,
	struct err *err);

/* Append its metadata, or nothing if it has none. */
int fdfs_folder_metadata(const struct fdfs_folder *folder, const struct file_id *id,
	struct buf *out, struct err *err);

/* Call `found` for every file in the folders, trunk files excepted, until it returns
 * false.  `strange` is called with the path of what is neither a file of FastDFS's, nor
 * its metadata, nor a trunk file. */
int fdfs_folder_walk(const struct fdfs_folder *folder,
	bool (*found)(void *context, const struct file_id *id),
	void (*strange)(void *context, const char *path), void *context, struct err *err);

/* Do size and CRC-32, today's or that of before 2018, match an id that tells them?  Of
 * slaves and appenders nothing can be told.  ERR_CORRUPT if not. */
int fdfs_folder_check(const struct file_id *id, struct span content, struct err *err);
