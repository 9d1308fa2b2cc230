/* metadata.h - metadata_dbsvr's threads: one that changes, some that read, one that
 * settles what uploads left unfinished. */
#pragma once

#include "service/frame_service.h"
#include "wire/photo_body.h"

enum {
	METADATA_PUTS = FRAME_FIGURES,
	METADATA_CHANGES,
	METADATA_READS,
	METADATA_COMMITS,
	METADATA_PENDING, /* older than they should be */
	METADATA_SETTLED,
	METADATA_FIGURES,
};

extern struct service_counter metadata_counters[METADATA_FIGURES];

int metadata_open(struct service_context *context, struct err *err);
void metadata_begin(void *state, struct frame_request *request);
void metadata_close(struct service_context *context);
