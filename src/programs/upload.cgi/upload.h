/* upload.h - upload.cgi as a service: settings, workers, figures, log lines. */
#pragma once

#include "service/service.h"

enum upload_figure {
	UPLOAD_PICTURES,
	UPLOAD_BYTES,
	UPLOAD_REFUSED_REQUEST,
	UPLOAD_REFUSED_KEY,
	UPLOAD_REFUSED_PICTURE,
	UPLOAD_FAILED_STORE,
	UPLOAD_FAILED_HERE,
	UPLOAD_SHED,
	UPLOAD_FORM_US, /* in the order of enum upload_step from here on */
	UPLOAD_KEY_US,
	UPLOAD_FILE_US,
	UPLOAD_CHECK_US,
	UPLOAD_NOTE_US,
	UPLOAD_STORE_US,
	UPLOAD_FIGURES
};

extern struct service_counter upload_counters[UPLOAD_FIGURES];

int upload_listen(struct service_context *context, struct err *err);
int upload_open(struct service_context *context, struct err *err);
int upload_run(struct service_context *context, struct err *err);
void upload_stop(struct service_context *context);
void upload_close(struct service_context *context);
