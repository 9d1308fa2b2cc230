#include "programs/storage_server/storage_http.h"

#include "delivery/delivery_report.h"
#include "delivery/source_table.h"
#include "net/bind.h"
#include "programs/storage_server/storage_server.h"
#include "service/http_service.h"

#include <assert.h>
#include <stdlib.h>

enum {
	BACKLOG = 1024,
	WAITERS = 8, /* requests that wait for a disk or another storage at a time */
	/* Up to here copying costs less than sendfile(2) does; measured. */
	SLICE_FROM = 1 << 20,
	SLICE_FROM_SPARING = 32 << 10,
};

struct storage_http {
	const struct storage_settings *own;
	int fd;
	struct source_table table;
	struct delivery delivery, sparing; /* the same, for when memory is short */
	struct http_service *service;
};

static bool answer(void *context, const struct http_request *request, unsigned flags,
	struct http_response *response)
{
	const struct storage_http *http = context;
	const struct delivery *delivery = flags & HTTP_SPARE_MEMORY ? &http->sparing
								    : &http->delivery;
	bool waits = (flags & HTTP_NO_WAIT) == 0;
	struct err err = { 0 };

	if (delivery_answer(delivery, request, waits ? 0 : ENGINE_NO_WAIT, response, &err) != 0) {
		if (err.code == ERR_WOULD_BLOCK && !waits)
			return false;
		delivery_log_failure(request, response, &err);
	}
	delivery_count(&storage_counters[STORAGE_HTTP_FIGURES], request, response);
	return true;
}

int storage_http_listen(
	const struct storage_settings *own, struct storage_http **http, struct err *err)
{
	int fd;

	*http = NULL;
	if (own->http_listen[0] == '\0')
		return 0;
	fd = bind_listen(own->http_listen, 0660, BACKLOG, err);
	if (fd < 0)
		return -1;
	*http = calloc(1, sizeof **http);
	assert(*http != NULL);
	(*http)->own = own;
	(*http)->fd = fd;
	return 0;
}

int storage_http_open(struct storage_http *http, const struct settings *settings,
	struct engine *engine, const struct allow *allow, struct err *err)
{
	struct http_service_conf conf = {
		.fd = http->fd,
		.threads = (int)http->own->http_threads,
		.waiters = WAITERS,
		.max_connections = http->own->http_connections,
		.timeout_ms = settings->network_timeout,
		/* What was deleted stays in its volume for so long; a slice has to be out. */
		.slice_ms = http->own->punch_delay * 3 / 4,
		.max_response = source_table_greatest(settings),
		.memory = (uint64_t)http->own->http_memory,
		.allow = allow,
		.answer = answer,
		.context = http,
		.connections = &storage_counters[STORAGE_HTTP_CONNECTIONS].value,
		.timeouts = &storage_counters[STORAGE_HTTP_TIMEOUTS].value,
	};

	if (source_table_open(&http->table, settings, http->own, engine, WAITERS, err) != 0)
		return -1;
	http->delivery = http->sparing = (struct delivery){
		.sources = http->table.sources,
		.source_count = http->table.count,
	};
	if (http->own->punch_delay > 0) { /* else what lies in a volume may go at any moment */
		http->delivery.sendfile_from = SLICE_FROM;
		http->sparing.sendfile_from = SLICE_FROM_SPARING;
	}
	http->fd = -1;
	http->service = http_service_new(&conf, err);
	return http->service == NULL ? -1 : 0;
}

void storage_http_stop(struct storage_http *http)
{
	if (http != NULL && http->service != NULL)
		http_service_stop(http->service);
}

void storage_http_free(struct storage_http *http)
{
	if (http == NULL)
		return;
	http_service_free(http->service);
	source_table_close(&http->table);
	bind_close(http->fd);
	free(http);
}
