/* tracker_answers.h - the tracker's commands: a request in, a status and a body out.  No
 * sockets: the cluster and the times are given. */
#pragma once

#include "fdfs/proto_stats.h"
#include "programs/tracker_server/cluster.h"

enum { TRACKER_BODY_MAX = 256 << 10 }; /* a longer request closes the connection */

/* What this tracker tells about itself. */
struct tracker_self {
	char endpoint[FDFS_ENDPOINT_WIDTH + 1]; /* "ip:port"; empty: not known */
	char version[9];
	int64_t started; /* Unix seconds */
	uint32_t connections, connections_max;
};

struct tracker_answers {
	struct cluster cluster;
	struct tracker_self self;
	enum fdfs_ip_width ip_width;
	enum fdfs_layout layout;
};

/* Answer `cmd` with `body`, which came on the connection `link`.  Returns 0 with the
 * reply's body appended to `out`, or -1: err_fdfs_status(err->code) is the status. */
int tracker_answer(struct tracker_answers *tracker, uint8_t cmd, struct span body, const void *link,
	int64_t now_ms, int64_t now, struct buf *out, struct err *err);
