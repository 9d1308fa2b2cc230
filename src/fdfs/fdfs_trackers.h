/* fdfs_trackers.h - asking the trackers where a file is or goes.
 *
 * The one that answered last is asked first, one that failed a moment ago last, and
 * each gets its share of the time that is left.  Any thread may ask. */
#pragma once

#include "fdfs/client.h"
#include "fdfs/fdfs_call.h"

enum {
	FDFS_TRACKERS_MAX = 16,
	FDFS_TRACKER_REPLY_MAX = 1 << 20, /* 512 groups, or 32 storages, with room to spare */
};

struct fdfs_trackers;

/* ERR_CONFIG if there is no tracker, too many, or one whose address cannot be read.
 * `pool` must stay until fdfs_trackers_free. */
struct fdfs_trackers *fdfs_trackers_new(
	const struct fdfs_client_conf *conf, struct fdfs_pool *pool, struct err *err);
void fdfs_trackers_free(struct fdfs_trackers *trackers); /* NULL is fine */

/* Send a command with `group`, or with an empty body if it is NULL, and put the body of
 * the answer into `body`.  ERR_NOT_FOUND: the tracker knows of nothing. */
int fdfs_trackers_ask_group(struct fdfs_trackers *trackers, uint8_t cmd, const char *group,
	int64_t deadline, struct buf *body, struct err *err);

/* Where to store: FDFS_QUERY_STORE_ONE and its kin.  ERR_FULL, ERR_UNREACHABLE. */
int fdfs_trackers_route_upload(struct fdfs_trackers *trackers, uint8_t cmd, const char *group,
	int64_t deadline, struct fdfs_route *route, struct err *err);

/* Who has a file: FDFS_QUERY_FETCH_ONE and its kin.  ERR_NOT_FOUND if there is no such
 * group, ERR_UNREACHABLE if none of its storages is up. */
int fdfs_trackers_route_file(struct fdfs_trackers *trackers, uint8_t cmd, const struct file_id *id,
	int64_t deadline, struct fdfs_route *route, struct err *err);

/* Set `err` for an answer of a tracker that is not `what`; returns -1. */
int fdfs_trackers_nonsense(const char *what, struct err *err);
