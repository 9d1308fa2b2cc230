/* storage_alias.c - requests for pictures by names that they had elsewhere.
 *
 * A name that this storage cannot have made is looked up before its command is carried
 * out, and if it is an alias the picture's own name is put in its place; so is every name
 * whose file or metadata is to be changed.  (A name to read that could be one of ours is the
 * engine's to look up, when it has no record of it.) */
#include "programs/storage_server/storage_inside.h"

#include "store/aliases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
	struct storage *storage;
	struct net_request *request;
	void (*then)(struct storage *storage, struct net_request *request);
	struct file_id id;
	char target[FILE_ID_NAME_MAX + 1];
	int found;
	struct err err;
};

int storage_own_id(
	struct storage *storage, const struct file_id *id, struct file_id *own, struct err *err)
{
	struct aliases *aliases = engine_aliases(storage->engine);
	char target[FILE_ID_NAME_MAX + 1];
	int found = 0;

	*own = *id;
	if (aliases != NULL && aliases_any(aliases))
		found = aliases_find(aliases, id->name, target, err);
	if (found < 1)
		return found;
	if (file_id_parse_name(span_str(storage->limits.group), span_str(target), own) &&
		own->path < storage->limits.path_count)
		return 0;
	return err_set(err, ERR_CORRUPT, "the alias %s means '%s', which is no name here", id->name,
		target);
}

/* Reading is frequent, and finds a name that could be one of ours by itself.  Those of a shared
 * engine may have been made by any of its storages. */
static bool only_reads(uint8_t cmd)
{
	return cmd == FDFS_DOWNLOAD || cmd == FDFS_FILE_INFO;
}

static bool is_foreign(const struct storage *storage, const struct file_id *id)
{
	return id->kind != FILE_ID_NORMAL || id->path >= storage->limits.path_count ||
	       (!engine_is_shared(storage->engine) &&
		       memcmp(id->source, storage->source, sizeof id->source) != 0);
}

static void work(void *context)
{
	struct lookup *lookup = context;

	lookup->found = aliases_find(engine_aliases(lookup->storage->engine), lookup->id.name,
		lookup->target, &lookup->err);
}

/* The slaves of FastDFS may have names shorter than ours. */
static_assert((int)NET_BODY_SPARE >= (int)FILE_ID_NAME_LEN, "a name of ours has room");

static bool put_target(struct lookup *lookup)
{
	struct net_request *request = lookup->request;

	return storage_rename(fdfs_header_read(request->header).cmd, &request->body,
		request->body.len + NET_BODY_SPARE, span_str(lookup->target));
}

static void worked(void *context)
{
	struct lookup *lookup = context;

	if (lookup->found < 0)
		storage_fail(lookup->request, &lookup->err);
	else if (lookup->found == 1 && !put_target(lookup)) {
		err_set(&lookup->err, ERR_CORRUPT, "the alias %s means a name that is too long",
			lookup->id.name);
		storage_fail(lookup->request, &lookup->err);
	} else {
		lookup->then(lookup->storage, lookup->request);
	}
	free(lookup);
}

void storage_translate(struct storage *storage, struct net_request *request,
	void (*then)(struct storage *storage, struct net_request *request))
{
	struct aliases *aliases = engine_aliases(storage->engine);
	struct fdfs_header header = fdfs_header_read(request->header);
	struct lookup *lookup;
	struct file_id id;

	if (aliases == NULL || !aliases_any(aliases) ||
		!storage_named(&storage->limits, header.cmd, request->body, &id) ||
		(only_reads(header.cmd) && !is_foreign(storage, &id))) {
		then(storage, request);
		return;
	}
	lookup = calloc(1, sizeof *lookup);
	assert(lookup != NULL);
	*lookup = (struct lookup){ .storage = storage, .request = request, .then = then, .id = id };
	net_loop_work(storage->loop, work, worked, lookup);
}
