/* storage_work.c - commands that are one function in a thread. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdlib.h>

struct work {
	struct storage *storage;
	struct net_request *request;
	storage_job *job;
	struct buf reply;
	struct err err;
	int result;
};

static void work(void *context)
{
	struct work *work = context;

	work->result = work->job(work->storage, work->request, &work->reply, &work->err);
	if (work->result == 0 && !buf_ok(&work->reply))
		work->result = err_set(&work->err, ERR_TOO_LARGE, "the answer would be too long");
}

static void worked(void *context)
{
	struct work *work = context;

	if (work->result == 0) {
		storage_count(fdfs_header_read(work->request->header).cmd);
		fdfs_reply(work->request, 0, &work->reply);
	} else {
		storage_fail(work->request, &work->err);
	}
	buf_fini(&work->reply);
	free(work);
}

void storage_do(struct storage *storage, struct net_request *request, storage_job *job)
{
	struct work *new = calloc(1, sizeof *new);

	assert(new != NULL);
	*new = (struct work){ .storage = storage, .request = request, .job = job };
	buf_init(&new->reply, FDFS_SLAVES_LEN_MAX); /* the longest of all replies */
	net_loop_work(storage->loop, work, worked, new);
}

int storage_find(struct storage *storage, const struct file_id *id, struct storage_found *found,
	struct err *err)
{
	struct names_stat stat;
	struct err failure;

	*found = (struct storage_found){ 0 };
	if (storage_names_have(storage, id)) {
		if (names_stat(storage_names(storage, id), id->name, &stat, &failure) == 0) {
			found->in_names = true;
			found->is_appender = stat.is_appender;
			found->stat = (struct engine_stat){ stat.size, stat.crc, stat.changed };
			return 0;
		}
		if (failure.code != ERR_NOT_FOUND) {
			*err = failure;
			return -1;
		}
	}
	return engine_stat(storage->engine, id, 0, &found->stat, err);
}
