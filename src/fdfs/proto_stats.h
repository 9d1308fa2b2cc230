/* proto_stats.h - the short lists that newer FastDFS tools ask a tracker for, as bytes.
 *
 * Integers are big endian, text fields are filled up with NULs, space is in MiB, times are
 * Unix seconds.  Only trackers write these; nothing of ours reads them. */
#pragma once

#include "fdfs/proto.h"

enum {
	FDFS_ENDPOINT_WIDTH = 52, /* "ip:port", "[v6]:port" */
	FDFS_RUN_STATE_LEN = 17,
	FDFS_TRACKER_STAT_LEN = 90,
	FDFS_STORAGE_STAT_LEN = 106,
	FDFS_VOLUME_STAT_LEN = 59,
	FDFS_STORAGE_STATUS_LEN = 67,
	FDFS_TRACKER_FILTER_LEN = 3,
	FDFS_CLUSTER_FILTER_LEN = 4,
};

/* Write "ip:port" or "[v6]:port" and a NUL. */
void fdfs_endpoint(const struct fdfs_address *address, char out[FDFS_ENDPOINT_WIDTH + 1]);

/* FDFS_RUN_STATE: u8 is the leader, i64 seconds since it started, i64 seconds from when it
 * stopped last until then, 0: it does not know. */
void fdfs_put_run_state(struct buf *out, bool leader, int64_t running_s);

/* FDFS_TRACKER_STATS: u8 count, then for each
 *
 *     c52  ip:port
 *     u8   is the leader
 *     u8   is up
 *     u32  connections: allocated; u32 now; u32 most so far
 *     c8   version
 *     i64  started
 *     i64  last sign of life */
struct fdfs_tracker_stat {
	char endpoint[FDFS_ENDPOINT_WIDTH + 1];
	bool leader, active;
	uint32_t connections_allocated, connections, connections_max;
	char version[9];
	int64_t started, last_beat;
};

void fdfs_put_tracker_stat(struct buf *out, const struct fdfs_tracker_stat *stat);

/* FDFS_STORAGE_STATS: u8 ids stand in file names, u8 trunk files are used, u32 count, then
 * for each
 *
 *     c16  id
 *     c52  ip:port
 *     u8   is the group's trunk server
 *     u8   state, enum fdfs_state
 *     u32  connections: allocated; u32 now; u32 most so far
 *     c8   version
 *     i64  started
 *     i64  last beat
 *
 * of which what is not named here is taken from the STORAGE record. */
void fdfs_put_storage_stats_head(struct buf *out, bool uses_ids, uint32_t count);
void fdfs_put_storage_stat(struct buf *out, const struct fdfs_storage_record *record);

/* FDFS_VOLUME_STATS: u8 trunk files are used, u32 count, then for each group
 *
 *     c17  name
 *     i64  total, i64 free, i64 reserved, i64 free without the reserve, i64 free in trunks
 *     u8   takes files; u8 takes files into trunks */
void fdfs_put_volume_stats_head(struct buf *out, uint32_t count);
void fdfs_put_volume_stat(struct buf *out, const struct fdfs_group_record *record);

/* FDFS_STORAGE_STATUS: u8 state, u32 port, c16 id, c46 ip */
void fdfs_put_storage_status(struct buf *out, const struct fdfs_storage_record *record);

/* FDFS_STORAGE_IDS asks from the u32 number of a line on.  Since V6.11 a u8 follows: an
 * empty list is fine.  Without it, as with 0, a cluster without ids is an error. */
struct fdfs_ids_request {
	uint32_t first;
	bool allow_empty;
};

bool fdfs_get_ids_request(struct span body, struct fdfs_ids_request *request);

/* FDFS_STORAGE_ID, FDFS_STORAGE_STATUS: c16 group, then "ip:port", or, before V6.16, "ip". */
struct fdfs_endpoint_request {
	char group[FDFS_GROUP_WIDTH + 1];
	char endpoint[FDFS_ENDPOINT_WIDTH + 1];
};

bool fdfs_get_endpoint_request(struct span body, struct fdfs_endpoint_request *request);
