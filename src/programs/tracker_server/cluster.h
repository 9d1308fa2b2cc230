/* cluster.h - which storages there are, which are up, and which one is next.
 *
 * No sockets and no clock: beats come in, times come along, answers go out.  A storage
 * is up while the connection that it beats on stands and its last beat is not older than
 * `beat_timeout_ms`.  A group that was once known stays known when all of it is down:
 * that is what tells "down" from "never heard of".
 *
 * Files of a storage whose engine is not shared are on that storage alone: its id, which
 * stands in a file's name as its source, leads to it.  Files with an address as their
 * source stay where they are when the storage there is given a number as its id. */
#pragma once

#include "core/err.h"
#include "fdfs/proto.h"

enum { CLUSTER_GROUPS_MAX = 512, CLUSTER_STORAGES_MAX = FDFS_ROUTE_MAX };

enum cluster_lookup { /* in the order of the setting tracker.store_lookup */
	CLUSTER_ROUND_ROBIN,
	CLUSTER_MOST_FREE,
	CLUSTER_ONE_GROUP,
};

struct cluster_storage {
	struct fdfs_beat beat; /* the last one */
	const void *link;      /* what it came on; NULL: that has ended */
	int64_t beat_ms;       /* monotonic time of the last beat */
	int64_t beat_time;     /* Unix seconds of it */
	int64_t joined;        /* Unix seconds of the first */
	bool told_up;          /* as reported by cluster_changes */
	unsigned next_path;
};

struct cluster_group {
	char name[FDFS_GROUP_WIDTH + 1];
	struct cluster_storage *storages[CLUSTER_STORAGES_MAX];
	size_t count;
	size_t next_write, next_read;
};

struct cluster {
	struct cluster_group *groups[CLUSTER_GROUPS_MAX]; /* sorted by name */
	size_t count;
	size_t next_group;
	enum cluster_lookup lookup;
	char store_group[FDFS_GROUP_WIDTH + 1];
	int64_t beat_timeout_ms;
	bool news; /* a storage was added, or is another than before; who keeps it clears it */
};

void cluster_init(struct cluster *cluster, enum cluster_lookup lookup, const char *store_group,
	int64_t beat_timeout_ms);
void cluster_fini(struct cluster *cluster);

/* Know of a group before any storage of it has beaten.  False if there are too many. */
bool cluster_expect(struct cluster *cluster, const char *group);

/* Know of a storage that has been heard of before: it is down.  Of `beat`, group, id, address and
 * shared are told.  False if it is known, or there are too many. */
bool cluster_remember(struct cluster *cluster, const struct fdfs_beat *beat, int64_t joined);

/* A beat came on `link`.  Returns -1 if it contradicts a storage that is up (ERR_EXISTS)
 * or there are too many (ERR_FULL). */
int cluster_beat(struct cluster *cluster, const struct fdfs_beat *beat, const void *link,
	int64_t now_ms, int64_t now, struct err *err);

/* `link` has ended: what beat on it is down. */
void cluster_link_ended(struct cluster *cluster, const void *link);

bool cluster_is_up(
	const struct cluster *cluster, const struct cluster_storage *storage, int64_t now_ms);

/* True if the storage's id is a number for file names, not its address. */
bool cluster_id_is_number(const struct cluster_storage *storage);

/* Bytes that uploads to `storage` may still take, on all its paths. */
uint64_t cluster_room(const struct cluster_storage *storage);

/* NULL if it is not known. */
struct cluster_group *cluster_find(const struct cluster *cluster, const char *group);

/* Call `changed` for each storage that went up or down since the last call. */
void cluster_changes(struct cluster *cluster, int64_t now_ms,
	void (*changed)(void *context, const struct cluster_storage *storage, bool up),
	void *context);

/* The answers below fill `route`, or return -1: ERR_NOT_FOUND if the group is not known
 * or nothing fitting is up, ERR_FULL if all that is up has no room. */

/* Where to upload: in `group`, or where it should go if NULL.  `all`: every storage that
 * takes it, and the path is left to it, unless there is one. */
int cluster_store(struct cluster *cluster, const char *group, bool all, int64_t now_ms,
	struct fdfs_route *route, struct err *err);

enum cluster_use { CLUSTER_READ, CLUSTER_CHANGE }; /* a draining storage takes changes */

/* Where the file is.  `all`: every storage that has it, the best first. */
int cluster_fetch(struct cluster *cluster, const struct fdfs_file_request *file,
	enum cluster_use use, bool all, int64_t now_ms, struct fdfs_route *route, struct err *err);
