/* stat_socket.h - a daemon's figures, told to whoever connects.
 *
 * RUN_DIR/NAME.stat is a unix socket.  It reads nothing; it sends one JSON object and
 * closes:
 *
 *     {"name": "storage_server", "instance": "g01", "pid": 4711, "version": "0.1.0",
 *      "uptime": 12, "counters": {"uploads": 5, "connections": 2}}
 *
 * `uptime` is in seconds; `instance` is "" for a daemon without instances. */
#pragma once

#include "service/service.h"

struct stat_socket;

/* Write the socket's path, RUN_DIR/NAME.stat or RUN_DIR/NAME-INSTANCE.stat. */
void stat_socket_path(const char *run_dir, const char *name, const char *instance, char out[256]);

/* Answer on the socket with a thread of its own until stat_socket_close. */
struct stat_socket *stat_socket_open(
	const struct service *service, const struct service_context *context, struct err *err);
void stat_socket_close(struct stat_socket *stat); /* NULL is fine */
