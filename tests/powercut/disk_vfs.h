/* disk_vfs.h - SQLite over the table of disk.h.
 *
 * Flushes what SQLite's own VFS for Unix flushes, folders included.  Locks and the shared
 * memory beside a WAL are those of one process.  Time stands still and random numbers
 * follow from a seed, so that a run can be repeated. */
#pragma once

#include <stdint.h>

/* From now on SQLite opens its files so, in this process. */
void disk_vfs_install(void);

void disk_vfs_seed(uint64_t seed);
