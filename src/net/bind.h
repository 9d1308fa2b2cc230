/* bind.h - sockets that wait for connections; plain ones, without an event loop. */
#pragma once

#include "core/err.h"
#include "net/sockaddr.h"

/* Listen on "host:port", "[v6]:port" or "unix:/path".  A unix socket gets `socket_mode`
 * (0660); one that a process answers on is ERR_EXISTS, as is a port in use; one left
 * behind is replaced.  Returns a blocking, close-on-exec descriptor, or -1 with a
 * sentence that says what to do. */
int bind_listen(const char *address, int socket_mode, int backlog, struct err *err);

/* The address that `fd` is bound to: tells the port where port 0 was asked for. */
void bind_text(int fd, char out[SOCKADDR_TEXT_MAX]);

/* Close `fd` (-1 is fine) and take its unix socket's file away. */
void bind_close(int fd);
