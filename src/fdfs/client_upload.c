/* client_upload.c - storing new files. */
#include "fdfs/client_inside.h"
#include "fdfs/client_names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Does the id say of its file what was sent?  That of an appender has no size. */
static bool fits(const struct file_id *id, uint8_t cmd, struct span content)
{
	if (cmd == FDFS_UPLOAD_APPENDER ? id->kind != FILE_ID_APPENDER
					: !fdfs_client_is_exact(id) || id->size != content.len)
		return false;
	return fdfs_client_crc_matches(content, id->crc);
}

/* The new id in a storage's answer, checked against what was sent. */
static int take_id(struct fdfs_call *call, uint8_t cmd, struct span content, const char *group,
	struct file_id *id, struct err *err)
{
	uint8_t bytes[FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX];
	struct fdfs_file_request file;
	struct file_id made;

	if (call->len > sizeof bytes)
		goto nonsense;
	if (fdfs_call_body(call, bytes, err) < 0) {
		err->code = ERR_UNKNOWN;
		return err_prefix(err, "storage");
	}
	if (!fdfs_get_upload_reply(span_of(bytes, call->len), &file) ||
		!file_id_parse_name(span_str(file.group), file.name, &made) ||
		strcmp(made.group, group) != 0)
		goto nonsense;
	if (!fits(&made, cmd, content))
		return err_set(err, ERR_CORRUPT,
			"storage %s: has stored something else than was sent, as %s/%s",
			call->peer->text, made.group, made.name);
	*id = made;
	return 0;
nonsense:
	return err_set(err, ERR_UNKNOWN, "storage %s: its answer to an upload is not an id",
		call->peer->text);
}

/* The error for a storage's status.  What it finds wrong with a request that this client
 * has made is no fault of who gave the picture. */
static int refused(const struct fdfs_call *call, bool adopts, struct err *err)
{
	enum err_code code = err_from_fdfs(call->status);

	if (adopts && call->status == FDFS_STATUS_GONE)
		return err_set(err, ERR_GONE, "it was there and has been deleted");
	if (adopts && call->status == FDFS_STATUS_CORRUPT)
		return err_set(err, ERR_CORRUPT, "the bytes do not match the id");
	if (adopts && code == ERR_EXISTS)
		return err_set(err, ERR_EXISTS, "it is there already, with other content");
	if (adopts && code == ERR_BAD_REQUEST)
		return err_set(err, ERR_UNSUPPORTED,
			"storage %s: does not take pictures with their old ids; is it a "
			"picstore's?",
			call->peer->text);
	if (code == ERR_NOT_FOUND || code == ERR_BAD_REQUEST || code == ERR_EXISTS ||
		code == ERR_NOT_ALLOWED)
		code = ERR_IO;
	return err_set(err, code, "storage %s: answers status %d to an upload, %s",
		call->peer->text, call->status, err_meaning(code));
}

struct wait {
	struct fdfs_client *client;
	const struct fdfs_peer *peer;
	const char *group;
};

/* The storage is silent: one that is up may still be writing, and is left its time. */
static bool give_up(void *context)
{
	const struct wait *wait = context;

	return !fdfs_client_is_up(wait->client, wait->group, wait->peer);
}

/* A new file, or one that is adopted. */
struct upload {
	uint8_t cmd;
	struct fdfs_upload_request request;
	const struct fdfs_adopt_request *adopt; /* NULL: a new one */
};

static size_t put_head(struct buf *head, const struct upload *upload, uint8_t path)
{
	struct fdfs_upload_request request = upload->request;
	struct fdfs_adopt_request adopt;
	size_t begun;

	if (upload->adopt == NULL) {
		begun = fdfs_begin(head, upload->cmd, 0);
		request.path = path;
		fdfs_put_upload_head(head, &request);
		return begun;
	}
	adopt = *upload->adopt;
	adopt.path = path;
	memcpy(adopt.ext, request.ext, sizeof adopt.ext);
	adopt.size = request.size;
	begun = fdfs_begin(head, FDFS_ADOPT, FDFS_FLAG_TELL_GONE);
	fdfs_put_adopt_head(head, &adopt);
	return begun;
}

/* Send to one storage.  `*not_done` says, after a failure, that nothing was stored. */
static int upload_to(struct fdfs_client *client, const struct fdfs_peer *peer,
	const struct fdfs_route *route, const struct upload *upload, int64_t deadline,
	struct file_id *id, bool *not_done, struct err *err)
{
	const struct fdfs_upload_request *request = &upload->request;
	struct wait wait = { client, peer, route->group };
	struct buf head;
	struct fdfs_call call = {
		.peer = peer,
		.content = request->content,
		.max_reply = 1024,
		.connect_ms = client->connect_ms,
		.deadline = deadline,
		.patience_ms = client->patience_ms,
		.give_up = give_up,
		.context = &wait,
	};
	size_t begun;
	int result;

	buf_init(&head, FDFS_HEADER_LEN + FDFS_ADOPT_HEAD_MAX);
	begun = put_head(&head, upload, route->path);
	fdfs_end(&head, begun, request->size);
	assert(buf_ok(&head));
	call.head = buf_span(&head);
	result = fdfs_call(client->pool, &call, err);
	*not_done = call.not_done;
	buf_fini(&head);
	if (result < 0)
		return err_prefix(err, "storage");
	*not_done = call.status != 0;
	if (call.status != 0)
		result = refused(&call, upload->adopt != NULL, err);
	else
		result = take_id(&call, upload->cmd, request->content, route->group, id, err);
	fdfs_call_end(client->pool, &call, result == 0);
	return result;
}

/* A storage that has not been tried.  The tracker is asked for one, which usually gives
 * another one each time; if it does not, for all. */
static int upload_route(struct fdfs_client *client, const char *group, int64_t deadline,
	struct fdfs_tried *tried, struct fdfs_route *route, const struct fdfs_peer **peer,
	struct err *err)
{
	char chosen[FDFS_GROUP_WIDTH + 1];
	bool any = group == NULL || *group == '\0';

	for (int i = 0; i < CLIENT_TRIES_MAX; i++) {
		if (fdfs_trackers_route_upload(client->trackers,
			    any ? FDFS_QUERY_STORE_ONE : FDFS_QUERY_STORE_GROUP_ONE,
			    any ? NULL : group, deadline, route, err) < 0)
			return -1;
		*peer = fdfs_tried_next(tried, route);
		if (*peer != NULL || tried->count == 0)
			return 0;
	}
	memcpy(chosen, route->group, sizeof chosen);
	if (fdfs_trackers_route_upload(
		    client->trackers, FDFS_QUERY_STORE_GROUP_ALL, chosen, deadline, route, err) < 0)
		return -1;
	*peer = fdfs_tried_next(tried, route);
	return 0;
}

/* What comes back goes to the storage that made it, if there is one: it alone can give it
 * the same place, and it is asked for it. */
static int home_route(struct fdfs_client *client, const struct file_id *id, int64_t deadline,
	struct fdfs_tried *tried, struct fdfs_route *route, const struct fdfs_peer **peer)
{
	struct err ignored;

	if (fdfs_trackers_route_file(
		    client->trackers, FDFS_QUERY_UPDATE, id, deadline, route, &ignored) < 0)
		return -1;
	route->path = FDFS_ANY_PATH;
	*peer = fdfs_tried_next(tried, route);
	return *peer == NULL ? -1 : 0;
}

/* Whether the file may be sent to another storage after `err`. */
static bool may_go_elsewhere(
	const struct fdfs_client *client, uint8_t cmd, bool not_done, enum err_code code)
{
	if (!not_done)
		return client->repeat_uploads && cmd == FDFS_UPLOAD && code == ERR_UNKNOWN;
	return code == ERR_UNREACHABLE || code == ERR_TIMEOUT || code == ERR_FULL ||
	       code == ERR_BUSY;
}

/* `home`, which may be NULL, is the name that it comes back with. */
static int send_content(struct fdfs_client *client, uint8_t cmd, const char *group,
	struct span content, const char *ext, const struct fdfs_adopt_request *adopt,
	const struct file_id *home, struct file_id *id, struct err *err)
{
	struct upload upload = {
		.cmd = cmd,
		.request = { .size = content.len, .content = content },
		.adopt = adopt,
	};
	int64_t deadline = fdfs_client_deadline(client);
	struct fdfs_tried tried = { 0 };
	struct err local, kept = { .code = ERR_NONE };

	if (err == NULL)
		err = &local;
	if (!file_id_ext_ok(span_str(ext)))
		return err_set(err, ERR_BAD_REQUEST, "'%s' is not an extension", ext);
	if (content.len > client->max_file_size)
		return err_set(err, ERR_TOO_LARGE,
			"%zu bytes are more than the %zu that are allowed", content.len,
			client->max_file_size);
	snprintf(upload.request.ext, sizeof upload.request.ext, "%s", ext);
	for (;;) {
		const struct fdfs_peer *peer = NULL;
		struct fdfs_route route;
		bool not_done;

		if (home != NULL && tried.count == 0 &&
			home_route(client, home, deadline, &tried, &route, &peer) != 0)
			peer = NULL;
		if (peer == NULL &&
			upload_route(client, group, deadline, &tried, &route, &peer, err) < 0) {
			if (kept.code == ERR_NONE)
				return -1;
			break;
		}
		if (peer == NULL && kept.code == ERR_NONE)
			return fdfs_trackers_nonsense("the address of a storage", err);
		if (peer == NULL)
			break;
		if (upload_to(client, peer, &route, &upload, deadline, id, &not_done, err) == 0)
			return 0;
		if (!may_go_elsewhere(client, cmd, not_done, err->code))
			return -1;
		if (kept.code != ERR_UNKNOWN)
			kept = *err;
	}
	*err = kept;
	return -1;
}

int fdfs_upload(struct fdfs_client *client, const char *group, struct span content, const char *ext,
	struct file_id *id, struct err *err)
{
	return send_content(client, FDFS_UPLOAD, group, content, ext, NULL, NULL, id, err);
}

int fdfs_upload_appender(struct fdfs_client *client, const char *group, struct span content,
	const char *ext, struct file_id *id, struct err *err)
{
	return send_content(client, FDFS_UPLOAD_APPENDER, group, content, ext, NULL, NULL, id, err);
}

int fdfs_adopt(struct fdfs_client *client, const struct file_id *olds, size_t count, bool keep,
	struct span content, const char *ext, struct file_id *id, struct err *err)
{
	struct fdfs_adopt_request adopt = { .keep = keep, .names.count = count };

	assert(count >= 1);
	if (count > FDFS_NAMES_MAX)
		return err_set(
			err, ERR_BAD_REQUEST, "%zu names are more than %d", count, FDFS_NAMES_MAX);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(olds[i].group, olds[0].group) != 0)
			return err_set(
				err, ERR_BAD_REQUEST, "%s is of another group", olds[i].name);
		adopt.names.names[i] = span_of(olds[i].name, olds[i].name_len);
	}
	return send_content(client, FDFS_ADOPT, olds[0].group, content, ext, &adopt,
		keep ? &olds[0] : NULL, id, err);
}
