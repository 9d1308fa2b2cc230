/* sockaddr.h - addresses as the system takes them, and as people read them. */
#pragma once

#include "core/err.h"

#include <sys/socket.h>

enum { SOCKADDR_TEXT_MAX = 120 }; /* with the NUL */

/* Make an address of "host:port", "[v6]:port" or "unix:/path".  A host that is a name
 * is looked up, which may take seconds; its first address is taken.  Returns 0, or -1
 * with ERR_CONFIG for what is no address, ERR_UNREACHABLE for a name that nobody knows. */
int sockaddr_resolve(
	const char *text, struct sockaddr_storage *out, socklen_t *len, struct err *err);

/* Write the address in the form above, numbers only; "?" for any other family. */
void sockaddr_text(const struct sockaddr *address, socklen_t len, char out[SOCKADDR_TEXT_MAX]);
