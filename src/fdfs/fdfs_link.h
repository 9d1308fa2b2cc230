/* fdfs_link.h - connections to trackers and storages, with deadlines, kept and shared.
 *
 * A deadline is a time of clock_mono_ms().  Errors are ERR_UNREACHABLE if the peer is
 * not there or went away, ERR_TIMEOUT if the deadline passed; their sentences name the
 * peer.  A link belongs to one thread at a time, the pool to all. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <netinet/in.h>

struct fdfs_peer {
	char text[272]; /* "host:port" or "[v6]:port", its name in errors */
	char host[256];
	uint16_t port;
};

/* Read "host:port", "[v6]:port"; a host may be a name.  False if it is neither. */
bool fdfs_peer_parse(const char *text, struct fdfs_peer *peer);

/* The peer at an address in digits, as trackers tell it.  False if it is none. */
bool fdfs_peer_at(const char *ip, uint16_t port, struct fdfs_peer *peer);

bool fdfs_peer_equal(const struct fdfs_peer *a, const struct fdfs_peer *b);

struct fdfs_pool;

struct fdfs_pool *fdfs_pool_new(size_t idle_per_server);
void fdfs_pool_free(struct fdfs_pool *pool); /* NULL is fine */

struct fdfs_link {
	int fd; /* -1: closed */
	bool reused;
	struct fdfs_peer peer;
};

/* Take an idle connection to `peer`, one that looks alive, or make one within
 * `connect_ms`; with `fresh` always make one, and close the idle ones to that peer,
 * which have likely met the same end as the one that made the caller ask. */
int fdfs_link_open(struct fdfs_pool *pool, const struct fdfs_peer *peer, bool fresh,
	int64_t connect_ms, int64_t deadline, struct fdfs_link *link, struct err *err);

/* Put a link that is between two requests back for others; takes it over. */
void fdfs_link_keep(struct fdfs_pool *pool, struct fdfs_link *link);

void fdfs_link_drop(struct fdfs_link *link);

/* Send `parts`, one behind the other, but for the first `*sent` bytes.  Stops early, and
 * returns 0, if the peer says something before it has all: then it has made up its mind.
 * `*sent` counts on, whatever the outcome, so that after ERR_TIMEOUT it may go on. */
int fdfs_link_send(struct fdfs_link *link, const struct span *parts, size_t count, int64_t deadline,
	size_t *sent, struct err *err);

/* Read until there are `len` bytes, of which `*got` are there.  `*got` counts on in the
 * same way. */
int fdfs_link_recv(struct fdfs_link *link, void *out, size_t len, int64_t deadline, size_t *got,
	struct err *err);
