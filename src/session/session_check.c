#include "session/session_check.h"

#include "net/frame_client.h"

#include <assert.h>
#include <stdlib.h>

enum { REPLY_MAX = 64 };

struct session_check {
	struct frame_client *client;
	enum byte_order order;
};

struct session_check *session_check_new(
	const struct settings *settings, const char *address, struct err *err)
{
	struct frame_client_conf conf = {
		.address = address,
		.order = (enum byte_order)settings->byte_order,
		.connect_ms = settings->connect_timeout,
		.timeout_ms = settings->session_check_timeout,
		.idle = (size_t)settings->upload_threads,
	};
	struct session_check *check = calloc(1, sizeof *check);

	assert(check != NULL);
	check->order = conf.order;
	check->client = frame_client_new(&conf, err);
	if (check->client == NULL) {
		free(check);
		return NULL;
	}
	return check;
}

void session_check_free(struct session_check *check)
{
	if (check == NULL)
		return;
	frame_client_free(check->client);
	free(check);
}

int session_check_call(struct session_check *check, struct span key, uint32_t uid, bool use,
	uint32_t *used, uint32_t *left, struct err *err)
{
	struct package_session session = { .what = use ? SESSION_USE : SESSION_LOOK, .key = key };
	struct frame_call call = { CMD_SESSION, uid, .repeat = use ? FRAME_ONCE : FRAME_REPEAT };
	struct buf body, reply;
	uint32_t counted, rest;
	int result;

	if (key.len == 0)
		return err_set(err, ERR_NO_KEY, "there is no session key");
	if (key.len > PACKAGE_KEY_MAX)
		return err_set(err, ERR_BAD_KEY, "the session key is longer than any");
	buf_init(&body, PACKAGE_KEY_MAX + 16);
	buf_init(&reply, REPLY_MAX);
	package_session_encode(&body, check->order, &session);
	call.body = buf_span(&body);
	result = frame_client_call(check->client, &call, &reply, err);
	if (result == 0 &&
		!package_session_reply_decode(buf_span(&reply), check->order, &counted, &rest))
		result = err_set(err, ERR_CORRUPT, "the reply about the session makes no sense");
	else if (result != 0 && err != NULL && err->code == ERR_KEY_EXPIRED)
		err_set(err, ERR_KEY_EXPIRED, "the session key is too old, or was used too often");
	if (result == 0 && used != NULL)
		*used = counted;
	if (result == 0 && left != NULL)
		*left = rest;
	buf_fini(&body);
	buf_fini(&reply);
	return result;
}
