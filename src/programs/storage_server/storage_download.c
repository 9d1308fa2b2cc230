/* storage_download.c - command 14: hand out a file, or a range of it.
 *
 * The whole file is read and checked against its CRC, also for a range: wrong bytes are
 * not served in parts either.  What the page cache has is read by the loop itself; what
 * must come from a disk, and what is long, by a thread that may wait. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdlib.h>

enum {
	AT_ONCE_MAX = 1 << 20, /* a longer read and its CRC would hold up all others */
	COUNTED_MIN = 1 << 16, /* shorter replies are not worth a place in the budget */
};

struct download {
	struct storage *storage;
	struct net_request *request;
	struct file_id id;
	uint64_t from, len;
	struct buf content;
	struct err err;
};

static void finish(struct download *download)
{
	struct span wanted = { 0 };

	if (download->err.code == ERR_NONE && download->len > 0)
		wanted = span_of(download->content.data + download->from, (size_t)download->len);
	if (download->err.code == ERR_NONE) {
		storage_counters[STORAGE_DOWNLOADS].value++;
		storage_counters[STORAGE_BYTES_OUT].value += (int64_t)download->len;
		fdfs_reply_slice(download->request, &download->content, wanted);
	} else {
		storage_fail(download->request, &download->err);
	}
	buf_fini(&download->content);
	free(download);
}

static void read_file(struct download *download, unsigned flags)
{
	download->err = (struct err){ 0 };
	engine_get(download->storage->engine, &download->id, flags, &download->content,
		&download->err);
}

static void work(void *context)
{
	read_file(context, 0);
}

static void worked(void *context)
{
	finish(context);
}

static void begin(void *context, struct net_request *request)
{
	struct download *download = context;

	(void)request;
	if (download->id.size <= AT_ONCE_MAX) {
		read_file(download, ENGINE_NO_WAIT);
		if (download->err.code != ERR_WOULD_BLOCK) {
			finish(download);
			return;
		}
	}
	net_loop_work(download->storage->loop, work, worked, download);
}

void storage_download(struct storage *storage, struct net_request *request)
{
	struct download *download = calloc(1, sizeof *download);

	assert(download != NULL);
	*download = (struct download){ .storage = storage, .request = request };
	if (storage_read_download(&storage->limits, request->body, &download->id, &download->from,
		    &download->len, &download->err) != 0) {
		finish(download);
		return;
	}
	buf_init(&download->content, download->id.size);
	if (download->id.size < COUNTED_MIN)
		begin(download, request);
	else
		net_reserve(request, download->id.size, download, begin);
}
