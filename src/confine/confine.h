/* confine.h - what a daemon gives up before it looks at anything from outside.
 *
 * Files: what is not listed cannot be opened, made, removed or run, whoever the process is
 * (landlock, Linux 5.13 and later).  No program can be started.  TCP ports cannot be taken
 * any more and, where `connects` is false, no TCP connection be made (6.7); processes
 * outside cannot be signalled (6.12).
 *
 * System calls: those that no daemon needs and that attacks are made of are answered with
 * EPERM (seccomp): starting programs, looking into other processes, mounting, namespaces,
 * kernel modules, bpf, io_uring, sockets of other families than UNIX, IP and NETLINK.
 *
 * Both hold for the calling thread and for what it starts, so they come before any thread. */
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

enum confine_access {
	CONFINE_READ,    /* the file, or the folder and everything below */
	CONFINE_SOCKETS, /* the same, and unix sockets are made and removed there */
	CONFINE_WRITE,   /* everything but devices and symbolic links */
};

struct confine_path {
	const char *path;
	enum confine_access access;
};

/* What is not there is left out.  Returns 0, or -1 with ERR_INTERNAL: then the process must
 * not go on.  `*confined` tells whether the kernel knows of it at all. */
int confine_files(const struct confine_path *paths, size_t count, bool connects, bool *confined,
	struct err *err);

/* Returns 0, or -1 with ERR_INTERNAL. */
int confine_calls(struct err *err);
