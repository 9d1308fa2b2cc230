/* client_file.c - asking a storage about a stored file, and reading it. */
#include "core/clock.h"
#include "fdfs/client_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SYNC_S = 24 * 60 * 60 }; /* replicas have what is older */

/* The error for a storage's status.  The name is an id, so EINVAL means that the storage
 * does not have such a path, and so never had the file. */
static int refused(const struct fdfs_call *call, struct err *err)
{
	enum err_code code = err_from_fdfs(call->status);

	if (call->status == FDFS_STATUS_GONE)
		code = ERR_GONE;
	else if (call->status == FDFS_STATUS_CORRUPT)
		code = ERR_CORRUPT;
	else if (code == ERR_BAD_REQUEST)
		code = ERR_NOT_FOUND;
	if (code == ERR_NOT_FOUND || code == ERR_GONE)
		return err_set(err, code, "%s", err_meaning(code));
	return err_set(err, code, "storage %s: answers status %d, %s", call->peer->text,
		call->status, err_meaning(code));
}

static void put_request(struct buf *out, const struct fdfs_file_call *want)
{
	struct fdfs_download_request request = {
		.file.name = span_of(want->id->name, want->id->name_len),
	};
	uint8_t flags = FDFS_FLAG_TELL_GONE;
	size_t begun;

	memcpy(request.file.group, want->id->group, sizeof request.file.group);
	if (want->cmd == FDFS_FILE_INFO)
		flags |= FDFS_FLAG_QUIET;
	begun = fdfs_begin(out, want->cmd, flags);
	if (want->cmd == FDFS_DOWNLOAD)
		fdfs_put_download_request(out, &request);
	else
		fdfs_put_file_request(out, &request.file);
	fdfs_end(out, begun, 0);
	assert(buf_ok(out));
}

static int take_content(struct fdfs_call *call, const struct fdfs_file_call *want, struct err *err)
{
	const struct file_id *id = want->id;
	bool failed = want->out->failed;
	uint8_t *room;

	if (fdfs_client_is_exact(id) && call->len != id->size)
		return err_set(err, ERR_CORRUPT,
			"storage %s: sends %" PRIu64 " bytes of a picture of %" PRIu64,
			call->peer->text, call->len, id->size);
	room = buf_reserve(want->out, call->len);
	if (room == NULL) {
		want->out->failed = failed; /* nothing was written to it */
		return err_set(err, ERR_TOO_LARGE, "the picture has %" PRIu64 " bytes", call->len);
	}
	if (fdfs_call_body(call, room, err) < 0)
		return err_prefix(err, "storage");
	if (fdfs_client_is_exact(id) && !fdfs_client_crc_matches(span_of(room, call->len), id->crc))
		return err_set(err, ERR_CORRUPT,
			"storage %s: sends bytes whose CRC is not %08" PRIx32, call->peer->text,
			id->crc);
	want->out->len += call->len;
	return 0;
}

static int take_info(struct fdfs_call *call, const struct fdfs_file_call *want, struct err *err)
{
	uint8_t bytes[128];
	struct fdfs_info_reply reply;

	if (call->len > sizeof bytes)
		goto nonsense;
	if (fdfs_call_body(call, bytes, err) < 0)
		return err_prefix(err, "storage");
	if (!fdfs_get_info_reply(span_of(bytes, call->len), &reply))
		goto nonsense;
	*want->info = (struct fdfs_info){
		.size = reply.size, .time = reply.time, .crc = reply.crc
	};
	snprintf(want->info->source, sizeof want->info->source, "%s", reply.source);
	return 0;
nonsense:
	return err_set(err, ERR_UNREACHABLE, "storage %s: its answer is not a file's figures",
		call->peer->text);
}

struct wait {
	struct fdfs_client *client;
	const struct fdfs_peer *peer;
	const struct fdfs_file_call *want;
	const struct fdfs_tried *tried;
};

/* The storage is silent: whether to leave it. */
static bool give_up(void *context)
{
	const struct wait *wait = context;
	struct fdfs_client *client = wait->client;
	const struct file_id *id = wait->want->id;
	int64_t deadline = clock_mono_ms() + client->connect_ms;
	struct fdfs_route route;
	struct err err;

	if (!fdfs_client_is_up(client, id->group, wait->peer))
		return true;
	return wait->tried != NULL &&
	       fdfs_trackers_route_file(
		       client->trackers, FDFS_QUERY_FETCH_ALL, id, deadline, &route, &err) == 0 &&
	       fdfs_tried_knows_more(wait->tried, &route);
}

int fdfs_file_ask(struct fdfs_client *client, const struct fdfs_peer *peer,
	const struct fdfs_tried *tried, int64_t deadline, struct fdfs_file_call *want,
	struct err *err)
{
	struct wait wait = { client, peer, want, tried };
	struct buf head;
	struct fdfs_call call = {
		.peer = peer,
		.reads = want->cmd != FDFS_DELETE,
		.max_reply = want->cmd == FDFS_DOWNLOAD ? client->max_file_size : 1024,
		.connect_ms = client->connect_ms,
		.deadline = deadline,
		.patience_ms = client->patience_ms,
		.give_up = give_up,
		.context = &wait,
	};
	bool clean;
	int result;

	buf_init(&head, CLIENT_HEAD_MAX);
	put_request(&head, want);
	call.head = buf_span(&head);
	result = fdfs_call(client->pool, &call, err);
	want->not_done = call.not_done;
	buf_fini(&head);
	if (result < 0)
		return err_prefix(err, "storage");
	want->not_done = call.status != 0;
	want->nonsense = want->nonsense || call.status == FDFS_STATUS_NONSENSE;
	if (call.status != 0)
		result = refused(&call, err);
	else if (want->cmd == FDFS_DOWNLOAD)
		result = take_content(&call, want, err);
	else if (want->cmd == FDFS_FILE_INFO)
		result = take_info(&call, want, err);
	/* Anything left unread would be taken for the beginning of the next answer. */
	clean = result == 0 ? call.reads || call.len == 0 : call.status != 0;
	fdfs_call_end(client->pool, &call, clean);
	return result;
}

/* Whether a "not found" is the last word: that of the storage that took the file in.  Others may
 * not have it yet, or never, as a tracker that cannot tell whose it is names any. */
static bool is_source(const struct file_id *id, const struct fdfs_peer *peer)
{
	char source[16];

	file_id_source_text(id, source);
	return !id->source_is_id && strcmp(source, peer->host) == 0;
}

static bool may_be_elsewhere(
	const struct file_id *id, const struct fdfs_peer *peer, enum err_code code)
{
	if (code == ERR_NOT_FOUND)
		return !is_source(id, peer) || clock_unix() - (int64_t)id->time < SYNC_S;
	return code == ERR_UNREACHABLE || code == ERR_TIMEOUT || code == ERR_CORRUPT ||
	       code == ERR_IO || code == ERR_BUSY;
}

/* Ask a storage that should have the file; if it fails, or does not have a young one
 * yet, those that the tracker names next. */
static int file_read(struct fdfs_client *client, struct fdfs_file_call *want, struct err *err)
{
	static const uint8_t routes[] = { FDFS_QUERY_FETCH_ONE, FDFS_QUERY_UPDATE,
		FDFS_QUERY_FETCH_ALL };
	int64_t deadline = fdfs_client_deadline(client);
	struct err kept = { .code = ERR_NONE };
	struct fdfs_tried tried = { 0 };

	for (size_t i = 0; i < sizeof routes; i++) {
		const struct fdfs_peer *peer;
		struct fdfs_route route;

		if (fdfs_trackers_route_file(
			    client->trackers, routes[i], want->id, deadline, &route, err) < 0) {
			if (kept.code == ERR_NONE)
				return -1;
			continue;
		}
		while ((peer = fdfs_tried_next(&tried, &route)) != NULL) {
			if (fdfs_file_ask(client, peer, &tried, deadline, want, err) == 0)
				return 0;
			if (!may_be_elsewhere(want->id, peer, err->code))
				return -1;
			if (kept.code == ERR_NONE || kept.code == ERR_NOT_FOUND)
				kept = *err;
		}
	}
	if (kept.code == ERR_NONE)
		return fdfs_trackers_nonsense("the address of a storage", err);
	*err = kept;
	return -1;
}

int fdfs_stat(struct fdfs_client *client, const struct file_id *id, struct fdfs_info *info,
	struct err *err)
{
	struct err local;
	struct fdfs_file_call want = { .id = id, .cmd = FDFS_FILE_INFO, .info = info };

	return file_read(client, &want, err != NULL ? err : &local);
}

/* FastDFS refuses to send an empty file as it refuses nonsense.  Whose id does not tell its
 * size, slaves and appenders, may be one. */
static bool is_empty(struct fdfs_client *client, const struct file_id *id)
{
	struct fdfs_info info = { 0 };

	return fdfs_stat(client, id, &info, NULL) == 0 && info.size == 0;
}

int fdfs_download(
	struct fdfs_client *client, const struct file_id *id, struct buf *out, struct err *err)
{
	struct err local;
	struct fdfs_file_call want = { .id = id, .cmd = FDFS_DOWNLOAD, .out = out };
	struct fdfs_info info;

	if (err == NULL)
		err = &local;
	if (fdfs_client_is_exact(id) && id->size > client->max_file_size)
		return err_set(err, ERR_TOO_LARGE, "the picture has %" PRIu64 " bytes", id->size);
	/* FastDFS does not send empty files, but it can say that there is one. */
	if (fdfs_client_is_exact(id) && id->size == 0)
		return fdfs_stat(client, id, &info, err);
	if (file_read(client, &want, err) == 0)
		return 0;
	return want.nonsense && !fdfs_client_is_exact(id) && is_empty(client, id) ? 0 : -1;
}
