/* fdfs_lookup.h - addresses of a host, by a deadline.
 *
 * The system's resolver has no deadline of its own: with name servers that are silent it
 * takes as long as /etc/resolv.conf allows. */
#pragma once

#include "core/err.h"

#include <netdb.h>
#include <stdint.h>

/* The addresses of `host`, digits or a name, with `port`; `deadline` is a time of
 * clock_mono_ms().  Returns 0 and a list for freeaddrinfo(), or -1 with ERR_UNREACHABLE, or
 * ERR_TIMEOUT; the sentence does not name the host. */
int fdfs_lookup(const char *host, uint16_t port, int64_t deadline, struct addrinfo **found,
	struct err *err);
