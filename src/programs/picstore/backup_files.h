/* backup_files.h - what backup and restore do to files. */
#pragma once

#include "core/err.h"

#include <sys/types.h>

/* Make the folders above `path`, which a backup keeps to its owner. */
int backup_folders_above(const char *path, struct err *err);

/* Copy a file, holes as holes, to one that is there whole or not at all, and flush it; one
 * that is there is replaced.  ERR_NOT_FOUND if there is no `from`. */
int backup_copy_file(const char *from, const char *to, mode_t mode, struct err *err);
