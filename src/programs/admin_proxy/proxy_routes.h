/* proxy_routes.h - which service answers which command, and what may be sent twice.
 *
 * A request that was sent to a service whose connection then broke may or may not have
 * been done.  It is sent to another one only where doing it twice is doing it once:
 *
 *     3002 delete later  yes: a second line in the delete log deletes what is gone already
 *     3005 cut           yes: at worst the same picture is made twice
 *     3030 delete now    yes: deleting what is gone is success
 *     0x10B5 session     no: each one counts
 *     0x10C0 to 0x10DF   what only reads (C1 to C4, C8, C9, CB, CC) yes; the rest no: it
 *                        makes something new, or would undo what came in between */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proxy_service {
	PROXY_CUT,
	PROXY_DELETE_LATER,
	PROXY_DELETE_NOW,
	PROXY_SESSION,
	PROXY_METADATA,
	PROXY_SERVICES
};

enum { PROXY_COMMANDS_MAX = 36 };

struct proxy_route {
	enum proxy_service service;
	bool repeat; /* may be sent again when it may have been done */
};

/* Returns false, and leaves `*route` alone, if no service has that command. */
bool proxy_route(uint16_t cmd, struct proxy_route *route);

/* Write every command that there is a route for; returns how many. */
size_t proxy_route_commands(uint16_t out[PROXY_COMMANDS_MAX]);

/* The service as its program is called: "cut_svr". */
const char *proxy_service_name(enum proxy_service service);
