/* storage_adopt.c - commands 192 and 193: a picture that had other names elsewhere is
 * taken in, and all names of a picture are told.
 *
 * The picture is on the disk before its names are, and they before the answer.  What is
 * here already under one of the names is not stored twice: the command may be repeated.
 * Who comes second of two that bring the same at once takes back what he has stored. */
#include "core/clock.h"
#include "core/crc32.h"
#include "fdfs/proto_moving.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"
#include "store/aliases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ADOPT_TRIES = 3 };

struct adopt {
	struct storage *storage;
	struct net_request *request;
	struct fdfs_adopt_request asked;
	struct file_id olds[FDFS_NAMES_MAX];
	struct file_id id; /* the outcome */
	bool stored;
	struct err err;
};

/* What the alias or id `old` means here: 1 with the picture's own id, 0 if nothing, -1 with
 * err, also of a picture that was deleted. */
static int find(struct adopt *adopt, const struct file_id *old, struct file_id *id)
{
	struct engine *engine = adopt->storage->engine;
	char target[FILE_ID_NAME_MAX + 1];
	struct storage_found there;
	struct engine_stat stat;
	int found;

	*id = *old;
	found = aliases_find(engine_aliases(engine), old->name, target, &adopt->err);
	if (found < 0)
		return -1;
	if (found == 1 &&
		!file_id_parse_name(span_str(adopt->storage->limits.group), span_str(target), id))
		return err_set(&adopt->err, ERR_CORRUPT, "the alias %s means no name", old->name);
	/* A slave or an appender of this storage's own. */
	if (found == 0 && names_have(id) && id->path < adopt->storage->limits.path_count) {
		if (storage_find(adopt->storage, id, &there, &adopt->err) == 0)
			return err_set(&adopt->err, ERR_EXISTS, "%s is a file of this storage's",
				old->name);
		return adopt->err.code == ERR_NOT_FOUND ? 0 : -1;
	}
	if (engine_stat(engine, id, 0, &stat, &adopt->err) != 0)
		return adopt->err.code == ERR_NOT_FOUND ? 0 : -1;
	if (stat.size != adopt->asked.size || stat.crc != crc32_add(0, adopt->asked.content))
		return err_set(&adopt->err, ERR_EXISTS, "%s is here with other content", old->name);
	return 1;
}

/* The same for all names.  None may be that of another file: an alias would hide it. */
static int find_any(struct adopt *adopt)
{
	struct file_id id;
	int any = 0;

	for (size_t i = 0; i < adopt->asked.names.count; i++) {
		int found = find(adopt, &adopt->olds[i], &id);

		if (found < 0)
			return -1;
		if (found == 1 && any == 1 && !file_id_equal(&id, &adopt->id))
			return err_set(&adopt->err, ERR_EXISTS, "%s is another picture here",
				adopt->olds[i].name);
		if (found == 1)
			adopt->id = id;
		any = any == 1 || found == 1;
	}
	return any;
}

/* Put it back under its own id, or else under a new one. */
static int store(struct adopt *adopt)
{
	struct engine_put put = {
		.content = adopt->asked.content,
		.crc = crc32_add(0, adopt->asked.content),
		.path = adopt->asked.path,
		.wanted = adopt->asked.keep ? &adopt->olds[0] : NULL,
	};
	struct engine_stat stat;
	int result;

	memcpy(put.ext, adopt->asked.ext, sizeof put.ext);
	result = engine_put_wait(adopt->storage->engine, &put);
	if (result != 0 && put.wanted != NULL && put.err.code == ERR_EXISTS) {
		/* It has just come back? */
		if (engine_stat(adopt->storage->engine, put.wanted, 0, &stat, &adopt->err) == 0)
			return find(adopt, put.wanted, &adopt->id) == 1 ? 0 : -1;
		put.wanted = NULL;
		put.path = adopt->asked.path;
		result = engine_put_wait(adopt->storage->engine, &put);
	}
	adopt->id = put.id;
	adopt->err = put.err;
	adopt->stored = result == 0;
	return result;
}

static int add_names(struct adopt *adopt)
{
	const char *names[FDFS_NAMES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < adopt->asked.names.count; i++)
		if (strcmp(adopt->olds[i].name, adopt->id.name) != 0)
			names[count++] = adopt->olds[i].name;
	if (count == 0)
		return 0;
	return aliases_add(
		engine_aliases(adopt->storage->engine), names, count, adopt->id.name, &adopt->err);
}

/* Nobody has been told its id, unless it is the one that it came with. */
static void take_back(struct adopt *adopt)
{
	if (strcmp(adopt->id.name, adopt->olds[0].name) != 0)
		engine_remove_wait(adopt->storage->engine, &adopt->id, NULL);
	adopt->stored = false;
}

/* Slaves of a picture that was moved here and deleted are not taken. */
static int may_join(struct adopt *adopt)
{
	for (size_t i = 0; i < adopt->asked.names.count; i++)
		if (adopt->olds[i].kind == FILE_ID_SLAVE &&
			storage_may_join(adopt->storage, &adopt->olds[i], &adopt->err) != 0)
			return -1;
	return 0;
}

/* Once more when it has its names: who deletes its master looks for these after that. */
static int check_joined(struct adopt *adopt)
{
	if (!adopt->stored || may_join(adopt) == 0)
		return 1;
	take_back(adopt);
	return -1;
}

/* 1: done, 0: somebody else was faster, -1 with err. */
static int try(struct adopt *adopt)
{
	int found = find_any(adopt);

	if (found < 0 || (found == 0 && (may_join(adopt) != 0 || store(adopt) != 0)))
		return -1;
	if (add_names(adopt) == 0)
		return check_joined(adopt);
	if (!adopt->stored)
		return -1;
	take_back(adopt);
	return adopt->err.code == ERR_EXISTS ? 0 : -1;
}

static void work(void *context)
{
	struct adopt *adopt = context;
	int done = 0;

	for (int i = 0; i < ADOPT_TRIES && done == 0; i++)
		done = try(adopt);
	if (done == 1)
		adopt->err.code = ERR_NONE;
}

static void worked(void *context)
{
	struct adopt *adopt = context;
	struct fdfs_file_request file = { .name = span_of(adopt->id.name, adopt->id.name_len) };
	struct buf body;

	if (adopt->err.code == ERR_NONE) {
		memcpy(file.group, adopt->id.group, sizeof file.group);
		buf_init(&body, FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX);
		fdfs_put_upload_reply(&body, &file);
		if (adopt->stored) {
			storage_counters[STORAGE_UPLOADS].value++;
			storage_counters[STORAGE_BYTES_IN].value += (int64_t)adopt->asked.size;
		}
		fdfs_reply(adopt->request, 0, &body);
	} else {
		if (adopt->err.code == ERR_FULL)
			adopt->storage->full_ms = clock_mono_ms();
		storage_fail(adopt->request, &adopt->err);
	}
	free(adopt);
}

void storage_adopt(struct storage *storage, struct net_request *request)
{
	struct adopt *adopt = calloc(1, sizeof *adopt);

	assert(adopt != NULL);
	adopt->storage = storage;
	adopt->request = request;
	if (storage_read_adopt(
		    &storage->limits, request->body, &adopt->asked, adopt->olds, &adopt->err) != 0)
		worked(adopt);
	else if (engine_aliases(storage->engine) == NULL) {
		err_set(&adopt->err, ERR_UNSUPPORTED, "the engine of this storage has no aliases");
		worked(adopt);
	} else {
		net_loop_work(storage->loop, work, worked, adopt);
	}
}

/* ---- names ---- */

struct names_job {
	struct storage *storage;
	struct net_request *request;
	struct file_id id;
	struct buf reply;
	struct err err;
};

static void put_name(struct buf *out, const char *name)
{
	struct fdfs_names one = { .count = 1, .names = { span_str(name) } };

	fdfs_put_names(out, &one);
}

static void add_name(void *context, const char *name)
{
	put_name(context, name);
}

static void list_names(void *context)
{
	struct names_job *job = context;
	struct aliases *aliases = engine_aliases(job->storage->engine);
	char name[FILE_ID_NAME_MAX + 1];
	int found = aliases_find(aliases, job->id.name, name, &job->err);

	if (found < 0)
		return;
	if (found == 0)
		strcpy(name, job->id.name);
	put_name(&job->reply, name);
	if (aliases_of(aliases, name, add_name, &job->reply, &job->err) == 0)
		job->err.code = ERR_NONE;
}

static void names_listed(void *context)
{
	struct names_job *job = context;

	if (job->err.code == ERR_NONE)
		fdfs_reply(job->request, 0, &job->reply);
	else
		storage_fail(job->request, &job->err);
	buf_fini(&job->reply);
	free(job);
}

/* A picture that is not here has its one name: only who moves pictures has more to tell. */
void storage_names_of(struct storage *storage, struct net_request *request)
{
	struct names_job *job = calloc(1, sizeof *job);
	struct aliases *aliases = engine_aliases(storage->engine);

	assert(job != NULL);
	job->storage = storage;
	job->request = request;
	buf_init(&job->reply, FDFS_NAMES_LEN_MAX);
	if (storage_read_names(&storage->limits, request->body, &job->id, &job->err) != 0) {
		names_listed(job);
	} else if (aliases == NULL || !aliases_any(aliases)) {
		put_name(&job->reply, job->id.name);
		names_listed(job);
	} else {
		net_loop_work(storage->loop, list_names, names_listed, job);
	}
}
