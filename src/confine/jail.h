/* jail.h - lock a process in before it touches bytes from outside.
 *
 * Afterwards the process can compute, use the memory and descriptors that it has,
 * and start threads; it cannot open or create files, see the network, start programs
 * or signal other processes.  A system call outside the list kills it.  There is no
 * way back. */
#pragma once

#include "core/err.h"

#include <stdint.h>

struct jail {
	uint64_t memory;     /* address space beyond what the process has already, bytes */
	int64_t cpu_seconds; /* CPU time from the start of the process */
};

/* Lock the calling process, which must have one thread.  Returns 0, or -1 with
 * ERR_INTERNAL: then the process must not go on. */
int jail_enter(const struct jail *jail, struct err *err);
