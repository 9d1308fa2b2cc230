/* download.h - what download.fcgi does between ready and stop. */
#pragma once

#include "service/service.h"

enum download_figure {
	DOWNLOAD_PICTURES, /* 200 and 206 */
	DOWNLOAD_BYTES,    /* of them, slices included */
	DOWNLOAD_SLICES,
	DOWNLOAD_UNCHANGED, /* 304 */
	DOWNLOAD_MISSING,   /* 404 and 410 */
	DOWNLOAD_REFUSED,   /* 400, 405, 416: the caller's fault */
	DOWNLOAD_CORRUPT,   /* 502 */
	DOWNLOAD_FAILED,    /* everything else */
	DOWNLOAD_FIGURES
};

/* By download_figure; for struct service. */
extern struct service_counter download_counters[DOWNLOAD_FIGURES];

/* The functions of struct service. */
int download_listen(struct service_context *context, struct err *err);
int download_open(struct service_context *context, struct err *err);
int download_run(struct service_context *context, struct err *err);
void download_stop(struct service_context *context);
void download_close(struct service_context *context);
