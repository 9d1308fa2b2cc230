#include "programs/download.fcgi/download.h"

#include "core/clock.h"
#include "core/log.h"
#include "delivery/delivery.h"
#include "delivery/local_source.h"
#include "delivery/remote_source.h"
#include "service/fcgi_service.h"

#include <stdlib.h>

/* Requests for pictures have no body worth reading. */
enum { MAX_BODY = 4096, SOURCES_MAX = 2, SHOWN_MAX = 200 };

struct download {
	struct fcgi_service *service;
	struct local_source *local;
	struct fdfs_client *client;
	struct delivery_source sources[SOURCES_MAX];
	struct delivery delivery;
};

struct service_counter download_counters[DOWNLOAD_FIGURES] = {
	[DOWNLOAD_PICTURES] = { "pictures", "pictures sent, parts of them included" },
	[DOWNLOAD_BYTES] = { "bytes_out", "bytes of pictures sent" },
	[DOWNLOAD_SLICES] = { "slices", "pictures that the web server sent out of a volume" },
	[DOWNLOAD_UNCHANGED] = { "unchanged", "answers 304: the client has the picture" },
	[DOWNLOAD_MISSING] = { "missing", "answers 404 and 410" },
	[DOWNLOAD_REFUSED] = { "refused", "answers 400, 405 and 416" },
	[DOWNLOAD_CORRUPT] = { "corrupt", "pictures whose bytes did not match their id" },
	[DOWNLOAD_FAILED] = { "failed", "requests that failed for other reasons" },
};

static void count(enum download_figure figure, int64_t by)
{
	atomic_fetch_add_explicit(&download_counters[figure].value, by, memory_order_relaxed);
}

static void count_answer(const struct http_response *response)
{
	switch (response->status) {
	case 200:
	case 206:
		count(DOWNLOAD_PICTURES, 1);
		if (response->file_path[0] != '\0') {
			count(DOWNLOAD_SLICES, 1);
			count(DOWNLOAD_BYTES, (int64_t)response->file_len);
		} else {
			count(DOWNLOAD_BYTES, (int64_t)response->body.len);
		}
		break;
	case 304:
		count(DOWNLOAD_UNCHANGED, 1);
		break;
	case 404:
	case 410:
		count(DOWNLOAD_MISSING, 1);
		break;
	case 400:
	case 405:
	case 416:
		count(DOWNLOAD_REFUSED, 1);
		break;
	case 502:
		count(DOWNLOAD_CORRUPT, 1);
		break;
	default:
		count(DOWNLOAD_FAILED, 1);
	}
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

static void log_failure(const struct http_request *request, const struct http_response *response,
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

static void answer(
	void *context, const struct http_request *request, struct http_response *response)
{
	const struct download *download = context;
	struct err err = { 0 };

	if (delivery_answer(&download->delivery, request, response, &err) != 0)
		log_failure(request, response, &err);
	count_answer(response);
}

/* What any of our storages takes in; a larger one in the store of others is not sent. */
static size_t greatest_picture(const struct settings *settings)
{
	int64_t greatest = settings->max_picture_bytes;

	for (size_t i = 0; i < settings->storage_count; i++)
		if (settings->storages[i].max_file_size > greatest)
			greatest = settings->storages[i].max_file_size;
	return (size_t)greatest;
}

int download_listen(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct download *download = calloc(1, sizeof *download);

	if (download == NULL)
		abort();
	context->state = download;
	download->service = fcgi_service_new(
		&(struct fcgi_service_conf){
			.listen = context->listen != NULL ? context->listen
							  : settings->download_listen,
			.socket_mode = (int)settings->download_socket_mode,
			.threads = (int)settings->download_threads,
			.max_body = MAX_BODY,
			.max_response = greatest_picture(settings),
			.timeout_ms = settings->network_timeout,
			.sendfile = settings->sendfile_from > 0,
			.answer = answer,
			.context = download,
		},
		err);
	return download->service == NULL ? -1 : 0;
}

int download_open(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct download *download = context->state;
	size_t sources = 0;

	if (settings->local_read) {
		download->local = local_source_new(settings, clock_mono_ms);
		download->sources[sources++] = local_source_entry(download->local);
	}
	if (settings->tracker_server.count > 0) {
		download->client = fdfs_client_new(
			&(struct fdfs_client_conf){
				.trackers = settings->tracker_server.items,
				.tracker_count = settings->tracker_server.count,
				.connect_timeout_ms = settings->connect_timeout,
				.network_timeout_ms = settings->network_timeout,
				.patience_ms = settings->patience,
				.max_file_size = greatest_picture(settings),
				.idle_connections = (size_t)settings->download_threads,
			},
			err);
		if (download->client == NULL)
			return -1;
		download->sources[sources++] = remote_source_entry(download->client);
	}
	download->delivery = (struct delivery){
		.sources = download->sources,
		.source_count = sources,
		.sendfile_from = (uint64_t)settings->sendfile_from,
	};
	return 0;
}

int download_run(struct service_context *context, struct err *err)
{
	const struct download *download = context->state;

	return fcgi_service_run(download->service, err);
}

void download_stop(struct service_context *context)
{
	const struct download *download = context->state;

	fcgi_service_stop(download->service);
}

void download_close(struct service_context *context)
{
	struct download *download = context->state;

	if (download == NULL)
		return;
	fcgi_service_free(download->service);
	fdfs_client_free(download->client);
	local_source_free(download->local);
	free(download);
	context->state = NULL;
}
