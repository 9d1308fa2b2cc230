/* rados_cluster.h - a connection to a Ceph cluster and a pool of it, with limits of time; and
 * what is known of the pool's room. */
#pragma once

#include "store/engine_rados.h"
#include "store/rados_lib.h"
#include "store/rados_pool.h"

struct rados_cluster;

/* Connects, and checks the pool.  NULL with ERR_CONFIG for what has to be configured anew,
 * ERR_UNREACHABLE if the cluster does not answer. */
struct rados_cluster *rados_cluster_open(const struct engine_rados_conf *conf, struct err *err);
void rados_cluster_close(struct rados_cluster *cluster); /* no operation may be under way */

/* For operations on the pool's objects, from any thread. */
rados_ioctx_t rados_cluster_pool(const struct rados_cluster *cluster);

/* Is the pool still there?  Where it is not, its objects are said to be missing too. */
bool rados_cluster_has_pool(const struct rados_cluster *cluster);

/* As it was a few seconds ago; does not wait. */
struct rados_pool_space rados_cluster_space(struct rados_cluster *cluster);
