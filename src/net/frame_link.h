/* frame_link.h - one kept connection to a server of framed packages, on the loop.
 *
 * Packages go out and come in independently of each other: whoever uses it matches
 * replies by their seq.  What is sent while the loop runs leaves in one write before it
 * waits again. */
#pragma once

#include "net/net_loop.h"
#include "wire/package.h"

#include <stdbool.h>

struct frame_link;

/* Called by the loop, never from within frame_link_open or frame_link_send. */
struct frame_link_handler {
	/* May be NULL. */
	void (*connected)(void *context);
	/* A whole package; `body` is borrowed for the call.  False: it makes no sense, and
	 * the link is closed. */
	bool (*package)(void *context, const struct package *package, struct span body);
	/* It could not be made, or has ended: `why` is a sentence.  The link can be asked
	 * what it sent, and is gone after this call. */
	void (*closed)(void *context, const char *why);
};

struct frame_link_conf {
	const struct frame_link_handler *handler;
	void *context;
	const char *address; /* "host:port", "[v6]:port" or "unix:/path"; copied */
	enum byte_order order;
	uint32_t max_package; /* a longer one that comes in closes it */
	int64_t connect_ms;   /* looking up a name included */
};

/* Begin to connect. */
struct frame_link *frame_link_open(struct net_loop *loop, const struct frame_link_conf *conf);

/* Close it without calling `closed`.  NULL is fine. */
void frame_link_close(struct frame_link *link);

bool frame_link_is_connected(const struct frame_link *link);

/* Send a package; its `len` is set here.  Returns where it ends in all that was ever sent
 * on this link: once frame_link_taken() has reached that, the peer may have got it. */
uint64_t frame_link_send(struct frame_link *link, const struct package *package, struct span body);

/* Bytes that the system has taken, and those that it has not. */
uint64_t frame_link_taken(const struct frame_link *link);
size_t frame_link_waiting(const struct frame_link *link);
