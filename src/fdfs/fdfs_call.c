#include "fdfs/fdfs_call.h"

#include "core/clock.h"

/* Until when to wait now: to the deadline, or until patience ends. */
static int64_t next_stop(const struct fdfs_call *call)
{
	int64_t stop = clock_mono_ms() + call->patience_ms;

	return call->give_up == NULL || call->patience_ms == 0 || stop > call->deadline
		       ? call->deadline
		       : stop;
}

/* Whether to go on after a wait that has ended with `err`, in which nothing moved. */
static bool wait_on(const struct fdfs_call *call, bool moved, struct err *err)
{
	if (err->code != ERR_TIMEOUT || clock_mono_ms() >= call->deadline)
		return false;
	if (moved || !call->give_up(call->context))
		return true;
	err_set(err, ERR_TIMEOUT, "%s: silent for %lld ms; not waited for any longer",
		call->peer->text, (long long)call->patience_ms);
	return false;
}

static int send_parts(struct fdfs_call *call, size_t *sent, struct err *err)
{
	const struct span parts[] = { call->head, call->content };
	size_t before;

	do {
		before = *sent;
		if (fdfs_link_send(&call->link, parts, 2, next_stop(call), sent, err) == 0)
			return 0;
	} while (wait_on(call, *sent > before, err));
	return -1;
}

static int recv_bytes(struct fdfs_call *call, void *out, size_t len, size_t *got, struct err *err)
{
	size_t before;

	do {
		before = *got;
		if (fdfs_link_recv(&call->link, out, len, next_stop(call), got, err) == 0)
			return 0;
	} while (wait_on(call, *got > before, err));
	return -1;
}

/* One try.  `*again` is set if the connection was an idle one that had been closed. */
static int try_once(
	struct fdfs_pool *pool, struct fdfs_call *call, bool fresh, bool *again, struct err *err)
{
	size_t all = call->head.len + call->content.len, sent = 0, got = 0;
	uint8_t bytes[FDFS_HEADER_LEN];
	struct fdfs_header header;
	int result;

	*again = false;
	call->not_done = true;
	if (fdfs_link_open(pool, call->peer, fresh, call->connect_ms, call->deadline, &call->link,
		    err) < 0)
		return -1;
	result = send_parts(call, &sent, err);
	/* A peer acts on a request that it has whole. */
	call->not_done = sent < all;
	if (result == 0)
		result = recv_bytes(call, bytes, sizeof bytes, &got, err);
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
	size_t got = 0;

	return recv_bytes(call, out, call->len, &got, err);
}

void fdfs_call_end(struct fdfs_pool *pool, struct fdfs_call *call, bool clean)
{
	if (clean && call->link.fd >= 0)
		fdfs_link_keep(pool, &call->link);
	else
		fdfs_link_drop(&call->link);
}
