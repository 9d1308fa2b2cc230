/* frame_shield.h - what a frame_server's connections pass through on their way: TLS.
 *
 * A table of functions, so that src/net need not know whose TLS it is. */
#pragma once

#include "core/buf.h"

#include <stddef.h>

struct frame_shield {
	/* One connection's; NULL if memory ends. */
	void *(*open)(void *context);
	void (*close)(void *session);
	/* Bytes came; false: close it. */
	bool (*feed)(void *session, struct span bytes);
	/* Up to `max` plain bytes; 0: none until more comes; -1: never again. */
	ptrdiff_t (*read)(void *session, void *out, size_t max, bool *clean);
	bool (*write)(void *session, struct span plain);
	/* Append what is to be sent. */
	void (*take)(void *session, struct buf *out);
	/* Nothing more will be written. */
	void (*end)(void *session);
};
