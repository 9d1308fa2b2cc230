/* cluster_memory.h - the storages that a tracker has heard of, as a file.
 *
 * A tracker that starts anew while a storage is down must know that there is one: it would
 * look for that one's files on the others, which have never had them, and "down" would
 * become "not there".  A line for each storage, fields parted by one space:
 *
 *     group id ip port joined own|shared
 *
 * `joined` is Unix seconds; `shared`: its engine is, any storage of the group has its files. */
#pragma once

#include "programs/tracker_server/cluster.h"

enum { CLUSTER_MEMORY_MAX = 4 << 20 }; /* bytes: 512 groups of 32 lines of at most 128 */

/* Append the lines to `out`. */
void cluster_memory_put(const struct cluster *cluster, struct buf *out);

/* Remember what the lines say; all of it is down.  Returns how many lines were none, or told of
 * more storages than there can be; they are left out. */
size_t cluster_memory_get(struct cluster *cluster, struct span text);

/* The file: none yet is fine.  `*bad` is what cluster_memory_get returns. */
int cluster_memory_load(struct cluster *cluster, const char *path, size_t *bad, struct err *err);

/* Replaces it as a whole; makes its folder if it is not there. */
int cluster_memory_save(const struct cluster *cluster, const char *path, struct err *err);
