#include "fdfs/fdfs_server.h"

static void reply(struct net_request *request, uint8_t status, struct buf *body, struct span slice,
	bool close)
{
	struct net_reply out = { .head_len = FDFS_HEADER_LEN, .slice = slice, .close = close };
	const struct fdfs_header header = {
		.len = (int64_t)slice.len,
		.cmd = FDFS_REPLY,
		.status = status,
	};

	fdfs_header_write(&header, out.head);
	if (body != NULL) {
		out.body = *body;
		*body = (struct buf){ 0 };
	}
	net_reply(request, &out);
}

void fdfs_reply(struct net_request *request, uint8_t status, struct buf *body)
{
	struct span slice = { 0 };

	if (body != NULL && status == 0)
		slice = buf_span(body);
	reply(request, status, body, slice, false);
}

void fdfs_reply_slice(struct net_request *request, struct buf *body, struct span slice)
{
	reply(request, 0, body, slice, false);
}

void fdfs_reply_close(struct net_request *request, uint8_t status)
{
	reply(request, status, NULL, (struct span){ 0 }, true);
}

void fdfs_describe_troubles(struct peer_log *peers, const struct fdfs_trouble_counters *counters)
{
	struct peer_kind *kinds = peers->kinds;

	kinds[NET_REFUSED] = (struct peer_kind){ counters->refused, LOG_WARN,
		"refused: the address is not in fdfs.allow" };
	kinds[NET_TOO_MANY] = (struct peer_kind){ counters->too_many, LOG_WARN,
		"closed: over fdfs.max_connections" };
	kinds[NET_TIMED_OUT] = (struct peer_kind){ counters->timeouts, LOG_WARN,
		"closed: nothing came or went for fdfs.network_timeout" };
	kinds[NET_TOO_SLOW] = (struct peer_kind){ counters->timeouts, LOG_WARN,
		"closed: it was slow, and others waited for the memory it held" };
	kinds[NET_REPLACED] = (struct peer_kind){ counters->too_many, LOG_WARN,
		"closed: it was idle, and fdfs.max_connections are open" };
	kinds[NET_BROKEN] = (struct peer_kind){ counters->broken, LOG_WARN,
		"ended in the middle of a request" };
}
