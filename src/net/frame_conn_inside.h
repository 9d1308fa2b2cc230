/* frame_conn_inside.h - what the files of frame_conn know of each other.
 *
 *     socket ──► frame_conn_input ──► handler ──► frame_conn_reply ──► frame_conn_output ──► socket
 *
 * frame_conn.c has the life of a connection: how it begins, its deadlines, its end. */
#pragma once

#include "net/frame_conn.h"

enum {
	FRAME_STOP_MS = 10000, /* a peer that does not take its replies when the server stops */
	FRAME_OUT_MAX = 1 << 30,
};

/* A request; what of it the handler sees comes first. */
struct frame_pending {
	struct frame_request request;
	struct frame_pending *next, *prev;
	struct frame_conn *conn;
	struct net_post post; /* a reply from another thread */
	struct net_place place;
	bool done;
	enum ret ret;
	struct buf reply;
	uint32_t len; /* of body */
	uint8_t body[];
};

struct frame_conn {
	struct frame_conn *next, *prev;
	struct frame_server *server;
	union net_stream uv;
	struct frame_conn *next_ready;
	bool is_ready;   /* on the server's list */
	bool reading;    /* uv_read_start is in effect */
	bool finished;   /* no package is begun any more */
	bool ended;      /* the peer sends nothing more */
	bool unshielded; /* the shield has no more for us */
	bool lingering;
	bool closing, closed;
	int64_t deadline;       /* for what is being read, of uv_now(); 0: none */
	int64_t deadline_last;  /* however much progress there is */
	int64_t write_deadline; /* 0: none */
	size_t unsent;          /* when looked at last */

	uint8_t header[PACKAGE_HEADER_LEN];
	size_t header_have;
	struct frame_pending *coming; /* its body is being read */
	uint32_t coming_have;
	bool waiting;  /* for room for that body */
	uint32_t skip; /* bytes of a body to pass over; then `skipped` is refused */
	struct package skipped;
	bool skipping;

	/* Bytes that were read but not dealt with: in the loop's scratch during a read, then
	 * in `kept`. */
	const uint8_t *in;
	size_t in_len;
	uint8_t *kept;

	struct frame_pending *first, *last; /* begun and not yet written to `out`, in order */
	int count;                          /* of them */
	struct buf out, writing;            /* replies to send; replies that are being sent */
	uv_write_t write;
	uv_shutdown_t shutdown;
	size_t counted; /* of their bytes in server->unsent */
	char peer[NET_PEER_MAX];
	bool known;                   /* it has sent a whole package */
	int64_t idle_since;           /* its last package, or its beginning; 0: not admitted */
	uint64_t owner;               /* of what it holds of the budget */
	void *session;                /* of the shield, if there is one */
	struct sockaddr_storage from; /* if the handler has `admit`; ss_family 0: unix */
};

/* ---- frame_conn.c: deadlines, the list of those to go on with, the end ---- */

int64_t frame_conn_now(const struct frame_conn *conn);

/* Something has to come within `ms`; or nothing has to. */
void frame_conn_expect(struct frame_conn *conn, int64_t ms);
void frame_conn_expect_nothing(struct frame_conn *conn);

void frame_conn_trouble(struct frame_server *server, enum net_trouble what, const char *peer);

/* Have it gone on with before the loop waits. */
void frame_conn_make_ready(struct frame_conn *conn);

/* Tell the server how many bytes of replies wait here. */
void frame_conn_count_unsent(struct frame_conn *conn);

/* Close the socket; what is under way is answered to nobody. */
void frame_conn_close(struct frame_conn *conn);

/* Free it if the socket has gone and nobody outside holds a request. */
void frame_conn_free_if_over(struct frame_conn *conn);

/* ---- frame_conn_input.c ---- */

void frame_conn_start_reading(struct frame_conn *conn);

/* Is there room for another request? */
bool frame_conn_may_begin(const struct frame_conn *conn);

/* Begin all that can be begun of what was read, and read on or not. */
void frame_conn_take_apart(struct frame_conn *conn);

/* ---- frame_conn_reply.c ---- */

void frame_pending_append(struct frame_conn *conn, struct frame_pending *pending);
void frame_pending_unlink(struct frame_conn *conn, struct frame_pending *pending);
void frame_pending_free(struct frame_conn *conn, struct frame_pending *pending);

/* Answer without begin(), in its turn. */
void frame_conn_refuse(struct frame_conn *conn, const struct package *package, enum ret ret);

/* ---- frame_conn_output.c ---- */

/* Send what is in `out`. */
void frame_conn_write(struct frame_conn *conn);

/* All is said.  What the peer still sends is read and forgotten for a moment, since
 * closing over unread bytes would reset the connection and take the replies along. */
void frame_conn_linger(struct frame_conn *conn);
