/* metadata_answer.h - one request, from its body to the reply's. */
#pragma once

#include "net/frame_server.h"
#include "programs/metadata_dbsvr/photo_store.h"

/* Does the command change anything? */
bool metadata_changes(uint16_t cmd);

/* Answer a request at the time `now`; one that changes is within a transaction. */
int metadata_answer(struct photo_store *store, const struct frame_request *request, int64_t now,
	struct buf *reply, struct err *err);
