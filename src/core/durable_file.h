/* durable_file.h - small files that a power cut leaves as they were or as they are now. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <sys/types.h>

/* Make the file at `path` hold `bytes`, with the permission bits `mode` less the umask's;
 * one that is there is replaced.  On return it is on the disk under its name.  Returns 0,
 * or -1 with the old file untouched.  What a crash leaves behind is "PATH.new", which the
 * next call takes over; two writers of one path must be kept apart by the caller. */
int durable_file_write(const char *path, struct span bytes, mode_t mode, struct err *err);
