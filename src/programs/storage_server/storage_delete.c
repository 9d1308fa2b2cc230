/* storage_delete.c - command 12: remove a file for good.
 *
 * Of a picture the metadata goes last, so that whoever repeats a deletion that was cut
 * off takes it away: it also goes when the picture itself turns out to be gone, or where
 * nobody remembers what is gone, not to be there. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdlib.h>

struct delete
{
	struct engine_remove remove;
	struct storage *storage;
	struct net_request *request;
};

static void finish(struct delete *delete, const struct err *err)
{
	if (err->code == ERR_NONE) {
		storage_counters[STORAGE_DELETES].value++;
		fdfs_reply(delete->request, 0, NULL);
	} else {
		storage_fail(delete->request, err);
	}
	free(delete);
}

static void worked(void *context)
{
	struct delete *delete = context;

	finish(delete, &delete->remove.err);
}

static void drop_metadata(void *context)
{
	struct delete *delete = context;
	const struct file_id *id = &delete->remove.id;
	struct err err;

	if (names_drop_metadata(storage_names(delete->storage, id), id->name, &err) != 0)
		delete->remove.err = err;
}

static void then_metadata(void *context)
{
	struct delete *delete = context;

	net_loop_work(delete->storage->loop, drop_metadata, worked, delete);
}

/* In a thread of the engine. */
static void on_done(struct engine_remove *remove)
{
	struct delete *delete = remove->context;
	enum err_code code = remove->err.code;
	bool gone = code == ERR_NONE || code == ERR_GONE ||
		    (code == ERR_NOT_FOUND && engine_is_shared(delete->storage->engine));

	if (gone && !delete->storage->limits.no_names &&
		names_may_have_metadata(storage_names(delete->storage, &remove->id)))
		net_loop_call(delete->storage->loop, then_metadata, delete);
	else
		finish(delete, &remove->err);
}

static void remove_name(void *context)
{
	struct delete *delete = context;
	const struct file_id *id = &delete->remove.id;

	names_remove(storage_names(delete->storage, id), id->name, &delete->remove.err);
}

/* It may be the name that a picture had elsewhere. */
static void name_removed(void *context)
{
	struct delete *delete = context;

	if (delete->remove.err.code == ERR_NOT_FOUND)
		engine_remove(delete->storage->engine, &delete->remove);
	else
		finish(delete, &delete->remove.err);
}

void storage_delete(struct storage *storage, struct net_request *request)
{
	struct delete *delete = calloc(1, sizeof *delete);
	struct err err;

	assert(delete != NULL);
	*delete = (struct delete){
		.remove = { .done = on_done, .context = delete },
		.storage = storage,
		.request = request,
	};
	if (storage_read_file(&storage->limits, request->body, &delete->remove.id, &err) != 0) {
		finish(delete, &err);
		return;
	}
	if (storage_names_have(storage, &delete->remove.id))
		net_loop_work(storage->loop, remove_name, name_removed, delete);
	else
		engine_remove(storage->engine, &delete->remove);
}
