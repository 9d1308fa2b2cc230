/* storage_alias.c - requests for pictures by names that they had elsewhere.
 *
 * A name that this storage cannot have made is looked up before its command is carried
 * out, and if it is an alias the picture's own name is put in its place.  (A name that
 * could be one of ours is the engine's to look up, when it has no record of it.) */
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

static bool is_foreign(const struct storage *storage, const struct file_id *id)
{
	return id->kind != FILE_ID_NORMAL || id->path >= storage->limits.path_count ||
	       memcmp(id->source, storage->source, sizeof id->source) != 0;
}

static void work(void *context)
{
	struct lookup *lookup = context;

	lookup->found = aliases_find(engine_aliases(lookup->storage->engine), lookup->id.name,
		lookup->target, &lookup->err);
}

static void worked(void *context)
{
	struct lookup *lookup = context;

	if (lookup->found < 0)
		storage_fail(lookup->request, &lookup->err);
	else if (lookup->found == 1 &&
		 !storage_rename(fdfs_header_read(lookup->request->header).cmd,
			 &lookup->request->body, span_str(lookup->target))) {
		err_set(&lookup->err, ERR_CORRUPT, "the alias %s means a longer name",
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
		!is_foreign(storage, &id)) {
		then(storage, request);
		return;
	}
	lookup = calloc(1, sizeof *lookup);
	assert(lookup != NULL);
	*lookup = (struct lookup){ .storage = storage, .request = request, .then = then, .id = id };
	net_loop_work(storage->loop, work, worked, lookup);
}
