/* download.h - what download.fcgi does between ready and stop. */
#pragma once

#include "delivery/delivery_report.h"

/* By delivery_figure; for struct service. */
extern struct service_counter download_counters[DELIVERY_FIGURES];

/* The functions of struct service. */
int download_listen(struct service_context *context, struct err *err);
int download_open(struct service_context *context, struct err *err);
int download_run(struct service_context *context, struct err *err);
void download_stop(struct service_context *context);
void download_close(struct service_context *context);
