/* net_listener.h - the waiting socket of a server on the loop, and who comes in. */
#pragma once

#include "net/allow.h"
#include "net/net_inside.h"

union net_stream {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

struct net_listener {
	union net_stream uv;
	bool is_unix;
};

/* Wait for connections on `fd`, of bind_listen(), which is closed in any case.  Returns
 * 0, or -1; handle.data is `owner` then as well, and the handle may have to be closed. */
int net_listener_open(struct net_listener *listener, struct net_loop *loop, int fd, void *owner,
	uv_connection_cb on_connection);

/* Take the connection that waits; `stream` is set up in any case, its handle.data is
 * `owner`.  Returns false if it is gone already. */
bool net_listener_accept(struct net_listener *listener, struct net_loop *loop,
	union net_stream *stream, void *owner);

/* Write who the peer is ("10.0.0.1:4711", "unix") to `peer`; returns false if it is not on
 * `allow` (NULL: everybody is), or gone, when `peer` is empty. */
bool net_listener_admit(const struct net_listener *listener, const union net_stream *stream,
	const struct allow *allow, char *peer, size_t size);

/* A number that all connections from one address share (IPv6: from one /64), and few
 * others. */
uint64_t net_listener_owner(const struct net_listener *listener, const union net_stream *stream);
