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

enum {
	BACKLOG = 1024,
	TICK_MS = 200,
	ERASED_BY_S = 60, /* after punch_delay; what is left then waits for the scrub */
};

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

/* ---- now and then ---- */

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
		.fill = storage_fill_beat,
		.context = storage,
		.trackers_up = &storage_counters[STORAGE_TRACKERS_UP].value,
	};

	storage->limits = (struct storage_limits){
		.group = storage->own->group,
		.path_count = storage->own->store_path.count,
		.max_file_size = (uint64_t)storage->own->max_file_size,
	};
	if (settings_are_shared(storage->own)) {
		storage->limits.no_names = storage->own->names_postgres[0] == '\0';
		/* It makes M00 alone, which is no folder; pictures may have been moved there. */
		storage->limits.path_count = storage->limits.no_names ? FILE_ID_PATHS : 1;
	}
	storage->ip_width = (enum fdfs_ip_width)settings->ip_width;
	storage->mode = (enum storage_mode)storage->own->mode;
	storage->started = clock_unix();
	if (storage_identify(storage, err) != 0)
		return -1;
	if (storage_engine_open(storage, err) != 0)
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
	storage_engine_close(storage);
	bind_close(storage->fd);
	allow_fini(&storage->allow);
	free(storage);
	context->state = NULL;
}
