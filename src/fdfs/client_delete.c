/* client_delete.c - deleting a stored file, on every storage that may have it. */
#include "fdfs/client_inside.h"

#include <stdlib.h>
#include <string.h>

/* What the storages of a group have answered. */
struct answers {
	struct fdfs_client *client;
	const struct file_id *id;
	int64_t deadline;
	unsigned had, gone, none, down;
	bool shared;       /* one that has all files has answered */
	struct err failed; /* the first that could not say */
};

static bool is_member(const struct fdfs_storage *storage)
{
	return storage->state <= FDFS_STATE_ACTIVE && storage->state != FDFS_STATE_DELETED &&
	       storage->state != FDFS_STATE_IP_CHANGED;
}

static bool is_up(const struct fdfs_storage *storage)
{
	return storage->state == FDFS_STATE_ACTIVE || storage->state == FDFS_STATE_ONLINE;
}

static void ask(struct answers *answers, const struct fdfs_storage *storage)
{
	struct fdfs_file_call want = { .id = answers->id, .cmd = FDFS_DELETE };
	struct fdfs_peer peer;
	struct err err;

	if (!fdfs_peer_at(storage->ip, storage->port, &peer)) {
		fdfs_trackers_nonsense("the address of a storage", &err);
	} else if (fdfs_file_ask(answers->client, &peer, NULL, answers->deadline, &want, &err) ==
		   0) {
		answers->had++;
		answers->shared = answers->shared || storage->shared;
		return;
	} else if (err.code == ERR_GONE || err.code == ERR_NOT_FOUND) {
		*(err.code == ERR_GONE ? &answers->gone : &answers->none) += 1;
		answers->shared = answers->shared || storage->shared;
		return;
	}
	if (answers->failed.code == ERR_NONE)
		answers->failed = err;
}

/* The one that took it in comes first: what it has deleted it sends to nobody any more. */
static void ask_all(struct answers *answers, const struct fdfs_storage *storages, size_t count,
	const struct fdfs_storage *source)
{
	if (source != NULL && is_up(source))
		ask(answers, source);
	for (size_t i = 0; i < count; i++) {
		const struct fdfs_storage *storage = &storages[i];

		if (storage == source || !is_member(storage))
			continue;
		if (is_up(storage))
			ask(answers, storage);
		else
			answers->down++;
	}
}

static const struct fdfs_storage *find_source(
	const struct fdfs_storage *storages, size_t count, const struct file_id *id)
{
	const struct fdfs_storage *at_ip = NULL;
	char text[16];

	file_id_source_text(id, text);
	for (size_t i = 0; i < count; i++) {
		if (!is_member(&storages[i]))
			continue;
		if (strcmp(storages[i].id, text) == 0)
			return &storages[i];
		/* From before the group had ids. */
		if (strcmp(storages[i].ip, text) == 0)
			at_ip = &storages[i];
	}
	return at_ip;
}

/* What can be said for sure after all that. */
static int verdict(
	const struct answers *answers, const struct fdfs_storage *source, struct err *err)
{
	unsigned all = answers->had + answers->gone + answers->none;

	if (!answers->shared) {
		if (answers->failed.code != ERR_NONE) {
			*err = answers->failed;
			return -1;
		}
		if (source != NULL && !is_up(source))
			return err_set(err, ERR_UNREACHABLE,
				"storage %s, which took the picture in, is down", source->id);
	}
	if (all == 0 && answers->failed.code != ERR_NONE)
		*err = answers->failed;
	else if (all == 0)
		err_set(err, ERR_UNREACHABLE, "no storage of group %s is up", answers->id->group);
	else if (answers->had > 0)
		return 0;
	else if (answers->gone > 0)
		err_set(err, ERR_GONE, "%s", err_meaning(ERR_GONE));
	else
		err_set(err, ERR_NOT_FOUND, "%s", err_meaning(ERR_NOT_FOUND));
	return -1;
}

int fdfs_delete(struct fdfs_client *client, const struct file_id *id, struct fdfs_deleted *how,
	struct err *err)
{
	struct answers answers = {
		.client = client,
		.id = id,
		.deadline = fdfs_client_deadline(client),
	};
	const struct fdfs_storage *source;
	struct fdfs_storage *storages;
	struct err local;
	size_t count;
	int result;

	if (err == NULL)
		err = &local;
	if (how != NULL)
		*how = (struct fdfs_deleted){ 0 }; /* of a group that is not there, say */
	if (fdfs_storages(client, id->group, &storages, &count, err) < 0)
		return -1;
	source = find_source(storages, count, id);
	ask_all(&answers, storages, count, source);
	result = verdict(&answers, source, err);
	if (how != NULL)
		*how = (struct fdfs_deleted){
			.source_left = source == NULL,
			.down = answers.shared ? 0 : answers.down,
		};
	free(storages);
	return result;
}
