/* delivery_report.h - what a program notes about answers for pictures: figures, log lines. */
#pragma once

#include "delivery/delivery.h"
#include "service/service.h"

enum delivery_figure {
	DELIVERY_PICTURES, /* 200 and 206 */
	DELIVERY_BYTES,    /* of them, slices included */
	DELIVERY_SLICES,
	DELIVERY_UNCHANGED, /* 304 */
	DELIVERY_MISSING,   /* 404 and 410 */
	DELIVERY_REFUSED,   /* 400, 405, 416: the caller's fault */
	DELIVERY_CORRUPT,   /* 502 */
	DELIVERY_FAILED,    /* everything else */
	DELIVERY_FIGURES
};

/* Count an answer in the program's counters, by delivery_figure. */
void delivery_count(struct service_counter counters[DELIVERY_FIGURES],
	const struct http_request *request, const struct http_response *response);

/* Log an answer that is a failure, and why. */
void delivery_log_failure(const struct http_request *request, const struct http_response *response,
	const struct err *err);
