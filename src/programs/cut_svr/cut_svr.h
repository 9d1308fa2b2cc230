/* cut_svr.h - cuts pictures that are in the store. */
#pragma once

#include "service/frame_service.h"

enum {
	CUT_SVR_MADE = FRAME_FIGURES,
	CUT_SVR_REMEMBERED,
	CUT_SVR_SHARED,
	CUT_SVR_BYTES_IN,
	CUT_SVR_BYTES_OUT,
	CUT_SVR_CUT_US,
	CUT_SVR_COUNTERS
};

extern struct service_counter cut_svr_counters[CUT_SVR_COUNTERS];

int cut_svr_open(struct service_context *context, struct err *err);
int cut_svr_answer(
	void *state, const struct frame_request *request, struct buf *reply, struct err *err);
void cut_svr_close(struct service_context *context);
