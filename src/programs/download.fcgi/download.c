#include "programs/download.fcgi/download.h"

#include "delivery/source_table.h"
#include "service/fcgi_service.h"

#include <stdlib.h>

/* Requests for pictures have no body worth reading. */
enum { MAX_BODY = 4096 };

struct download {
	struct fcgi_service *service;
	struct source_table table;
	struct delivery delivery;
};

struct service_counter download_counters[DELIVERY_FIGURES] = {
	[DELIVERY_PICTURES] = { "pictures", "pictures sent, parts of them included" },
	[DELIVERY_BYTES] = { "bytes_out", "bytes of pictures sent" },
	[DELIVERY_SLICES] = { "slices", "pictures that the web server sent out of a volume" },
	[DELIVERY_UNCHANGED] = { "unchanged", "answers 304: the client has the picture" },
	[DELIVERY_MISSING] = { "missing", "answers 404 and 410" },
	[DELIVERY_REFUSED] = { "refused", "answers 400, 405 and 416" },
	[DELIVERY_CORRUPT] = { "corrupt", "pictures whose bytes did not match their id" },
	[DELIVERY_FAILED] = { "failed", "requests that failed for other reasons" },
};

static void answer(
	void *context, const struct http_request *request, struct http_response *response)
{
	const struct download *download = context;
	struct err err = { 0 };

	if (delivery_answer(&download->delivery, request, 0, response, &err) != 0)
		delivery_log_failure(request, response, &err);
	delivery_count(download_counters, request, response);
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
			.max_response = source_table_greatest(settings),
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

	if (source_table_open(&download->table, settings, NULL, NULL,
		    (size_t)settings->download_threads, err) != 0)
		return -1;
	download->delivery = (struct delivery){
		.sources = download->table.sources,
		.source_count = download->table.count,
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
	source_table_close(&download->table);
	free(download);
	context->state = NULL;
}
