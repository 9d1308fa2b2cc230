/* fake_server.h - a server on loopback that gives prepared answers, whatever is asked.
 *
 * It lives on a thread of its own.  Every whole request, of any connection, gets the
 * next answer of the list; the last one is given again and again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_answer {
	const void *data;
	size_t len;
	bool bytewise; /* one byte in a packet */
	bool close;    /* afterwards; without data: instead of an answer */
	bool hang;     /* say nothing and keep the connection */
	bool early;    /* answer as soon as a request begins */
};

struct fake_server;

/* `whole` tells the length of the request at the beginning of the bytes, 0 if it is not
 * complete.  The answers must stay until fake_server_stop. */
struct fake_server *fake_server_start(size_t (*whole)(const uint8_t *bytes, size_t len),
	const struct fake_answer *answers, size_t count);
void fake_server_stop(struct fake_server *server);

uint16_t fake_server_port(const struct fake_server *server);
const char *fake_server_address(const struct fake_server *server); /* "127.0.0.1:port" */

/* What has come so far. */
int fake_server_requests(struct fake_server *server);
int fake_server_connections(struct fake_server *server);

/* The latest request, at most 4096 bytes of it; returns its length. */
size_t fake_server_last(struct fake_server *server, uint8_t out[4096]);

/* Close all connections, as a restart does, and wait until that is done. */
void fake_server_hang_up(struct fake_server *server);

/* A port of 127.0.0.1 that nobody listens on. */
uint16_t fake_server_dead_port(void);
