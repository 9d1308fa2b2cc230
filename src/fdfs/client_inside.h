/* client_inside.h - what the parts of the client share. */
#pragma once

#include "fdfs/client.h"
#include "fdfs/fdfs_call.h"
#include "fdfs/fdfs_trackers.h"
#include "fdfs/proto_moving.h"

#include <stdatomic.h>

enum {
	CLIENT_TRIES_MAX = 4, /* storages that one call tries */
	CLIENT_HEAD_MAX = FDFS_HEADER_LEN + 16 + FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX,
};

struct fdfs_client {
	int64_t connect_ms, network_ms, patience_ms;
	bool repeat_uploads;
	size_t max_file_size;
	struct fdfs_pool *pool;
	struct fdfs_trackers *trackers;
	_Atomic int64_t cannot_tell_ms; /* until then storages are not asked for slaves */
	_Atomic int64_t nameless_ms;    /* when a storage did not know FDFS_NAMES; 0: never */
};

/* The end of a call that begins now. */
int64_t fdfs_client_deadline(const struct fdfs_client *client);

/* The storages that one call has tried already. */
struct fdfs_tried {
	struct fdfs_peer peers[CLIENT_TRIES_MAX];
	size_t count;
};

/* The next storage of `route` that has not been tried; it counts as tried now.  NULL if
 * there is none, or if enough of them have failed. */
const struct fdfs_peer *fdfs_tried_next(struct fdfs_tried *tried, const struct fdfs_route *route);

/* True if `route` names a storage that has not been tried. */
bool fdfs_tried_knows_more(const struct fdfs_tried *tried, const struct fdfs_route *route);

/* What the trackers say of a storage that is silent; true also if they cannot be asked. */
bool fdfs_client_is_up(struct fdfs_client *client, const char *group, const struct fdfs_peer *peer);

/* True if the id says what its file contains: not of slaves and appenders. */
bool fdfs_client_is_exact(const struct file_id *id);

/* The CRC of today's FastDFS, or of the one before 2018. */
bool fdfs_client_crc_matches(struct span content, uint32_t crc);

/* What a call does with a file once a storage is found. */
struct fdfs_file_call {
	const struct file_id *id;
	uint8_t cmd;
	struct buf *out;        /* FDFS_DOWNLOAD */
	struct fdfs_info *info; /* FDFS_FILE_INFO */
	bool not_done;          /* after a failure */
	bool nonsense;          /* a storage has answered EINVAL */
};

/* Ask one storage, which is among `tried`; NULL: none is tried instead. */
int fdfs_file_ask(struct fdfs_client *client, const struct fdfs_peer *peer,
	const struct fdfs_tried *tried, int64_t deadline, struct fdfs_file_call *want,
	struct err *err);
