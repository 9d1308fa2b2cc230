/* tracker_server.h - the tracker as a service: sockets, times and log lines around
 * tracker_answers. */
#pragma once

#include "service/service.h"

enum tracker_counter {
	TRACKER_CONNECTIONS,
	TRACKER_REQUESTS,
	TRACKER_FAILED,
	TRACKER_UPLOADS_ROUTED,
	TRACKER_FETCHES_ROUTED,
	TRACKER_BEATS,
	TRACKER_STORAGES_UP,
	TRACKER_REFUSED,
	TRACKER_TOO_MANY,
	TRACKER_TIMEOUTS,
	TRACKER_BROKEN,
	TRACKER_COUNTERS,
};

extern struct service_counter tracker_counters[TRACKER_COUNTERS];

int tracker_listen(struct service_context *context, struct err *err);
int tracker_open(struct service_context *context, struct err *err);
int tracker_run(struct service_context *context, struct err *err);
void tracker_stop(struct service_context *context);
void tracker_close(struct service_context *context);
