#include "photo/photo_client.h"

#include "core/clock.h"
#include "net/frame_client.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SETTLE_TRIES = 3, CONNECT_MS = 2000, BODY_MAX = 4096, PAUSE_MS = 1000 };

struct photo_client {
	struct frame_client *frames;
	enum byte_order order;
	size_t max_reply;
	_Atomic int64_t pause_until_ms; /* for who has many to mark */
};

struct photo_client *photo_client_new(
	const struct settings *settings, const char *address, int64_t timeout_ms, struct err *err)
{
	struct photo_client *client = calloc(1, sizeof *client);

	assert(client != NULL);
	client->order = (enum byte_order)settings->byte_order;
	client->max_reply = (size_t)settings->max_package;
	client->frames = frame_client_new(
		&(struct frame_client_conf){
			.address = address,
			.order = client->order,
			.connect_ms = timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS,
			.timeout_ms = timeout_ms,
			.max_package = (uint32_t)settings->max_package,
		},
		err);
	if (client->frames == NULL) {
		free(client);
		return NULL;
	}
	return client;
}

void photo_client_free(struct photo_client *client)
{
	if (client == NULL)
		return;
	frame_client_free(client->frames);
	free(client);
}

static int nonsense(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the answer about a photo makes no sense");
}

static int ask(struct photo_client *client, const struct photo_request *request,
	enum frame_repeat repeat, struct buf *reply, struct err *err)
{
	struct buf body;
	int result;

	buf_init(&body, BODY_MAX);
	photo_request_encode(&body, client->order, request);
	result = frame_client_call(client->frames,
		&(struct frame_call){
			.cmd = request->cmd, .body = buf_span(&body), .repeat = repeat },
		reply, err);
	buf_fini(&body);
	return result;
}

int photo_client_put(struct photo_client *client, struct photo *photo, struct err *err)
{
	struct cursor cursor;
	struct buf body, reply;
	int result;

	buf_init(&body, BODY_MAX);
	buf_init(&reply, BODY_MAX);
	photo_encode(&body, client->order, photo);
	result = frame_client_call(client->frames,
		&(struct frame_call){
			.cmd = CMD_PHOTO_PUT, .id = photo->uid, .body = buf_span(&body) },
		&reply, err);
	if (result == 0) {
		cursor = cursor_of(buf_span(&reply));
		photo->albumid = package_get_u32(&cursor, client->order);
		photo->photoid = package_get_u64(&cursor, client->order);
		if (!cursor_end(&cursor))
			result = nonsense(err);
	}
	buf_fini(&body);
	buf_fini(&reply);
	return result;
}

int photo_client_settle(struct photo_client *client, uint64_t photoid, enum photo_settle what,
	const char *url, struct err *err)
{
	struct photo_request request = {
		.cmd = CMD_PHOTO_SETTLE, .photoid = photoid, .what = what
	};
	bool unknown = false;
	int result = -1;

	snprintf(request.text, sizeof request.text, "%s", url);
	for (int tries = 0; tries < SETTLE_TRIES; tries++) {
		result = ask(client, &request, FRAME_ONCE, NULL, err);
		if (result == 0 || (err->code != ERR_UNKNOWN && err->code != ERR_SERVICE_DOWN &&
					   err->code != ERR_TIMEOUT))
			return result;
		/* Once it may have been done, a later refusal does not say that it was not. */
		unknown = unknown || err->code == ERR_UNKNOWN;
	}
	if (unknown)
		err->code = ERR_UNKNOWN;
	return result;
}

int photo_client_get_url(
	struct photo_client *client, const char *url, struct photo *photo, struct err *err)
{
	struct photo_request request = { .cmd = CMD_PHOTO_GET_URL };
	struct buf reply;
	int result;

	buf_init(&reply, BODY_MAX);
	snprintf(request.text, sizeof request.text, "%s", url);
	result = ask(client, &request, FRAME_REPEAT, &reply, err);
	if (result == 0 && !photo_decode(buf_span(&reply), client->order, photo))
		result = nonsense(err);
	buf_fini(&reply);
	return result;
}

int photo_client_deleted(struct photo_client *client, const char *url, struct err *err)
{
	struct photo_request request = { .cmd = CMD_PHOTO_DELETE };
	int result;

	snprintf(request.text, sizeof request.text, "%s", url);
	result = ask(client, &request, FRAME_REPEAT, NULL, err);
	return result;
}

int photo_client_mark(void *client, const char *url, struct err *err)
{
	struct photo_client *photos = client;

	if (clock_mono_ms() < atomic_load(&photos->pause_until_ms))
		return err_set(err, ERR_SERVICE_DOWN, "metadata_dbsvr did not answer a moment ago");
	if (photo_client_deleted(photos, url, err) == 0)
		return 0;
	if (err->code == ERR_SERVICE_DOWN || err->code == ERR_TIMEOUT || err->code == ERR_UNKNOWN)
		atomic_store(&photos->pause_until_ms, clock_mono_ms() + PAUSE_MS);
	return -1;
}

int photo_client_list(struct photo_client *client, struct photo_request *request, struct photo *out,
	size_t max, size_t *count, bool *more, struct err *err)
{
	struct cursor cursor;
	struct buf reply;
	size_t told = 0;
	int result;

	if (max > PHOTO_LIMIT_MAX)
		max = PHOTO_LIMIT_MAX;
	request->limit = (uint16_t)max;
	buf_init(&reply, client->max_reply);
	*count = 0;
	result = ask(client, request, FRAME_REPEAT, &reply, err);
	if (result == 0) {
		cursor = cursor_of(buf_span(&reply));
		*more = package_get_u16(&cursor, client->order) != 0;
		told = package_get_u16(&cursor, client->order);
		while (*count < told && *count < max &&
			photo_take(&cursor, client->order, &out[*count]))
			request->photoid = out[(*count)++].photoid;
		if (*count != told || !cursor_end(&cursor))
			result = nonsense(err);
	}
	buf_fini(&reply);
	return result;
}
