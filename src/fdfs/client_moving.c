/* client_moving.c - which other names a file had elsewhere; and pictures that move to the cold
 * store of a storage. */
#include "core/clock.h"
#include "fdfs/client_inside.h"

#include <assert.h>
#include <string.h>

enum { ASK_AGAIN_MS = 60000 }; /* a storage that does not know the command; it may be replaced */

struct names_call {
	const struct file_id *id;
	void (*found)(void *context, const struct file_id *id, bool own);
	void *context;
	bool more; /* the picture has other names */
};

static int take(struct fdfs_call *call, struct names_call *want, struct err *err)
{
	uint8_t bytes[FDFS_NAMES_LEN_MAX];
	struct fdfs_names names;

	if (fdfs_call_body(call, bytes, err) < 0)
		return err_prefix(err, "storage");
	if (!fdfs_get_names(span_of(bytes, call->len), &names))
		return err_set(err, ERR_UNREACHABLE,
			"storage %s: its answer is not a list of names", call->peer->text);
	want->more = names.count > 1;
	for (size_t i = 0; i < names.count; i++) {
		struct file_id id;

		if (file_id_parse_name(span_str(want->id->group), names.names[i], &id) &&
			!file_id_equal(&id, want->id))
			want->found(want->context, &id, i == 0);
	}
	return 0;
}

static int ask(struct fdfs_client *client, const struct fdfs_peer *peer, int64_t deadline,
	struct names_call *want, struct err *err)
{
	struct fdfs_file_request file = { .name = span_of(want->id->name, want->id->name_len) };
	struct buf head;
	struct fdfs_call call = {
		.peer = peer,
		.reads = true,
		.max_reply = FDFS_NAMES_LEN_MAX,
		.connect_ms = client->connect_ms,
		.deadline = deadline,
	};
	size_t begun;
	int result;

	memcpy(file.group, want->id->group, sizeof file.group);
	buf_init(&head, CLIENT_HEAD_MAX);
	begun = fdfs_begin(&head, FDFS_NAMES, 0);
	fdfs_put_file_request(&head, &file);
	fdfs_end(&head, begun, 0);
	assert(buf_ok(&head));
	call.head = buf_span(&head);
	result = fdfs_call(client->pool, &call, err);
	buf_fini(&head);
	if (result < 0)
		return err_prefix(err, "storage");
	if (call.status == 0)
		result = take(&call, want, err);
	else if (err_from_fdfs(call.status) == ERR_BAD_REQUEST)
		client->nameless_ms = clock_mono_ms();
	else
		result = err_set(err, err_from_fdfs(call.status),
			"storage %s: answers status %d to a question for names", peer->text,
			call.status);
	fdfs_call_end(client->pool, &call, result == 0 && call.status == 0);
	return result;
}

int fdfs_names(struct fdfs_client *client, const struct file_id *id,
	void (*found)(void *context, const struct file_id *id, bool own), void *context,
	struct err *err)
{
	int64_t deadline = fdfs_client_deadline(client), nameless = client->nameless_ms;
	struct names_call want = { .id = id, .found = found, .context = context };
	struct fdfs_tried tried = { 0 };
	const struct fdfs_peer *peer;
	struct fdfs_route route;
	struct err local;

	if (err == NULL)
		err = &local;
	if (nameless != 0 && clock_mono_ms() - nameless < ASK_AGAIN_MS)
		return 0;
	if (fdfs_trackers_route_file(
		    client->trackers, FDFS_QUERY_FETCH_ALL, id, deadline, &route, err) < 0)
		return -1;
	/* Of several storages that may have it, the one that has knows more than one name. */
	while (!want.more && (peer = fdfs_tried_next(&tried, &route)) != NULL)
		if (ask(client, peer, deadline, &want, err) != 0)
			return -1;
	return 0;
}

static int take_report(struct fdfs_call *call, struct fdfs_move_report *report, struct err *err)
{
	uint8_t bytes[FDFS_MOVE_LEN_MAX];

	if (call->status != 0)
		return err_set(err, err_from_fdfs(call->status), "storage %s: answers %s",
			call->peer->text, err_meaning(err_from_fdfs(call->status)));
	if (fdfs_call_body(call, bytes, err) < 0)
		return err_prefix(err, "storage");
	if (!fdfs_get_move_report(span_of(bytes, call->len), report))
		return err_set(err, ERR_UNREACHABLE,
			"storage %s: its answer does not tell of moving", call->peer->text);
	return 0;
}

int fdfs_move(struct fdfs_client *client, const char *address, const struct fdfs_move_order *order,
	struct fdfs_move_report *report, struct err *err)
{
	struct fdfs_peer peer;
	struct fdfs_call call = {
		.peer = &peer,
		.reads = true, /* the same order may come twice */
		.max_reply = FDFS_MOVE_LEN_MAX,
		.connect_ms = client->connect_ms,
		.deadline = fdfs_client_deadline(client),
	};
	struct buf head;
	size_t begun;
	int result;

	if (!fdfs_peer_parse(address, &peer))
		return err_set(err, ERR_CONFIG, "'%s' is no address of a storage", address);
	buf_init(&head, CLIENT_HEAD_MAX);
	begun = fdfs_begin(&head, FDFS_MOVE, 0);
	if (order != NULL)
		fdfs_put_move_order(&head, order);
	fdfs_end(&head, begun, 0);
	assert(buf_ok(&head));
	call.head = buf_span(&head);
	result = fdfs_call(client->pool, &call, err);
	buf_fini(&head);
	if (result < 0)
		return err_prefix(err, "storage");
	result = take_report(&call, report, err);
	fdfs_call_end(client->pool, &call, result == 0);
	return result;
}
