#include "fdfs/fdfs_server.h"

#include "core/log.h"

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

void fdfs_troubles_note(
	struct fdfs_troubles *troubles, enum net_trouble what, const char *peer, int64_t now_ms)
{
	static const char *const texts[NET_TROUBLES] = {
		[NET_REFUSED] = "refused: the address is not in fdfs.allow",
		[NET_TOO_MANY] = "closed: over fdfs.max_connections",
		[NET_TIMED_OUT] = "closed: nothing came or went for fdfs.network_timeout",
		[NET_TOO_SLOW] = "closed: it was slow, and others waited for the memory it held",
		[NET_REPLACED] = "closed: it was idle, and fdfs.max_connections are open",
		[NET_BROKEN] = "ended in the middle of a request",
	};
	unsigned hidden;

	if (troubles->counters[what] != NULL)
		(*troubles->counters[what])++;
	if (!log_limit_pass(&troubles->limits[what], now_ms, &hidden))
		return;
	if (hidden > 0)
		log_warn("%s: %s (and %u more such lines left out)", peer, texts[what], hidden);
	else
		log_warn("%s: %s", peer, texts[what]);
}
