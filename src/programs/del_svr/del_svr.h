/* del_svr.h - notes pictures that are to be deleted later. */
#pragma once

#include "service/frame_service.h"

enum { DEL_PICTURES = FRAME_FIGURES, DEL_FLUSHES, DEL_COUNTERS };

extern struct service_counter del_svr_counters[DEL_COUNTERS];

int del_svr_open(struct service_context *context, struct err *err);
void del_svr_begin(void *state, struct frame_request *request);
void del_svr_close(struct service_context *context);
