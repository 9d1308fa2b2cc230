/* frame_server.h - a server of framed packages (src/wire/package.h) with many requests of
 * one connection under way at a time.
 *
 *   - Packages may come glued together or cut at any byte.  Each whole one is handed to
 *     `begin`; up to `in_flight` of a connection are then waiting for their reply, and no
 *     more of it is read meanwhile.
 *   - Replies leave in the order of their requests, or as they are ready when `any_order`
 *     says so (for callers that match by seq, as admin_proxy does).  Those that are ready
 *     together leave in one write.
 *   - A len below that of a header: the connection is closed, nothing behind it can be
 *     trusted.  A len above `max_package`: RET_TOO_LARGE, then closed.  A command that is
 *     not on the list: its body is passed over, RET_UNSUPPORTED, and on.  CMD_PING is
 *     answered here.
 *   - Bodies over NET_SMALL_BODY share `body_memory`, as in net_server.h; so do the rules
 *     for silent and slow peers, and for those that are not allowed or too many.
 *   - A server that stops reads no further package and answers those it has.
 *   - With `in_flight_all`, once so many requests of all connections are under way no
 *     connection is read further until a quarter of them is answered.
 *   - With `reply_memory`, when replies that peers do not take come to more than that, the
 *     peer that leaves most of them is closed. */
#pragma once

#include "net/frame_shield.h"
#include "net/net_server.h"
#include "wire/package.h"
#include "wire/ret.h"

/* A request that waits for its reply; it lives until then. */
struct frame_request {
	struct package package;
	struct span body;
	enum byte_order order;       /* of the integers in it */
	const char *peer;            /* "10.0.0.1:4711", for logs */
	const struct sockaddr *from; /* the same, if the handler has `admit`; NULL for unix */
};

struct frame_handler {
	/* Exactly one frame_reply must follow, now or later. */
	void (*begin)(void *context, struct frame_request *request);
	/* A package was answered with `ret` without begin(); may be NULL. */
	void (*refused)(
		void *context, const struct package *package, const char *peer, enum ret ret);
	/* May be NULL. */
	void (*trouble)(void *context, enum net_trouble what, const char *peer);
	/* May `peer` connect?  Asked if conf.allow lets it; may be NULL, everybody then may.
	 * Unix sockets are not asked about: their file has a mode. */
	bool (*admit)(void *context, const struct sockaddr *peer);
};

struct frame_server_conf {
	const struct frame_handler *handler;
	void *context;
	int fd;                   /* of bind_listen(); taken over */
	const uint16_t *commands; /* that begin() is called for */
	size_t command_count;
	enum byte_order order;
	uint32_t max_package;
	int in_flight; /* of one connection */
	bool any_order;
	const struct allow *allow; /* NULL: everybody; must outlive the server, as the commands */
	int64_t max_connections;
	int64_t timeout_ms;
	uint64_t body_memory;
	int64_t in_flight_all;             /* 0: no limit */
	uint64_t reply_memory;             /* 0: no limit */
	const struct frame_shield *shield; /* NULL: none */
	void *shield_context;
};

struct frame_server;

/* Begin to serve on `loop`, which frees the server in the end.  conf->fd is closed in any
 * case. */
struct frame_server *frame_server_new(
	struct net_loop *loop, const struct frame_server_conf *conf, struct err *err);

/* Answer `request`, which is gone then.  The bytes of `body` are taken over, and sent
 * only with RET_OK; NULL is an empty one.  Any thread. */
void frame_reply(struct frame_request *request, enum ret ret, struct buf *body);

/* Go on with the limits of `conf`: in_flight, in_flight_all, max_connections, timeout_ms,
 * body_memory, reply_memory, and with its shield_context.  Whoever is over a new limit stays, and
 * is not let further. */
void frame_server_change(struct frame_server *server, const struct frame_server_conf *conf);

int64_t frame_server_connections(const struct frame_server *server); /* any thread */
