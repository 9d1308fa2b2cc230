/* storage_delete.c - command 12: remove a file for good. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdlib.h>

struct delete
{
	struct engine_remove remove;
	struct net_request *request;
};

/* In a thread of the engine. */
static void on_done(struct engine_remove *remove)
{
	struct delete *delete = remove->context;

	if (remove->err.code == ERR_NONE) {
		storage_counters[STORAGE_DELETES].value++;
		fdfs_reply(delete->request, 0, NULL);
	} else {
		storage_fail(delete->request, &remove->err);
	}
	free(delete);
}

void storage_delete(struct storage *storage, struct net_request *request)
{
	struct delete *delete = calloc(1, sizeof *delete);
	struct err err;

	assert(delete != NULL);
	*delete = (struct delete){
		.remove = { .done = on_done, .context = delete },
		.request = request,
	};
	if (storage_read_file(&storage->limits, request->body, &delete->remove.id, &err) != 0) {
		storage_fail(request, &err);
		free(delete);
		return;
	}
	engine_remove(storage->engine, &delete->remove);
}
