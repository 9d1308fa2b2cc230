/* sess_check.h - counting the uses of session keys, by the batch.
 *
 * Requests are looked at by the loop's thread as they come, and counted by one thread of
 * its own: all that have come while it was at the store are its next batch, so that a
 * flush to the disk is shared by as many as wait for it. */
#pragma once

#include "service/frame_service.h"

enum sess_figure {
	SESS_USES = FRAME_FIGURES,
	SESS_REFUSED, /* used too often */
	SESS_LOOKS,
	SESS_BAD_KEYS,
	SESS_BATCHES,
	SESS_FORGOTTEN,
	SESS_FIGURES
};

extern struct service_counter sess_counters[SESS_FIGURES];

int sess_check_open(struct service_context *context, struct err *err);
void sess_check_begin(void *state, struct frame_request *request);
void sess_check_close(struct service_context *context);
