/* storage_server.h - the storage as a service: sockets, engine, reports to trackers. */
#pragma once

#include "delivery/delivery_report.h"
#include "service/service.h"

enum storage_counter {
	STORAGE_CONNECTIONS,
	STORAGE_REQUESTS,
	STORAGE_UPLOADS,
	STORAGE_UPLOADS_FAILED,
	STORAGE_DOWNLOADS,
	STORAGE_DOWNLOADS_FAILED,
	STORAGE_DELETES,
	STORAGE_DELETES_FAILED,
	STORAGE_INFOS,
	STORAGE_INFOS_FAILED,
	STORAGE_APPENDS,
	STORAGE_APPENDS_FAILED,
	STORAGE_MODIFIES,
	STORAGE_MODIFIES_FAILED,
	STORAGE_TRUNCATES,
	STORAGE_TRUNCATES_FAILED,
	STORAGE_METADATA_SETS,
	STORAGE_METADATA_SETS_FAILED,
	STORAGE_METADATA_GETS,
	STORAGE_METADATA_GETS_FAILED,
	STORAGE_BYTES_IN,
	STORAGE_BYTES_OUT,
	STORAGE_BAD_REQUESTS,
	STORAGE_NOT_FOUND,
	STORAGE_FULL,
	STORAGE_CORRUPT,
	STORAGE_OTHER_ERRORS,
	STORAGE_ENGINE_WELL,
	STORAGE_PENDING_PUTS,
	STORAGE_PENDING_DELETES,
	STORAGE_TRACKERS_UP,
	STORAGE_REFUSED,
	STORAGE_TOO_MANY,
	STORAGE_TIMEOUTS,
	STORAGE_BROKEN,
	STORAGE_HTTP_CONNECTIONS,
	STORAGE_HTTP_TIMEOUTS,
	STORAGE_SCRUBBED,
	STORAGE_QUARANTINED,
	STORAGE_HTTP_FIGURES, /* by delivery_figure */
	STORAGE_HTTP_LAST = STORAGE_HTTP_FIGURES + DELIVERY_FIGURES - 1,
	STORAGE_COUNTERS,
};

extern struct service_counter storage_counters[STORAGE_COUNTERS];

int storage_listen(struct service_context *context, struct err *err);
int storage_open(struct service_context *context, struct err *err);
int storage_run(struct service_context *context, struct err *err);
void storage_stop(struct service_context *context);
int storage_reload(struct service_context *context, const struct settings *fresh, struct err *err);
void storage_close(struct service_context *context);
