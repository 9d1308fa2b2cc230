/* allow.h - which addresses may connect. */
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct allow_rule {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;        /* how many of the 128 count */
};

struct allow {
	struct allow_rule *rules;
	size_t count;
};

/* Read addresses and networks ("10.0.0.0/8", "127.0.0.1", "fd00::/8").  Returns 0, or -1
 * with ERR_CONFIG that names the wrong one; `allow` is then empty. */
int allow_init(struct allow *allow, char *const *items, size_t count, struct err *err);
void allow_fini(struct allow *allow);

/* Is `peer` on the list?  Unix sockets always are: their file has a mode. */
bool allow_has(const struct allow *allow, const struct sockaddr *peer);
