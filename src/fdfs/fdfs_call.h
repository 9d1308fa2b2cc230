/* fdfs_call.h - one request to one peer, and its reply. */
#pragma once

#include "fdfs/fdfs_link.h"
#include "fdfs/proto.h"

struct fdfs_call {
	/* the request */
	const struct fdfs_peer *peer;
	struct span head;    /* header and the beginning of the body */
	struct span content; /* the rest of the body, or empty */
	bool reads;          /* changes nothing: may be sent twice */
	uint64_t max_reply;  /* a longer body is refused unread */
	int64_t connect_ms;
	int64_t deadline; /* of clock_mono_ms() */
	/* Each time the peer has taken nothing and said nothing for so long, `give_up` is
	 * asked whether to wait no more; the outcome is ERR_TIMEOUT then.  0: it is not. */
	int64_t patience_ms;
	bool (*give_up)(void *context);
	void *context;

	/* the reply */
	uint8_t status; /* 0, or an errno */
	uint64_t len;   /* of its body, 0 if status is not; still to be read */

	/* after a failure: surely nothing was done */
	bool not_done;

	struct fdfs_link link;
};

/* Send the request and read the reply's header.  A connection that turns out closed
 * before the peer said anything is replaced once, if the request may be sent again.
 * Returns 0 if a reply came, whatever its status: then fdfs_call_body() and
 * fdfs_call_end() follow.  Else -1 with ERR_UNREACHABLE, ERR_TIMEOUT, or ERR_UNKNOWN
 * where a request that changes something may have been carried out. */
int fdfs_call(struct fdfs_pool *pool, struct fdfs_call *call, struct err *err);

/* Read the reply's body of call->len bytes to `out`. */
int fdfs_call_body(struct fdfs_call *call, void *out, struct err *err);

/* Keep the connection for others if `clean`, that is, if the body was read. */
void fdfs_call_end(struct fdfs_pool *pool, struct fdfs_call *call, bool clean);
