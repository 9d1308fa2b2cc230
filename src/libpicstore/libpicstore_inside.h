/* libpicstore_inside.h - what the files of the library share.  None of it is exported. */
#pragma once

#define PICSTORE_API __attribute__((visibility("default")))
#include "picstore.h"

#include "net/frame_client.h"

struct picstore {
	struct frame_client *client;
	enum byte_order order;
	uint32_t user, max_reply;
};

/* Fill `error`, which may be NULL, with what `err` says; returns its code. */
int libpicstore_fail(const struct err *err, picstore_error *error);
int libpicstore_succeed(picstore_error *error);

/* Send `body`, which is freed, and take the reply into `reply`, which the caller has
 * initialised (NULL: it has no body). */
int libpicstore_call(picstore *store, uint16_t cmd, enum frame_repeat repeat, struct buf *body,
	struct buf *reply, struct err *err);
