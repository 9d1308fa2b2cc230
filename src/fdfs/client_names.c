#include "fdfs/client_names.h"

#include "core/clock.h"
#include "fdfs/client_inside.h"
#include "fdfs/metadata_text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
	HEAD_MAX = FDFS_HEADER_LEN + FDFS_RESTORE_HEAD_MAX, /* the longest */
	ID_REPLY_MAX = FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX,
	CANNOT_TELL_MS = 60000, /* FastDFS is not asked for slaves again for so long */
};

/* A request about one file, and what comes of it. */
struct ask {
	const struct file_id *id; /* whose storage is asked */
	uint8_t cmd;
	struct buf head; /* the whole package but the content */
	struct span content;
	bool repeatable;
	struct buf *reply;
	size_t reply_max;
};

/* Begin a package that `content` will end. */
static struct buf *begin(struct ask *ask)
{
	buf_init(&ask->head, HEAD_MAX);
	fdfs_begin(&ask->head, ask->cmd, ask->cmd == FDFS_RESTORE ? FDFS_FLAG_TELL_GONE : 0);
	return &ask->head;
}

static int refused(const struct fdfs_call *call, struct err *err)
{
	enum err_code code = err_from_fdfs(call->status);

	if (code == ERR_NOT_FOUND)
		return err_set(err, code, "%s", err_meaning(code));
	return err_set(err, code, "storage %s: answers status %d, %s", call->peer->text,
		call->status, err_meaning(code));
}

/* Of FDFS_RESTORE, which only a picstore knows. */
static int refused_restore(const struct fdfs_call *call, struct err *err)
{
	switch (call->status) {
	case FDFS_STATUS_GONE:
		return err_set(err, ERR_GONE, "it was there, or its master was, and was deleted");
	case FDFS_STATUS_CORRUPT:
		return err_set(err, ERR_CORRUPT, "the bytes do not match the id");
	default:
		break;
	}
	refused(call, err);
	if (err->code == ERR_EXISTS)
		err_set(err, ERR_EXISTS, "it is there already, with other content");
	else if (err->code == ERR_BAD_REQUEST || err->code == ERR_UNSUPPORTED)
		err_set(err, ERR_UNSUPPORTED, "storage %s: does not take such files back",
			call->peer->text);
	return -1;
}

static int take_reply(struct fdfs_call *call, const struct ask *ask, struct err *err)
{
	uint8_t *room = ask->reply == NULL ? NULL : buf_reserve(ask->reply, call->len);

	if (call->len == 0)
		return 0;
	if (room == NULL)
		return err_set(err, ask->repeatable ? ERR_TOO_LARGE : ERR_UNKNOWN,
			"storage %s: its answer is longer than it should be", call->peer->text);
	if (fdfs_call_body(call, room, err) < 0) {
		if (!ask->repeatable)
			err->code = ERR_UNKNOWN;
		return err_prefix(err, "storage");
	}
	ask->reply->len += call->len;
	return 0;
}

static int ask_one(struct fdfs_client *client, const struct fdfs_peer *peer, int64_t deadline,
	const struct ask *ask, bool *not_done, struct err *err)
{
	struct fdfs_call call = {
		.peer = peer,
		.head = buf_span(&ask->head),
		.content = ask->content,
		.reads = ask->repeatable,
		.max_reply = ask->reply_max,
		.connect_ms = client->connect_ms,
		.deadline = deadline,
	};
	int result = fdfs_call(client->pool, &call, err);

	*not_done = call.not_done;
	if (result < 0)
		return err_prefix(err, "storage");
	*not_done = call.status != 0;
	if (call.status == 0)
		result = take_reply(&call, ask, err);
	else if (ask->cmd == FDFS_RESTORE)
		result = refused_restore(&call, err);
	else
		result = refused(&call, err);
	fdfs_call_end(client->pool, &call, result == 0 || call.status != 0);
	return result;
}

/* Ask the storages that the tracker names for changes, until one has heard it. */
static int ask_storage(struct fdfs_client *client, struct ask *ask, struct err *err)
{
	int64_t deadline = fdfs_client_deadline(client);
	struct fdfs_tried tried = { 0 };
	struct err kept = { .code = ERR_NONE };
	int result = -1;

	fdfs_end(&ask->head, 0, ask->content.len);
	assert(buf_ok(&ask->head));
	for (;;) {
		const struct fdfs_peer *peer;
		struct fdfs_route route;
		bool not_done;

		if (fdfs_trackers_route_file(client->trackers, FDFS_QUERY_UPDATE, ask->id, deadline,
			    &route, err) < 0)
			break;
		peer = fdfs_tried_next(&tried, &route);
		if (peer == NULL) {
			if (kept.code != ERR_NONE)
				*err = kept;
			else
				fdfs_trackers_nonsense("the address of a storage", err);
			break;
		}
		result = ask_one(client, peer, deadline, ask, &not_done, err);
		if (result == 0 || (!not_done && !ask->repeatable) ||
			(err->code != ERR_UNREACHABLE && err->code != ERR_TIMEOUT))
			break;
		kept = *err;
	}
	buf_fini(&ask->head);
	return result;
}

/* The same for requests that are answered with an id of the same group. */
static int ask_for_id(
	struct fdfs_client *client, struct ask *ask, struct file_id *id, struct err *err)
{
	struct fdfs_file_request file;
	struct file_id made;
	struct buf reply;
	int result;

	buf_init(&reply, ID_REPLY_MAX);
	/* cppcheck-suppress autoVariables ; `ask` is used for this one call */
	ask->reply = &reply;
	ask->reply_max = ID_REPLY_MAX;
	result = ask_storage(client, ask, err);
	if (result == 0 && (!fdfs_get_upload_reply(buf_span(&reply), &file) ||
				   !file_id_parse_name(span_str(file.group), file.name, &made) ||
				   strcmp(made.group, ask->id->group) != 0))
		result = err_set(err, ERR_UNKNOWN, "the storage's answer is not an id");
	if (result == 0)
		*id = made;
	buf_fini(&reply);
	return result;
}

static int too_large(struct fdfs_client *client, struct span content, struct err *err)
{
	return content.len <= client->max_file_size
		       ? 0
		       : err_set(err, ERR_TOO_LARGE,
				 "%zu bytes are more than the %zu that are allowed", content.len,
				 client->max_file_size);
}

int fdfs_upload_slave(struct fdfs_client *client, const struct file_id *master, const char *prefix,
	const char *ext, struct span content, struct file_id *slave, struct err *err)
{
	struct ask ask = { .id = master, .cmd = FDFS_UPLOAD_SLAVE, .content = content };
	struct fdfs_slave_request request = { .master = span_of(master->name, master->name_len),
		.size = content.len };
	struct file_id expected, made;
	struct err local;

	if (err == NULL)
		err = &local;
	if (!file_id_slave(master, prefix, ext, &expected))
		return err_set(err, ERR_BAD_REQUEST, "'%s' and '%s' do not name a slave of %s",
			prefix, ext, master->name);
	if (too_large(client, content, err) != 0)
		return -1;
	snprintf(request.prefix, sizeof request.prefix, "%s", prefix);
	snprintf(request.ext, sizeof request.ext, "%s", ext);
	fdfs_put_slave_head(begin(&ask), &request);
	if (ask_for_id(client, &ask, &made, err) != 0)
		return -1;
	if (!file_id_equal(&made, &expected))
		return err_set(err, ERR_UNKNOWN, "the storage calls the slave %s, not %s",
			made.name, expected.name);
	*slave = made;
	return 0;
}

int fdfs_restore(struct fdfs_client *client, const struct fdfs_file_back *file, struct span content,
	struct err *err)
{
	struct ask ask = {
		.id = &file->id, .cmd = FDFS_RESTORE, .content = content, .repeatable = true
	};
	struct fdfs_restore_request request = {
		.what = file->what,
		.changed = file->changed,
		.name = span_of(file->id.name, file->id.name_len),
		.master = span_of(file->master.name, file->master.name_len),
		.first = span_of(file->first.name, file->first.name_len),
		.size = content.len,
	};
	struct file_id made;
	struct err local;

	if (err == NULL)
		err = &local;
	if (too_large(client, content, err) != 0)
		return -1;
	fdfs_put_restore_head(begin(&ask), &request);
	if (ask_for_id(client, &ask, &made, err) != 0)
		return -1;
	return file_id_equal(&made, &file->id)
		       ? 0
		       : err_set(err, ERR_UNKNOWN, "the storage calls it %s, not %s", made.name,
				 file->id.name);
}

static int change(struct fdfs_client *client, const struct file_id *id, uint8_t cmd,
	uint64_t offset, uint64_t size, struct span content, struct err *err)
{
	struct ask ask = { .id = id, .cmd = cmd, .content = content };
	struct fdfs_change_request request = { .name = span_of(id->name, id->name_len),
		.offset = (int64_t)offset,
		.size = (int64_t)size };
	struct err local;

	if (err == NULL)
		err = &local;
	if (offset > INT64_MAX || size > INT64_MAX)
		return err_set(err, ERR_TOO_LARGE, "no file has so many bytes");
	if (too_large(client, content, err) != 0)
		return -1;
	fdfs_put_change_head(begin(&ask), cmd, &request);
	return ask_storage(client, &ask, err);
}

int fdfs_append(
	struct fdfs_client *client, const struct file_id *id, struct span content, struct err *err)
{
	return change(client, id, FDFS_APPEND, 0, content.len, content, err);
}

int fdfs_modify(struct fdfs_client *client, const struct file_id *id, uint64_t offset,
	struct span content, struct err *err)
{
	return change(client, id, FDFS_MODIFY, offset, content.len, content, err);
}

int fdfs_truncate(
	struct fdfs_client *client, const struct file_id *id, uint64_t size, struct err *err)
{
	return change(client, id, FDFS_TRUNCATE, 0, size, span_of(NULL, 0), err);
}

int fdfs_finish(
	struct fdfs_client *client, const struct file_id *id, struct file_id *last, struct err *err)
{
	struct ask ask = { .id = id, .cmd = FDFS_REGENERATE };
	struct fdfs_change_request request = { .name = span_of(id->name, id->name_len) };
	struct err local;

	fdfs_put_change_head(begin(&ask), FDFS_REGENERATE, &request);
	return ask_for_id(client, &ask, last, err != NULL ? err : &local);
}

static struct fdfs_file_request file_of(const struct file_id *id)
{
	struct fdfs_file_request file = { .name = span_of(id->name, id->name_len) };

	memcpy(file.group, id->group, sizeof file.group);
	return file;
}

int fdfs_set_metadata(struct fdfs_client *client, const struct file_id *id, bool merge,
	struct span text, struct err *err)
{
	struct ask ask = {
		.id = id, .cmd = FDFS_SET_METADATA, .content = text, .repeatable = !merge
	};
	struct fdfs_metadata_request request = { .flag = merge ? METADATA_MERGE : METADATA_REPLACE,
		.file = file_of(id) };
	struct err local;

	if (err == NULL)
		err = &local;
	if (text.len > UINT16_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu bytes are too many for metadata", text.len);
	request.text.len = text.len;
	fdfs_put_metadata_head(begin(&ask), &request);
	return ask_storage(client, &ask, err);
}

int fdfs_get_metadata(
	struct fdfs_client *client, const struct file_id *id, struct buf *out, struct err *err)
{
	struct ask ask = { .id = id, .cmd = FDFS_GET_METADATA, .repeatable = true };
	struct fdfs_file_request file = file_of(id);
	struct err local;

	ask.reply = out;
	ask.reply_max = out->limit - out->len;
	fdfs_put_file_request(begin(&ask), &file);
	return ask_storage(client, &ask, err != NULL ? err : &local);
}

/* Every line is a slave of the group of `id`. */
static int each_slave(const struct file_id *id, struct span list,
	void (*found)(void *context, const struct file_id *slave), void *context, struct err *err)
{
	while (list.len > 0) {
		const uint8_t *end = memchr(list.data, '\n', list.len);
		size_t len = end == NULL ? 0 : (size_t)(end - list.data);
		struct file_id slave;

		if (end == NULL ||
			!file_id_parse_name(span_str(id->group), span_of(list.data, len), &slave))
			return err_set(err, ERR_UNREACHABLE,
				"the storage's answer is not a list of slaves");
		found(context, &slave);
		list = span_of(end + 1, list.len - len - 1);
	}
	return 0;
}

int fdfs_slaves(struct fdfs_client *client, const struct file_id *id,
	void (*found)(void *context, const struct file_id *slave), void *context, struct err *err)
{
	struct ask ask = { .id = id, .cmd = FDFS_LIST_SLAVES, .repeatable = true };
	struct fdfs_file_request file = file_of(id);
	struct buf reply;
	struct err local;
	int result;

	if (err == NULL)
		err = &local;
	if (clock_mono_ms() < client->cannot_tell_ms)
		return err_set(err, ERR_UNSUPPORTED, "FastDFS cannot tell the slaves of a file");
	buf_init(&reply, FDFS_SLAVES_LEN_MAX);
	ask.reply = &reply;
	ask.reply_max = FDFS_SLAVES_LEN_MAX;
	fdfs_put_file_request(begin(&ask), &file);
	result = ask_storage(client, &ask, err);
	if (result == 0) {
		result = each_slave(id, buf_span(&reply), found, context, err);
	} else if (err->code == ERR_BAD_REQUEST) {
		client->cannot_tell_ms = clock_mono_ms() + CANNOT_TELL_MS;
		err_set(err, ERR_UNSUPPORTED, "FastDFS cannot tell the slaves of a file");
	}
	buf_fini(&reply);
	return result;
}
