#include "programs/upload.cgi/upload.h"

#include "core/clock.h"
#include "core/log.h"
#include "fdfs/client.h"
#include "image/picture.h"
#include "programs/upload.cgi/upload_decide.h"
#include "programs/upload.cgi/upload_record.h"
#include "service/fcgi_service.h"
#include "service/store_client.h"
#include "session/session_check.h"
#include "session/session_rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_RESPONSE = 16384,
	FORM_ROOM = 512 * 1024, /* for what is in a form beside the picture */
	SHOWN_MAX = 100,
	CHECK_FULL = 0, /* of the setting `check` */
};

struct upload {
	const struct settings *settings;
	struct fcgi_service *service;
	struct picture_checker *checker;
	struct fdfs_client *client;
	struct session_check *sessions; /* NULL: uses are not counted */
	struct upload_record *record;   /* NULL: pictures are not recorded */
	struct upload_rules rules;
	_Atomic bool broken; /* no picture can be checked any more */
};

struct service_counter upload_counters[UPLOAD_FIGURES] = {
	[UPLOAD_PICTURES] = { "uploads", "pictures stored" },
	[UPLOAD_BYTES] = { "bytes_in", "bytes of pictures stored" },
	[UPLOAD_REFUSED_REQUEST] = { "refused_request", "uploads refused for method or form" },
	[UPLOAD_REFUSED_KEY] = { "refused_key", "uploads refused for their session key" },
	[UPLOAD_REFUSED_PICTURE] = { "refused_picture", "uploads refused for their picture" },
	[UPLOAD_FAILED_STORE] = { "failed_store", "uploads that the store did not take" },
	[UPLOAD_FAILED_HERE] = { "failed", "uploads that failed for other reasons" },
	[UPLOAD_SHED] = { "shed", "uploads answered busy, since too many waited" },
	[UPLOAD_FORM_US] = { "form_us", "microseconds spent on reading forms" },
	[UPLOAD_KEY_US] = { "key_us", "microseconds spent on session keys" },
	[UPLOAD_FILE_US] = { "file_us", "microseconds spent on base64 and first bytes" },
	[UPLOAD_CHECK_US] = { "check_us", "microseconds spent on checking pictures" },
	[UPLOAD_NOTE_US] = { "note_us", "microseconds spent on recording pictures" },
	[UPLOAD_STORE_US] = { "store_us", "microseconds spent on storing pictures" },
};

static void count(enum upload_figure figure, int64_t by)
{
	atomic_fetch_add_explicit(&upload_counters[figure].value, by, memory_order_relaxed);
}

static void count_failure(const struct upload_result *result, enum err_code code)
{
	if (result->step == UPLOAD_STORE)
		count(UPLOAD_FAILED_STORE, 1);
	else if (err_http_status(code) >= 500)
		count(UPLOAD_FAILED_HERE, 1);
	else if (result->step == UPLOAD_FORM)
		count(UPLOAD_REFUSED_REQUEST, 1);
	else if (result->step == UPLOAD_KEY)
		count(UPLOAD_REFUSED_KEY, 1);
	else
		count(UPLOAD_REFUSED_PICTURE, 1);
}

static void log_failure(const struct http_request *request, const struct upload_result *result,
	const struct err *err)
{
	struct span peer = request->forwarded_for.len > 0 ? request->forwarded_for
							  : request->remote_addr;
	int shown = peer.len < SHOWN_MAX ? (int)peer.len : SHOWN_MAX;
	int status = err_http_status(err->code);
	enum log_level level = status >= 500 ? LOG_ERROR : LOG_INFO;

	if (result->has_key)
		log_line(level, "%d %s: upload of uid %" PRIu32 " from %.*s: %s", status,
			err_word(err->code), result->key.uid, shown, (const char *)peer.data,
			err->text);
	else
		log_line(level, "%d %s: upload from %.*s: %s", status, err_word(err->code), shown,
			(const char *)peer.data, err->text);
}

static void answer(
	void *context, const struct http_request *request, struct http_response *response)
{
	struct upload *upload = context;
	struct upload_result result;
	struct err err = { 0 };
	bool good;

	fcgi_service_waits(); /* for the check, and for the store */
	good = upload_decide(&upload->rules, request, clock_unix(), &result, &err) == 0;

	upload_answer(&result, good ? NULL : &err, response);
	for (int step = 0; step < UPLOAD_STEPS; step++)
		count((enum upload_figure)(UPLOAD_FORM_US + step), result.step_us[step]);
	if (good) {
		count(UPLOAD_PICTURES, 1);
		count(UPLOAD_BYTES, (int64_t)result.len);
		return;
	}
	count_failure(&result, err.code);
	log_failure(request, &result, &err);
	if (result.step == UPLOAD_CHECK && err.code == ERR_INTERNAL &&
		!atomic_exchange(&upload->broken, true))
		fcgi_service_stop(upload->service); /* a supervisor starts it anew */
}

static int check(void *context, struct span bytes, struct picture_facts *facts, struct err *err)
{
	const struct upload *upload = context;

	return picture_check(upload->checker, bytes, facts, err);
}

static int store(
	void *context, struct span bytes, const char *ext, struct file_id *id, struct err *err)
{
	const struct upload *upload = context;

	return fdfs_upload(upload->client, upload->settings->upload_group, bytes, ext, id, err);
}

static int note(void *context, struct upload_result *result, const struct picture_facts *facts,
	struct span bytes, int64_t now, struct err *err)
{
	const struct upload *upload = context;

	return upload_record_note(upload->record, result, facts, bytes, now, err);
}

static void drop(void *context, const struct upload_result *result, enum err_code why)
{
	const struct upload *upload = context;

	upload_record_drop(upload->record, result, why);
}

static int settle(void *context, const struct upload_result *result, struct err *err)
{
	const struct upload *upload = context;

	return upload_record_settle(upload->record, result, err);
}

/* More comes than can be carried. */
static void shed(void *context, const struct http_request *request, struct http_response *response)
{
	struct err err;

	(void)context;
	(void)request;
	count(UPLOAD_SHED, 1);
	err_set(&err, ERR_BUSY, "too many uploads are waiting");
	upload_answer(NULL, &err, response);
}

int upload_listen(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct upload *upload = calloc(1, sizeof *upload);

	if (upload == NULL)
		abort();
	context->state = upload;
	upload->settings = settings;
	upload->service = fcgi_service_new(
		&(struct fcgi_service_conf){
			.listen = context->listen != NULL ? context->listen
							  : settings->upload_listen,
			.socket_mode = (int)settings->upload_socket_mode,
			.threads = (int)settings->upload_threads,
			/* base64 makes four thirds of a picture, and some room for its lines */
			.max_body = (size_t)settings->max_picture_bytes / 2 * 3 + FORM_ROOM,
			.max_response = MAX_RESPONSE,
			.timeout_ms = settings->network_timeout,
			.answer = answer,
			.shed = shed,
			.context = upload,
		},
		err);
	return upload->service == NULL ? -1 : 0;
}

/* The bits of the formats that the configuration names. */
static int read_formats(const struct conf_list *words, unsigned *formats, struct err *err)
{
	*formats = 0;
	for (size_t i = 0; i < words->count; i++) {
		enum picture_format format = picture_format_of(span_str(words->items[i]));

		if (format == PICTURE_NONE)
			return err_set(err, ERR_CONFIG, "[upload] formats: '%.40s' is not one",
				words->items[i]);
		*formats |= 1u << format;
	}
	return 0;
}

static int open_checker(struct upload *upload, struct err *err)
{
	const struct settings *settings = upload->settings;
	struct picture_checker_conf conf = {
		.limits = {
			.max_width = (uint32_t)settings->max_width,
			.max_height = (uint32_t)settings->max_height,
			.max_pixels = (uint64_t)settings->max_pixels,
			.max_pixels_progressive = (uint64_t)settings->max_pixels_progressive,
			.max_frames = (uint32_t)settings->max_frames,
			.decode = settings->check == CHECK_FULL,
		},
		.workers = (int)settings->check_workers,
		.timeout_ms = settings->check_timeout,
		.memory = (uint64_t)settings->check_memory,
		.max_bytes = (uint64_t)settings->max_picture_bytes,
	};
	unsigned missing;

	if (read_formats(&settings->formats, &conf.limits.formats, err) < 0)
		return -1;
	upload->checker = picture_checker_new(&conf, err);
	if (upload->checker == NULL)
		return -1;
	missing = conf.limits.formats & ~picture_checker_formats(upload->checker);
	for (int format = PICTURE_NONE + 1; format < PICTURE_FORMATS; format++)
		if ((missing & 1u << format) != 0)
			log_warn("%s cannot be read by the libvips of this machine, so it is "
				 "refused",
				picture_name((enum picture_format)format));
	return 0;
}

/* Whoever cannot be asked about a session does not let it pass. */
static int count_use(void *context, struct span key, uint32_t uid, struct err *err)
{
	struct upload *upload = context;

	if (session_check_call(upload->sessions, key, uid, true, NULL, NULL, err) == 0)
		return 0;
	switch (err->code) {
	case ERR_KEY_EXPIRED:
		return err_set(err, ERR_KEY_EXPIRED, "the session key was used too often");
	case ERR_BAD_KEY:
	case ERR_KEY_NOT_YET:
		return -1;
	default:
		err->code = ERR_SERVICE_DOWN;
		return err_prefix(err, "session keys cannot be counted now");
	}
}

static int open_sessions(const struct settings *settings, struct upload *upload, struct err *err)
{
	struct upload_key_rules *keys = &upload->rules.keys;

	if (session_rules_read(settings, keys, err) < 0)
		return -1;
	if (!keys->des && !keys->jwt)
		log_warn("both forms of session keys are switched off: every upload is refused");
	if (settings->session_check[0] == '\0')
		return 0;
	upload->sessions = session_check_new(settings, settings->session_check, err);
	upload->rules.count_use = count_use;
	return upload->sessions == NULL ? -1 : 0;
}

int upload_open(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct upload *upload = context->state;
	struct fdfs_client_conf conf;

	/* The checker first: its processes must not inherit the secrets. */
	if (open_checker(upload, err) < 0 || open_sessions(settings, upload, err) < 0)
		return -1;
	if (settings->tracker_server.count == 0)
		return err_set(err, ERR_CONFIG, "[fdfs] tracker_server is empty");
	conf = store_client_conf(
		settings, (size_t)settings->max_picture_bytes, (size_t)settings->upload_threads);
	/* The first one may be stored after all, under an id that nobody got; where photos are
	 * kept, no picture may be without one. */
	conf.repeat_uploads = settings->upload_metadata[0] == '\0';
	upload->client = fdfs_client_new(&conf, err);
	if (upload->client == NULL)
		return -1;
	if (settings->upload_metadata[0] != '\0') {
		upload->record = upload_record_new(settings, upload->client, err);
		if (upload->record == NULL)
			return -1;
		upload->rules.note = note;
		upload->rules.drop = drop;
		upload->rules.settle = settle;
	}
	upload->rules.max_bytes = (size_t)settings->max_picture_bytes;
	upload->rules.formats = picture_checker_formats(upload->checker);
	upload->rules.check = check;
	upload->rules.store = store;
	upload->rules.context = upload;
	upload->rules.clock_us = clock_mono_us;
	return 0;
}

int upload_run(struct service_context *context, struct err *err)
{
	struct upload *upload = context->state;

	if (fcgi_service_run(upload->service, err) < 0)
		return -1;
	if (atomic_load(&upload->broken))
		return err_set(err, ERR_INTERNAL, "pictures cannot be checked any more");
	return 0;
}

void upload_stop(struct service_context *context)
{
	const struct upload *upload = context->state;

	fcgi_service_stop(upload->service);
}

void upload_close(struct service_context *context)
{
	struct upload *upload = context->state;

	if (upload == NULL)
		return;
	fcgi_service_free(upload->service);
	fdfs_client_free(upload->client);
	session_check_free(upload->sessions);
	upload_record_free(upload->record);
	picture_checker_free(upload->checker);
	explicit_bzero(&upload->rules.keys, sizeof upload->rules.keys);
	free(upload);
	context->state = NULL;
}
