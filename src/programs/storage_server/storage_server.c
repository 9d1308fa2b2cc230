#include "programs/storage_server/storage_server.h"

#include "core/clock.h"
#include "core/log.h"
#include "net/bind.h"
#include "programs/storage_server/storage_identity.h"
#include "programs/storage_server/storage_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picstore_build.h"

enum {
	BACKLOG = 1024,
	TICK_MS = 200,
	FULL_MS = 2000,   /* for so long after it refused an upload the store counts as full */
	ERASED_BY_S = 60, /* after punch_delay; what is left then waits for the scrub */
};

#define COUNTER(name, gauge, help)                                                                 \
	{                                                                                          \
		name, help, gauge, 0                                                               \
	}

struct service_counter storage_counters[STORAGE_COUNTERS] = {
	[STORAGE_CONNECTIONS] = COUNTER("connections", true, "open connections"),
	[STORAGE_REQUESTS] = COUNTER("requests", false, "requests"),
	[STORAGE_UPLOADS] = COUNTER("uploads", false, "files taken in"),
	[STORAGE_UPLOADS_FAILED] = COUNTER("uploads_failed", false, "uploads refused or failed"),
	[STORAGE_DOWNLOADS] = COUNTER("downloads", false, "files or ranges handed out"),
	[STORAGE_DOWNLOADS_FAILED] = COUNTER("downloads_failed", false, "downloads that failed"),
	[STORAGE_DELETES] = COUNTER("deletes", false, "files deleted"),
	[STORAGE_DELETES_FAILED] = COUNTER("deletes_failed", false, "deletes that failed"),
	[STORAGE_INFOS] = COUNTER("infos", false, "answers about a file"),
	[STORAGE_INFOS_FAILED] = COUNTER("infos_failed", false, "questions about none"),
	[STORAGE_APPENDS] = COUNTER("appends", false, "appends to files"),
	[STORAGE_APPENDS_FAILED] = COUNTER("appends_failed", false, "appends that failed"),
	[STORAGE_MODIFIES] = COUNTER("modifies", false, "changes within files"),
	[STORAGE_MODIFIES_FAILED] = COUNTER("modifies_failed", false, "changes that failed"),
	[STORAGE_TRUNCATES] = COUNTER("truncates", false, "files cut or made longer"),
	[STORAGE_TRUNCATES_FAILED] = COUNTER("truncates_failed", false, "those that failed"),
	[STORAGE_METADATA_SETS] = COUNTER("metadata_sets", false, "metadata taken in"),
	[STORAGE_METADATA_SETS_FAILED] = COUNTER(
		"metadata_sets_failed", false, "metadata refused or failed"),
	[STORAGE_METADATA_GETS] = COUNTER("metadata_gets", false, "metadata handed out"),
	[STORAGE_METADATA_GETS_FAILED] = COUNTER(
		"metadata_gets_failed", false, "questions for metadata that failed"),
	[STORAGE_BYTES_IN] = COUNTER("bytes_in", false, "bytes of files taken in"),
	[STORAGE_BYTES_OUT] = COUNTER("bytes_out", false, "bytes of files handed out"),
	[STORAGE_BAD_REQUESTS] = COUNTER("bad_requests", false, "requests that make no sense"),
	[STORAGE_NOT_FOUND] = COUNTER("not_found", false, "requests for what is not there"),
	[STORAGE_FULL] = COUNTER("full", false, "uploads there was no room for"),
	[STORAGE_CORRUPT] = COUNTER("corrupt", false, "files whose bytes did not match their id"),
	[STORAGE_OTHER_ERRORS] = COUNTER("other_errors", false, "requests that failed otherwise"),
	[STORAGE_ENGINE_WELL] = COUNTER("engine_well", true, "1: the engine answers, or is asked"),
	[STORAGE_PENDING_PUTS] = COUNTER(
		"pending_puts", true, "uploads of unknown outcome that are yet to be removed"),
	[STORAGE_PENDING_DELETES] = COUNTER(
		"pending_deletes", true, "deletes of unknown outcome that are yet to be confirmed"),
	[STORAGE_TRACKERS_UP] = COUNTER("trackers_up", true, "trackers that know this storage"),
	[STORAGE_REFUSED] = COUNTER("refused", false, "connections from other addresses"),
	[STORAGE_TOO_MANY] = COUNTER("too_many", false, "connections over max_connections"),
	[STORAGE_TIMEOUTS] = COUNTER("timeouts", false, "connections closed for their silence"),
	[STORAGE_BROKEN] = COUNTER("broken", false, "connections ended within a request"),
	[STORAGE_HTTP_CONNECTIONS] = COUNTER("http_connections", true, "open HTTP connections"),
	[STORAGE_HTTP_TIMEOUTS] = COUNTER("http_timeouts", false, "HTTP connections cut, too slow"),
	[STORAGE_SCRUBBED] = COUNTER("scrubbed", false, "bytes checked in the background"),
	[STORAGE_QUARANTINED] = COUNTER("quarantined", true, "places that do not match"),
#define HTTP(figure, name, help) [STORAGE_HTTP_FIGURES + (figure)] = COUNTER(name, false, help)
	HTTP(DELIVERY_PICTURES, "http_pictures", "pictures sent over HTTP, parts included"),
	HTTP(DELIVERY_BYTES, "http_bytes_out", "bytes of pictures sent over HTTP"),
	HTTP(DELIVERY_SLICES, "http_slices", "pictures sent over HTTP out of a volume"),
	HTTP(DELIVERY_UNCHANGED, "http_unchanged", "answers 304: the client has the picture"),
	HTTP(DELIVERY_MISSING, "http_missing", "answers 404 and 410"),
	HTTP(DELIVERY_REFUSED, "http_refused", "answers 400, 405 and 416"),
	HTTP(DELIVERY_CORRUPT, "http_corrupt", "answers 502: bytes that did not match"),
	HTTP(DELIVERY_FAILED, "http_failed", "HTTP requests that failed for other reasons"),
};

static int64_t counted(enum storage_counter which)
{
	return storage_counters[which].value;
}

/* ---- requests ---- */

static void active_test(struct storage *storage, struct net_request *request)
{
	struct err err;

	(void)storage;
	if (request->body.len == 0) {
		fdfs_reply(request, 0, NULL);
		return;
	}
	err_set(&err, ERR_BAD_REQUEST, "an active test has no body");
	storage_fail(request, &err);
}

static const struct {
	uint8_t cmd;
	storage_command *answer;
	storage_job *job;
} commands[] = {
	{ FDFS_UPLOAD, storage_upload, NULL },
	{ FDFS_DOWNLOAD, storage_download, NULL },
	{ FDFS_FILE_INFO, storage_info, NULL },
	{ FDFS_DELETE, storage_delete, NULL },
	{ FDFS_ADOPT, storage_adopt, NULL },
	{ FDFS_NAMES, storage_names_of, NULL },
	{ FDFS_ACTIVE_TEST, active_test, NULL },
	{ FDFS_SET_METADATA, NULL, storage_set_metadata },
	{ FDFS_GET_METADATA, NULL, storage_get_metadata },
	{ FDFS_UPLOAD_SLAVE, NULL, storage_upload_slave },
	{ FDFS_UPLOAD_APPENDER, NULL, storage_upload_appender },
	{ FDFS_APPEND, NULL, storage_append },
	{ FDFS_MODIFY, NULL, storage_modify },
	{ FDFS_TRUNCATE, NULL, storage_truncate },
	{ FDFS_REGENERATE, NULL, storage_finish },
	{ FDFS_RESTORE, NULL, storage_restore },
	{ FDFS_LIST_SLAVES, NULL, storage_list_slaves },
	{ FDFS_MOVE, NULL, storage_move },
};

static struct net_verdict on_header(void *context, const uint8_t *bytes)
{
	struct storage *storage = context;
	struct fdfs_header header = fdfs_header_read(bytes);

	switch (storage_intake(&storage->limits, &header)) {
	case STORAGE_COLLECT:
		return (struct net_verdict){ NET_COLLECT, (uint64_t)header.len };
	case STORAGE_DRAIN:
		return (struct net_verdict){ NET_DRAIN, (uint64_t)header.len };
	case STORAGE_LEAVE:
		return (struct net_verdict){ NET_DRAIN, 0 };
	default:
		return (struct net_verdict){ NET_CLOSE, 0 };
	}
}

static void answer_uncollected(
	struct storage *storage, struct net_request *request, const struct fdfs_header *header)
{
	struct err err;

	storage_refuse(&storage->limits, header, &err);
	if (storage_intake(&storage->limits, header) == STORAGE_DRAIN) {
		storage_fail(request, &err);
		return;
	}
	storage_fail_and_close(request, &err);
}

static void carry_out(struct storage *storage, struct net_request *request)
{
	struct fdfs_header header = fdfs_header_read(request->header);
	struct err err;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (commands[i].cmd == header.cmd && commands[i].job != NULL) {
			storage_do(storage, request, commands[i].job);
			return;
		} else if (commands[i].cmd == header.cmd) {
			commands[i].answer(storage, request);
			return;
		}
	err_set(&err, ERR_BAD_REQUEST, "there is no command %u", header.cmd);
	storage_fail(request, &err);
}

static void on_request(void *context, struct net_request *request)
{
	struct storage *storage = context;
	struct fdfs_header header = fdfs_header_read(request->header);
	struct err err;

	storage_counters[STORAGE_REQUESTS].value++;
	if (request->drained) {
		answer_uncollected(storage, request, &header);
		return;
	}
	if (storage_offers(&storage->limits, header.cmd, &err) != 0 ||
		storage_permit(storage->mode, header.cmd, &err) != 0) {
		storage_fail(request, &err);
		return;
	}
	storage_translate(storage, request, carry_out);
}

static void on_trouble(void *context, enum net_trouble what, const char *peer)
{
	struct storage *storage = context;

	peer_log_trouble(&storage->peers, what, peer);
}

static const struct net_protocol protocol = {
	.header_len = FDFS_HEADER_LEN,
	.judge = on_header,
	.answer = on_request,
	.trouble = on_trouble,
};

/* ---- reports ---- */

static void fill_counters(struct fdfs_beat *beat)
{
	static const struct {
		enum fdfs_counter all; /* those that succeeded follow it */
		enum storage_counter good, bad;
	} pairs[] = {
		{ FDFS_COUNT_UPLOAD, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
		{ FDFS_COUNT_APPEND, STORAGE_APPENDS, STORAGE_APPENDS_FAILED },
		{ FDFS_COUNT_MODIFY, STORAGE_MODIFIES, STORAGE_MODIFIES_FAILED },
		{ FDFS_COUNT_TRUNCATE, STORAGE_TRUNCATES, STORAGE_TRUNCATES_FAILED },
		{ FDFS_COUNT_SET_METADATA, STORAGE_METADATA_SETS, STORAGE_METADATA_SETS_FAILED },
		{ FDFS_COUNT_DELETE, STORAGE_DELETES, STORAGE_DELETES_FAILED },
		{ FDFS_COUNT_DOWNLOAD, STORAGE_DOWNLOADS, STORAGE_DOWNLOADS_FAILED },
		{ FDFS_COUNT_GET_METADATA, STORAGE_METADATA_GETS, STORAGE_METADATA_GETS_FAILED },
	};
	uint64_t *to = beat->counters;

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		to[pairs[i].all + 1] = (uint64_t)counted(pairs[i].good);
		to[pairs[i].all] = to[pairs[i].all + 1] + (uint64_t)counted(pairs[i].bad);
	}
	to[FDFS_BYTES_UPLOAD] = to[FDFS_BYTES_UPLOAD_OK] = (uint64_t)counted(STORAGE_BYTES_IN);
	to[FDFS_BYTES_DOWNLOAD] = to[FDFS_BYTES_DOWNLOAD_OK] = (uint64_t)counted(STORAGE_BYTES_OUT);
}

static bool fill_beat(void *context, struct fdfs_beat *beat)
{
	struct storage *storage = context;
	int64_t full_ms = storage->full_ms;
	bool full = full_ms != 0 && clock_mono_ms() - full_ms < FULL_MS;
	/* New files go elsewhere while the engine cannot take them. */
	bool well = engine_health(storage->engine, NULL) == 0;
	struct engine_space space;
	struct err err;
	size_t count = storage->limits.path_count;

	*beat = (struct fdfs_beat){
		.state = FDFS_STATE_ACTIVE,
		.shared = engine_is_shared(storage->engine),
		.writable = storage->mode == STORAGE_READ_WRITE && well,
		.readable = true,
		.draining = storage->mode == STORAGE_DRAINING ||
			    (storage->mode == STORAGE_READ_WRITE && !well),
		.address = storage->address,
		.started = storage->started,
		.connections = (uint32_t)net_server_connections(storage->server),
		.connections_max = (uint32_t)net_server_connections_max(storage->server),
		.path_count = (uint16_t)count,
	};
	snprintf(beat->group, sizeof beat->group, "%s", storage->limits.group);
	memcpy(beat->id, storage->source_text, sizeof beat->id);
	snprintf(beat->version, sizeof beat->version, "%.8s", PICSTORE_VERSION);
	fill_counters(beat);
	if (engine_space(storage->engine, &space, &err) != 0) {
		log_error("%s", err.text);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		beat->paths[i].total = space.total / count;
		beat->paths[i].free = full ? 0 : space.path_free[i];
		if (!beat->shared)
			beat->paths[i].reserved = (uint64_t)storage->own->reserved_space;
	}
	return true;
}

/* Say it once when the engine goes and when it comes back. */
static void look_after(struct storage *storage)
{
	struct err err;
	bool well = engine_health(storage->engine, &err) == 0;

	storage_counters[STORAGE_ENGINE_WELL].value = well;
	if (well == !storage->engine_fails)
		return;
	storage->engine_fails = !well;
	if (well)
		log_info("the engine is asked again");
	else
		log_error("the engine fails: %s", err.text);
	storage_report_now(storage->report);
}

static void on_tick(void *context)
{
	struct storage *storage = context;

	storage_counters[STORAGE_CONNECTIONS].value = net_server_connections(storage->server);
	look_after(storage);
}

/* ---- the service ---- */

int storage_listen(struct service_context *context, struct err *err)
{
	struct storage *storage = calloc(1, sizeof *storage);

	assert(storage != NULL);
	context->state = storage;
	storage->fd = -1;
	storage->settings = context->settings;
	storage->own = settings_storage(context->settings, context->instance, err);
	if (storage->own == NULL)
		return -1;
	storage->fd = bind_listen(context->listen != NULL ? context->listen : storage->own->listen,
		0660, BACKLOG, err);
	if (storage->fd < 0)
		return -1;
	return storage_http_listen(storage->own, &storage->http, err);
}

static int open_names(struct storage *storage, struct err *err)
{
	for (size_t i = 0; i < storage->own->store_path.count; i++) {
		storage->names[i] = names_open(
			storage->own->store_path.items[i], false, clock_unix, err);
		if (storage->names[i] == NULL)
			return -1;
	}
	return 0;
}

static void on_damage(void *context, const char *path, const char *where, const char *reason)
{
	(void)context;
	if (where == NULL)
		log_error("scrub of %s: %s", path, reason);
	else
		log_alarm("%s/%s: %s (noted in %s/quarantine)", path, where, reason, path);
}

static int start_scrub(struct storage *storage, struct err *err)
{
	const struct storage_settings *own = storage->own;
	const struct scrub_conf conf = {
		.group = own->group,
		.paths = own->store_path.items,
		.path_count = own->store_path.count,
		.names = storage->names,
		.engine = storage->engine,
		.erase_after_s = own->punch_delay / 1000 + ERASED_BY_S,
		.rate = (uint64_t)own->scrub_rate,
		.every_s = own->scrub_every / 1000,
		.now = clock_unix,
		.found = on_damage,
		.context = storage,
		.checked = &storage_counters[STORAGE_SCRUBBED].value,
		.quarantined = &storage_counters[STORAGE_QUARANTINED].value,
	};

	if (own->scrub_rate == 0 || own->engine != STORAGE_ENGINE_VOLUME)
		return 0;
	storage->scrub = scrub_start(&conf, err);
	return storage->scrub == NULL ? -1 : 0;
}

static void describe_troubles(struct peer_log *peers)
{
	const struct fdfs_trouble_counters counters = {
		.refused = &storage_counters[STORAGE_REFUSED].value,
		.too_many = &storage_counters[STORAGE_TOO_MANY].value,
		.timeouts = &storage_counters[STORAGE_TIMEOUTS].value,
		.broken = &storage_counters[STORAGE_BROKEN].value,
	};

	fdfs_describe_troubles(peers, &counters);
}

static int serve(struct storage *storage, struct err *err)
{
	const struct settings *settings = storage->settings;
	struct net_server_conf conf = {
		.protocol = &protocol,
		.context = storage,
		.fd = storage->fd,
		.allow = &storage->allow,
		.max_connections = settings->max_connections,
		.timeout_ms = settings->network_timeout,
		.body_memory = (uint64_t)storage->own->upload_memory,
		.reply_memory = (uint64_t)storage->own->upload_memory,
	};

	if (allow_init(&storage->allow, settings->allow.items, settings->allow.count, err) != 0)
		return -1;
	describe_troubles(&storage->peers);
	storage->loop = net_loop_new(err);
	if (storage->loop == NULL)
		return -1;
	storage->fd = -1;
	storage->server = net_server_new(storage->loop, &conf, err);
	if (storage->server == NULL)
		return -1;
	storage->timer = net_timer_new(storage->loop, TICK_MS, on_tick, storage);
	return 0;
}

int storage_open(struct service_context *context, struct err *err)
{
	struct storage *storage = context->state;
	const struct settings *settings = context->settings;
	struct storage_report_conf report = {
		.trackers = settings->tracker_server.items,
		.tracker_count = settings->tracker_server.count,
		.interval_ms = settings->beat_interval,
		.connect_timeout_ms = settings->connect_timeout,
		.answer_timeout_ms = settings->beat_timeout,
		.fill = fill_beat,
		.context = storage,
		.trackers_up = &storage_counters[STORAGE_TRACKERS_UP].value,
	};

	storage->limits = (struct storage_limits){
		.group = storage->own->group,
		.path_count = storage->own->store_path.count,
		.max_file_size = (uint64_t)storage->own->max_file_size,
	};
	if (settings_are_shared(storage->own)) {
		storage->limits.path_count = 1; /* M00, which is no folder */
		storage->limits.no_names = true;
	}
	storage->ip_width = (enum fdfs_ip_width)settings->ip_width;
	storage->mode = (enum storage_mode)storage->own->mode;
	storage->started = clock_unix();
	if (storage_identify(storage, err) != 0)
		return -1;
	storage->engine = storage_engine_open(storage, err);
	if (storage->engine == NULL || open_names(storage, err) != 0)
		return -1;
	if (serve(storage, err) != 0)
		return -1;
	if (storage->http != NULL && storage_http_open(storage->http, settings, storage->engine,
					     &storage->allow, err) != 0)
		return -1;
	log_info("group %s at %s:%u, source %s in ids", storage->limits.group, storage->address.ip,
		storage->address.port, storage->source_text);
	if (start_scrub(storage, err) != 0 || storage_sweep_start(storage, err) != 0 ||
		storage_move_start(storage, err) != 0)
		return -1;
	storage->report = storage_report_start(&report, err);
	return storage->report == NULL ? -1 : 0;
}

int storage_run(struct service_context *context, struct err *err)
{
	struct storage *storage = context->state;

	return net_loop_run(storage->loop, err);
}

void storage_stop(struct service_context *context)
{
	struct storage *storage = context->state;

	storage_report_end(storage->report); /* nobody is sent here from now on */
	storage_http_stop(storage->http);
	net_loop_stop(storage->loop);
}

/* The mode alone: the rest needs another start. */
int storage_reload(struct service_context *context, const struct settings *fresh, struct err *err)
{
	static const char *const names[] = { "read-write", "draining", "read-only" };
	struct storage *storage = context->state;
	const struct storage_settings *own = settings_storage(fresh, context->instance, err);

	if (own == NULL)
		return -1;
	if ((enum storage_mode)own->mode != storage->mode) {
		storage->mode = (enum storage_mode)own->mode;
		log_info("this storage is %s from now on", names[own->mode]);
		storage_report_now(storage->report);
	}
	return 0;
}

void storage_close(struct service_context *context)
{
	struct storage *storage = context->state;

	if (storage == NULL)
		return;
	storage_report_free(storage->report);
	net_timer_free(storage->timer);
	net_loop_free(storage->loop);
	storage_http_free(storage->http);
	scrub_stop(storage->scrub);
	ticker_free(storage->sweep);
	mover_stop(storage->mover);
	engine_close(storage->engine);
	for (size_t i = 0; i < storage->limits.path_count; i++)
		names_close(storage->names[i]);
	bind_close(storage->fd);
	allow_fini(&storage->allow);
	free(storage);
	context->state = NULL;
}
