/* net_conn_inside.h - what the files of net_conn know of each other.
 *
 *     socket ──► net_conn_input ──► protocol ──► net_conn_output ──► socket
 *
 *     HEADER ──► WAITING ──► BODY ──► ANSWERING ──► WRITING ──┐
 *       ▲  └───► DRAIN ───────────────►┘  │                   │
 *       │                                 └──► (closed)       │
 *       └─────────────────────────────────────────────────────┤
 *                                             LINGER ◄────────┘  if it is to close
 *
 * LINGER: all is said; what the peer still sends is read and forgotten for a moment,
 * since closing over unread bytes would reset the connection and take the reply along.
 *
 * net_conn.c has the life of a connection: how it begins, its deadlines, its end. */
#pragma once

#include "net/net_conn.h"

enum net_conn_state {
	CONN_HEADER,
	CONN_WAITING,
	CONN_BODY,
	CONN_DRAIN,
	CONN_ANSWERING,
	CONN_WRITING,
	CONN_LINGER,
};

struct net_conn {
	struct net_conn *next, *prev;
	struct net_server *server;
	union net_stream uv;
	enum net_conn_state state;
	bool reading;  /* uv_read_start is in effect */
	bool finished; /* no request after this one: the server stops or the peer has ended */
	bool broken;   /* the socket has failed: do not write */
	bool closing;
	bool running;          /* net_conn_go_on() is on the stack */
	int64_t deadline;      /* of uv_now(); 0: none */
	int64_t deadline_last; /* however much progress there is; 0: none */
	size_t unsent;         /* of the reply, when looked at last */

	size_t header_have;
	uint64_t body_len, body_have;
	uint8_t *body;
	struct net_place body_place, reply_place;

	/* Bytes behind the current request: in the loop's scratch while a read is dealt with,
	 * then kept in `kept`. */
	const uint8_t *in;
	size_t in_len;
	uint8_t *kept;

	struct net_request request;
	void *mine;
	void (*reserved)(void *context, struct net_request *request);
	void *reserved_context;

	struct net_post post; /* an answer from another thread */
	bool hang_up;
	struct net_reply reply;
	uv_write_t write;
	uv_shutdown_t shutdown;
	char peer[NET_PEER_MAX];
	uint64_t owner;     /* of what it holds of the budgets */
	bool known;         /* it has sent a whole request */
	int64_t idle_since; /* its last reply, or its beginning; 0: not admitted */
};

/* ---- net_conn.c: deadlines, the end ---- */

int64_t net_conn_now(const struct net_conn *conn);

/* Something has to come or to leave within `ms`; or nothing has to. */
void net_conn_expect(struct net_conn *conn, int64_t ms);
void net_conn_expect_nothing(struct net_conn *conn);

void net_conn_trouble(struct net_server *server, enum net_trouble what, const char *peer);

/* What it holds of the budgets. */
void net_conn_give_back(struct net_conn *conn);

/* The end, but not while somebody outside still holds the request: then its answer is
 * waited for. */
void net_conn_close(struct net_conn *conn);

/* ---- net_conn_input.c ---- */

void net_conn_start_reading(struct net_conn *conn);

/* Go on as far as the bytes at hand allow.  Answers that are given at once come back to
 * the loop in there, not to a deeper one: a peer may glue any number of requests together. */
void net_conn_go_on(struct net_conn *conn);
