/* net_server.h - a server of framed requests: a header of fixed length that tells how long
 * the body is, the body, an answer.
 *
 * Which protocol it is, a struct net_protocol says.  The server does what is the same
 * for all:
 *
 *   - Requests of one connection are answered one at a time and in order, however they
 *     were cut or glued together on their way.  While one is being answered at most
 *     16 KB of the next are read.
 *   - The body of a request is read into memory as a whole.  All bodies together keep
 *     within `body_memory`: a connection whose body does not fit yet waits, in turn, and
 *     is not read meanwhile; it holds nothing while it waits, so nobody waits in a circle.
 *     Bodies up to NET_SMALL_BODY are not counted.  Replies have a budget of their own,
 *     see net_reserve.
 *   - A reply that the peer does not take is not followed by reading more requests.
 *   - A peer that sends nothing at all, stops within a request, or does not take its
 *     reply is closed after `timeout_ms`; one that sends its body or takes its reply
 *     slower than 16 KB/s likewise, in the end.  One that is idle after a whole request
 *     never is.
 *   - While somebody waits for memory, one after the other of those who hold some and
 *     would need more than ten seconds to be through is closed, the slowest first; and
 *     turns are fair between addresses (net_budget.h).
 *   - From addresses that are not allowed connections are accepted and closed.  With
 *     `max_connections` open, a new one takes the place of the one with which least is
 *     lost (enum net_worth), of equals the one that is idle longest.  So nobody shuts
 *     others out by taking all places.  If all are of use, the new one is closed.
 *
 * Everything happens in the loop's thread, except where "any thread" is said. */
#pragma once

#include "core/buf.h"
#include "net/allow.h"
#include "net/net_loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NET_BODY_SPARE = 64, NET_HEADER_MAX = 32, NET_SMALL_BODY = 4096, NET_PEER_MAX = 64 };

/* What to do with a request, by its header. */
struct net_verdict {
	enum {
		NET_COLLECT, /* read `len` bytes of body, then answer() */
		NET_DRAIN,   /* read `len` bytes and forget them, then answer() with `drained` */
		NET_CLOSE,   /* close without an answer */
	} what;
	uint64_t len;
};

/* A request that waits for its answer; it lives until it is replied to. */
struct net_request {
	uint8_t header[NET_HEADER_MAX]; /* header_len bytes of it count */
	struct span body; /* empty if drained; NET_BODY_SPARE bytes behind it are free to use */
	bool drained;
	const char *peer; /* "10.0.0.1:4711", for logs */
	void **mine;      /* of the connection: NULL at first, then what the protocol puts there */
};

/* An answer.  The memory of `body` is taken over; of it `slice` is sent behind `head`. */
struct net_reply {
	uint8_t head[NET_HEADER_MAX];
	size_t head_len;
	struct buf body;
	struct span slice;
	bool close; /* afterwards */
};

enum net_trouble {
	NET_REFUSED,  /* the address is not allowed */
	NET_TOO_MANY, /* over max_connections */
	NET_TIMED_OUT,
	NET_TOO_SLOW, /* and others waited for the memory that it held */
	NET_REPLACED, /* all places were taken, and it made no use of its own */
	NET_BROKEN,   /* the connection ended within a request */
	NET_TROUBLES,
};

/* Of connections, when all places are taken. */
enum net_worth {
	NET_WORTH_NOTHING, /* it never sent as much as a header */
	NET_WORTH_LITTLE,  /* idle after a whole request */
	NET_WORTH_SOME,    /* it sends the body of its first request */
	NET_WORTH_ALL,     /* stays */
};

struct net_protocol {
	size_t header_len; /* at most NET_HEADER_MAX */
	struct net_verdict (*judge)(void *context, const uint8_t *header);
	/* Exactly one net_reply or net_hang_up must follow, now or later. */
	void (*answer)(void *context, struct net_request *request);
	/* A connection has ended; `mine` is what its requests left there.  NULL: nothing. */
	void (*ended)(void *context, void *mine);
	/* For logs and counters; may be NULL. */
	void (*trouble)(void *context, enum net_trouble what, const char *peer);
};

struct net_server_conf {
	const struct net_protocol *protocol;
	void *context;
	int fd;                    /* of bind_listen(); taken over */
	const struct allow *allow; /* NULL: everybody; must outlive the server */
	int64_t max_connections;
	int64_t timeout_ms;
	uint64_t body_memory;  /* of requests; a longer body waits until it is alone */
	uint64_t reply_memory; /* the same for net_reserve */
};

struct net_server;

/* Begin to serve on `loop`, which frees the server in the end.  conf->fd is closed in any
 * case. */
struct net_server *net_server_new(
	struct net_loop *loop, const struct net_server_conf *conf, struct err *err);

/* Answer `request`, which is gone then.  `reply` is copied.  Any thread. */
void net_reply(struct net_request *request, const struct net_reply *reply);

/* Close the connection instead of an answer.  Any thread. */
void net_hang_up(struct net_request *request);

/* Call `go` once there are `bytes` of reply memory for `request`, now or when others have
 * sent theirs; they are given back when its reply has left. */
void net_reserve(struct net_request *request, uint64_t bytes, void *context,
	void (*go)(void *context, struct net_request *request));

/* Figures, any thread. */
int64_t net_server_connections(const struct net_server *server);
int64_t net_server_connections_max(const struct net_server *server); /* most so far */
