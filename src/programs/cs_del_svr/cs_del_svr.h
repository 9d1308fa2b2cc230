/* cs_del_svr.h - deletes stored pictures now, and keeps a receipt of each. */
#pragma once

#include "service/frame_service.h"

enum { CS_DEL_PICTURES = FRAME_FIGURES, CS_DEL_OUTSTANDING, CS_DEL_RETRIED, CS_DEL_COUNTERS };

extern struct service_counter cs_del_counters[CS_DEL_COUNTERS];

int cs_del_open(struct service_context *context, struct err *err);
int cs_del_answer(
	void *state, const struct frame_request *request, struct buf *reply, struct err *err);
void cs_del_close(struct service_context *context);
