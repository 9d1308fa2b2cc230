/* fdfs_server.h - what tracker_server and storage_server share: FastDFS packages on a
 * net_server, answers, and log lines about peers. */
#pragma once

#include "fdfs/proto.h"
#include "net/net_server.h"
#include "net/peer_log.h"

/* Reply to `request` with `status`; of a reply with status 0, `body` (NULL: none) is the
 * body, whose memory is taken over.  Any thread. */
void fdfs_reply(struct net_request *request, uint8_t status, struct buf *body);

/* The same, of `body` only `slice`. */
void fdfs_reply_slice(struct net_request *request, struct buf *body, struct span slice);

/* The same with a status other than 0, and close afterwards. */
void fdfs_reply_close(struct net_request *request, uint8_t status);

/* Where a server of FastDFS packages counts what peers do wrong. */
struct fdfs_trouble_counters {
	_Atomic int64_t *refused, *too_many, *timeouts, *broken;
};

/* What is said, and counted, of each kind of trouble. */
void fdfs_describe_troubles(struct peer_log *peers, const struct fdfs_trouble_counters *counters);
