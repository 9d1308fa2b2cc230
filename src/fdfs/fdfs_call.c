#include "fdfs/fdfs_call.h"

/* One try.  `*again` is set if the connection was an idle one that had been closed. */
static int try_once(
	struct fdfs_pool *pool, struct fdfs_call *call, bool fresh, bool *again, struct err *err)
{
	const struct span parts[] = { call->head, call->content };
	size_t all = call->head.len + call->content.len, sent = 0, got = 0;
	uint8_t bytes[FDFS_HEADER_LEN];
	struct fdfs_header header;
	int result;

	*again = false;
	call->not_done = true;
	if (fdfs_link_open(pool, call->peer, fresh, call->connect_ms, call->deadline, &call->link,
		    err) < 0)
		return -1;
	result = fdfs_link_send(&call->link, parts, 2, call->deadline, &sent, err);
	/* A peer acts on a request that it has whole. */
	call->not_done = sent < all;
	if (result == 0)
		result = fdfs_link_recv(
			&call->link, bytes, sizeof bytes, call->deadline, &got, err);
	if (result < 0) {
		*again = call->link.reused && got == 0 && (call->reads || call->not_done);
		fdfs_link_drop(&call->link);
		return -1;
	}
	header = fdfs_header_read(bytes);
	if (header.cmd != FDFS_REPLY || header.len < 0 ||
		(header.status == 0 && (uint64_t)header.len > call->max_reply)) {
		fdfs_link_drop(&call->link);
		return err_set(err, ERR_UNREACHABLE,
			"%s: answers command %d with length %lld, which is no FastDFS answer",
			call->peer->text, header.cmd, (long long)header.len);
	}
	call->status = header.status;
	call->len = header.status == 0 ? (uint64_t)header.len : 0;
	/* What is left of the request, or of a body that an error does not have, would be
	 * taken for the beginning of something else.  Storages close after EINVAL. */
	if (sent < all || (header.status != 0 && (header.len != 0 || call->content.len > 0)) ||
		err_from_fdfs(header.status) == ERR_BAD_REQUEST)
		fdfs_link_drop(&call->link);
	return 0;
}

int fdfs_call(struct fdfs_pool *pool, struct fdfs_call *call, struct err *err)
{
	bool again;

	if (try_once(pool, call, false, &again, err) == 0)
		return 0;
	if (again && err->code != ERR_TIMEOUT && try_once(pool, call, true, &again, err) == 0)
		return 0;
	if (!call->reads && !call->not_done) {
		const struct err why = *err;

		err_set(err, ERR_UNKNOWN, "%s; it may or may not have been done", why.text);
	}
	return -1;
}

int fdfs_call_body(struct fdfs_call *call, void *out, struct err *err)
{
	size_t got;

	return fdfs_link_recv(&call->link, out, call->len, call->deadline, &got, err);
}

void fdfs_call_end(struct fdfs_pool *pool, struct fdfs_call *call, bool clean)
{
	if (clean && call->link.fd >= 0)
		fdfs_link_keep(pool, &call->link);
	else
		fdfs_link_drop(&call->link);
}
