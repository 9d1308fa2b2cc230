/* address.h - where a socket is, as text: "host:port", "[v6]:port" or "unix:/path".
 *
 * Taken apart here without asking anybody; src/net/sockaddr.h makes it an address
 * that the system takes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	ADDRESS_HOST_MAX = 253,
	ADDRESS_PATH_MAX = 107, /* of a unix socket: what sockaddr_un holds, without its NUL */
};

struct address {
	bool is_unix;
	char host[ADDRESS_HOST_MAX + 1]; /* a name or number, without brackets; or the path */
	uint16_t port;                   /* 0 for unix */
};

/* Take `text` apart.  Returns false, and leaves `*out` alone, if it is no address.
 * Port 0 is one: the system then chooses a port that is free. */
bool address_parse(const char *text, struct address *out);

/* Write `text` with another port.  Returns false, and writes `text` itself, if it has none. */
bool address_with_port(const char *text, uint16_t port, char out[ADDRESS_HOST_MAX + 16]);

/* Write the address whose port is `offset` above that of `text`, for services that run
 * several times.  Returns false, and writes `text` itself, if it is none with a port. */
bool address_in_row(const char *text, int64_t offset, char out[ADDRESS_HOST_MAX + 16]);
