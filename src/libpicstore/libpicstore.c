#include "libpicstore/libpicstore_inside.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "picstore_build.h"

enum { CONNECT_MS = 2000, TIMEOUT_MS = 10000, MAX_REPLY = 1 << 20 };

_Static_assert((int)PICSTORE_SERVICE_DOWN == RET_COUNT - 1, "picstore.h lists every ret");
_Static_assert((int)PICSTORE_URL_SIZE == PACKAGE_URL_LEN + 1, "an id has one length");
_Static_assert((int)PICSTORE_DELETE_MAX == PACKAGE_DELETE_MAX, "a package has one limit");

int libpicstore_fail(const struct err *err, picstore_error *error)
{
	int code = (int)ret_of_err(err->code);

	if (code == PICSTORE_OK)
		code = PICSTORE_INTERNAL;
	if (error != NULL) {
		error->code = code;
		memcpy(error->text, err->text, sizeof error->text);
	}
	return code;
}

int libpicstore_succeed(picstore_error *error)
{
	if (error != NULL) {
		error->code = PICSTORE_OK;
		error->text[0] = '\0';
	}
	return PICSTORE_OK;
}

picstore *picstore_open(const char *address, const picstore_options *options, picstore_error *error)
{
	picstore_options with = { 0 };
	struct frame_client_conf conf = { .address = address };
	picstore *store = calloc(1, sizeof *store);
	struct err err = { 0 };

	if (options != NULL)
		memcpy(&with, options, options->size < sizeof with ? options->size : sizeof with);
	if (store == NULL) {
		err_set(&err, ERR_INTERNAL, "out of memory");
		libpicstore_fail(&err, error);
		return NULL;
	}
	store->order = with.big_endian ? ORDER_BIG : ORDER_LITTLE;
	store->user = with.user;
	store->max_reply = with.maximum > 0 ? with.maximum : MAX_REPLY;
	conf.order = store->order;
	conf.connect_ms = with.connect_ms > 0 ? with.connect_ms : CONNECT_MS;
	conf.timeout_ms = with.timeout_ms > 0 ? with.timeout_ms : TIMEOUT_MS;
	conf.max_package = store->max_reply;
	store->client = frame_client_new(&conf, &err);
	if (store->client == NULL) {
		err.code = ERR_BAD_REQUEST; /* there is no configuration here that is wrong */
		libpicstore_fail(&err, error);
		free(store);
		return NULL;
	}
	libpicstore_succeed(error);
	return store;
}

void picstore_close(picstore *store)
{
	if (store == NULL)
		return;
	frame_client_free(store->client);
	free(store);
}

int libpicstore_call(picstore *store, uint16_t cmd, enum frame_repeat repeat, struct buf *body,
	struct buf *reply, struct err *err)
{
	struct frame_call what = { cmd, store->user, buf_span(body), repeat };
	int result = buf_ok(body) ? frame_client_call(store->client, &what, reply, err)
				  : err_set(err, ERR_INTERNAL, "out of memory");

	buf_fini(body);
	return result;
}

int picstore_ping(picstore *store, picstore_error *error)
{
	struct buf body = { 0 };
	struct err err = { 0 };

	if (libpicstore_call(store, CMD_PING, FRAME_REPEAT, &body, NULL, &err) != 0)
		return libpicstore_fail(&err, error);
	return libpicstore_succeed(error);
}

static bool copy_url(const char *url, struct package_url *out, struct err *err)
{
	size_t len = url == NULL ? 0 : strlen(url);

	if (len == 0 || len > PACKAGE_URL_LEN) {
		err_set(err, ERR_BAD_ID, "an id has 1 to %d characters, this one has %zu",
			PACKAGE_URL_LEN, len);
		return false;
	}
	memcpy(out->text, url, len + 1);
	return true;
}

int picstore_cut(picstore *store, const picstore_cut_request *cut, char url[PICSTORE_URL_SIZE],
	picstore_error *error)
{
	struct package_cut request = {
		.hostid = cut->hostid,
		.clip_w = cut->clip_w,
		.clip_h = cut->clip_h,
		.start_x = cut->start_x,
		.start_y = cut->start_y,
		.thumb_w = cut->thumb_w,
		.thumb_h = cut->thumb_h,
	};
	struct package_item item = { 0 };
	struct buf body, reply;
	struct err err = { 0 };
	int result;

	if (!copy_url(cut->url, &request.url, &err))
		return libpicstore_fail(&err, error);
	buf_init(&body, 1024);
	buf_init(&reply, store->max_reply);
	package_cut_encode(&body, store->order, &request);
	result = libpicstore_call(store, CMD_CUT, FRAME_REPEAT, &body, &reply, &err);
	if (result == 0 && !package_item_decode(buf_span(&reply), store->order, &item))
		result = err_set(&err, ERR_CORRUPT, "the reply to a cut makes no sense");
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	memcpy(url, item.url.text, PICSTORE_URL_SIZE);
	return libpicstore_succeed(error);
}

static int delete_pictures(picstore *store, uint16_t cmd, enum frame_repeat repeat,
	const picstore_picture *pictures, size_t count, picstore_error *error)
{
	struct buf body;
	struct err err = { 0 };

	if (count > PACKAGE_DELETE_MAX) {
		err_set(&err, ERR_TOO_LARGE, "one call deletes at most %d pictures",
			PACKAGE_DELETE_MAX);
		return libpicstore_fail(&err, error);
	}
	buf_init(&body, 4 + count * (4 + PACKAGE_URL_LEN));
	package_put_u32(&body, store->order, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		struct package_item item = { .hostid = pictures[i].hostid };

		if (!copy_url(pictures[i].url, &item.url, &err)) {
			buf_fini(&body);
			return libpicstore_fail(&err, error);
		}
		package_item_encode(&body, store->order, &item);
	}
	if (libpicstore_call(store, cmd, repeat, &body, NULL, &err) != 0)
		return libpicstore_fail(&err, error);
	return libpicstore_succeed(error);
}

int picstore_delete_later(
	picstore *store, const picstore_picture *pictures, size_t count, picstore_error *error)
{
	return delete_pictures(store, CMD_DELETE_LATER, FRAME_REPEAT, pictures, count, error);
}

int picstore_delete_now(
	picstore *store, const picstore_picture *pictures, size_t count, picstore_error *error)
{
	return delete_pictures(store, CMD_DELETE_NOW, FRAME_REPEAT, pictures, count, error);
}

static int session(picstore *store, uint16_t what, const char *key, uint32_t *used, uint32_t *left,
	picstore_error *error)
{
	struct package_session request = { .what = what, .key = span_str(key) };
	uint32_t counted = 0, rest = 0;
	struct buf body, reply;
	struct err err = { 0 };
	int result;

	if (request.key.len > PACKAGE_KEY_MAX) {
		err_set(&err, ERR_BAD_KEY, "the session key is longer than any");
		return libpicstore_fail(&err, error);
	}
	buf_init(&body, PACKAGE_KEY_MAX + 16);
	buf_init(&reply, store->max_reply);
	package_session_encode(&body, store->order, &request);
	result = libpicstore_call(store, CMD_SESSION,
		what == SESSION_USE ? FRAME_ONCE : FRAME_REPEAT, &body, &reply, &err);
	if (result == 0 &&
		!package_session_reply_decode(buf_span(&reply), store->order, &counted, &rest))
		result = err_set(&err, ERR_CORRUPT, "the reply about a session makes no sense");
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	if (used != NULL)
		*used = counted;
	if (left != NULL)
		*left = rest;
	return libpicstore_succeed(error);
}

int picstore_session_use(
	picstore *store, const char *key, uint32_t *used, uint32_t *left, picstore_error *error)
{
	return session(store, SESSION_USE, key, used, left, error);
}

int picstore_session_look(
	picstore *store, const char *key, uint32_t *used, uint32_t *left, picstore_error *error)
{
	return session(store, SESSION_LOOK, key, used, left, error);
}

const char *picstore_word(int code)
{
	return code == PICSTORE_OK ? "ok"
				   : err_word(ret_to_err(code < 0 ? UINT32_MAX : (uint32_t)code));
}

const char *picstore_version(void)
{
	return PICSTORE_VERSION;
}
