#include "delivery/delivery_report.h"

#include "core/log.h"

enum { SHOWN_MAX = 200 };

static enum delivery_figure figure_of(int status)
{
	switch (status) {
	case 200:
	case 206:
		return DELIVERY_PICTURES;
	case 304:
		return DELIVERY_UNCHANGED;
	case 404:
	case 410:
		return DELIVERY_MISSING;
	case 400:
	case 405:
	case 416:
		return DELIVERY_REFUSED;
	case 502:
		return DELIVERY_CORRUPT;
	default:
		return DELIVERY_FAILED;
	}
}

static void count(struct service_counter *counter, uint64_t by)
{
	atomic_fetch_add_explicit(&counter->value, (int64_t)by, memory_order_relaxed);
}

void delivery_count(struct service_counter counters[DELIVERY_FIGURES],
	const struct http_request *request, const struct http_response *response)
{
	enum delivery_figure figure = figure_of(response->status);
	bool slice = response->file_path[0] != '\0';

	count(&counters[figure], 1);
	if (figure != DELIVERY_PICTURES)
		return;
	if (slice)
		count(&counters[DELIVERY_SLICES], 1);
	if (request->method != HTTP_HEAD)
		count(&counters[DELIVERY_BYTES], slice ? response->file_len : response->body.len);
}

/* What anybody can cause at will is shown at debug level only, lest the log fill up. */
static enum log_level level_of(int status)
{
	if (status == 502)
		return LOG_ALARM;
	return status < 500 ? LOG_DEBUG : LOG_ERROR;
}

static int shown_len(struct span text)
{
	return text.len < SHOWN_MAX ? (int)text.len : SHOWN_MAX;
}

void delivery_log_failure(const struct http_request *request, const struct http_response *response,
	const struct err *err)
{
	struct span peer = request->forwarded_for.len > 0 ? request->forwarded_for
							  : request->remote_addr;
	enum log_level level = level_of(response->status);

	if (!log_shown(level))
		return;
	log_line(level, "%d %s: %.*s for %.*s: %s", response->status, err_word(err->code),
		shown_len(request->target), (const char *)request->target.data, shown_len(peer),
		(const char *)peer.data, err->text);
}
