/* name_set.h - which of millions of names have been met, in about 16 bytes for each.
 *
 * Of a name 64 bits of its SHA-256 are kept: that two of a hundred million names share
 * them has a chance of about 1 in 3,700. */
#pragma once

#include "core/buf.h"

struct name_set {
	uint64_t *slots; /* 0: free */
	size_t size, count;
};

void name_set_fini(struct name_set *set); /* a zeroed one is an empty set */

/* Returns true if it is new. */
bool name_set_add(struct name_set *set, const char *name);
bool name_set_has(const struct name_set *set, const char *name);
