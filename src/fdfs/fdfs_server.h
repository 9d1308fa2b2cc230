/* fdfs_server.h - what tracker_server and storage_server share: FastDFS packages on a
 * net_server, answers, and log lines about peers. */
#pragma once

#include "core/log_limit.h"
#include "fdfs/proto.h"
#include "net/net_server.h"

#include <stdatomic.h>

/* Reply to `request` with `status`; of a reply with status 0, `body` (NULL: none) is the
 * body, whose memory is taken over.  Any thread. */
void fdfs_reply(struct net_request *request, uint8_t status, struct buf *body);

/* The same, of `body` only `slice`. */
void fdfs_reply_slice(struct net_request *request, struct buf *body, struct span slice);

/* The same with a status other than 0, and close afterwards. */
void fdfs_reply_close(struct net_request *request, uint8_t status);

/* A log line for each kind of trouble with peers, not more than a few a second. */
struct fdfs_troubles {
	struct log_limit limits[NET_TROUBLES];
	_Atomic int64_t *counters[NET_TROUBLES]; /* NULL: not counted */
};

void fdfs_troubles_note(
	struct fdfs_troubles *troubles, enum net_trouble what, const char *peer, int64_t now_ms);
