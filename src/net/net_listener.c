#include "net/net_listener.h"

#include "net/sockaddr.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	KEEPALIVE_S = 60, /* idle peers are never closed, so dead ones have to be found */
};

/* Connections inherit these, which saves calls for each. */
static void set_tcp_options(int fd)
{
	int on = 1, after = KEEPALIVE_S;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &after, sizeof after);
}

static void init_stream(bool is_unix, struct net_loop *loop, union net_stream *stream, void *owner)
{
	if (is_unix)
		uv_pipe_init(&loop->uv, &stream->pipe, 0);
	else
		uv_tcp_init(&loop->uv, &stream->tcp);
	stream->handle.data = owner;
}

int net_listener_open(struct net_listener *listener, struct net_loop *loop, int fd, void *owner,
	uv_connection_cb on_connection)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof address;
	int rc = getsockname(fd, (struct sockaddr *)&address, &len);

	listener->is_unix = address.ss_family == AF_UNIX;
	init_stream(listener->is_unix, loop, &listener->uv, owner);
	if (rc == 0 && !listener->is_unix)
		set_tcp_options(fd);
	if (rc == 0)
		rc = listener->is_unix ? uv_pipe_open(&listener->uv.pipe, fd)
				       : uv_tcp_open(&listener->uv.tcp, fd);
	if (rc != 0) {
		close(fd);
		return -1;
	}
	return uv_listen(&listener->uv.stream, BACKLOG, on_connection) == 0 ? 0 : -1;
}

bool net_listener_accept(
	struct net_listener *listener, struct net_loop *loop, union net_stream *stream, void *owner)
{
	init_stream(listener->is_unix, loop, stream, owner);
	return uv_accept(&listener->uv.stream, &stream->stream) == 0;
}

uint64_t net_listener_owner(const struct net_listener *listener, const union net_stream *stream)
{
	struct sockaddr_storage address = { 0 };
	int len = sizeof address;
	uint64_t key = 0;

	if (listener->is_unix ||
		uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &len) != 0)
		return 0;
	if (address.ss_family == AF_INET)
		key = ((struct sockaddr_in *)&address)->sin_addr.s_addr;
	else
		memcpy(&key, &((struct sockaddr_in6 *)&address)->sin6_addr, sizeof key);
	return (key * 0x9e3779b97f4a7c15U) >> 32; /* neighbours get different remainders */
}

bool net_listener_admit(const struct net_listener *listener, const union net_stream *stream,
	const struct allow *allow, char *peer, size_t size)
{
	struct sockaddr_storage address;
	int len = sizeof address;
	char text[SOCKADDR_TEXT_MAX];

	peer[0] = '\0';
	if (listener->is_unix) {
		snprintf(peer, size, "unix");
		return true;
	}
	if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &len) != 0)
		return false;
	sockaddr_text((struct sockaddr *)&address, (socklen_t)len, text);
	snprintf(peer, size, "%.*s", (int)size - 1, text);
	return allow == NULL || allow_has(allow, (struct sockaddr *)&address);
}
