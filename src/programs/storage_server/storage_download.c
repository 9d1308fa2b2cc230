/* storage_download.c - command 14: hand out a file, or a range of it.
 *
 * The whole file is read and checked against its CRC, also for a range: wrong bytes are
 * not served in parts either.  What the page cache has is read by the loop itself; what
 * must come from a disk, and what is long, by a thread that may wait.  An engine on another
 * machine is asked without a thread if it can be. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdlib.h>

enum {
	AT_ONCE_MAX = 1 << 20, /* a longer read and its CRC would hold up all others */
	REPLY_MAX = 1 << 30,
	COUNTED_MIN = 1 << 16, /* shorter replies are not worth a place in the budget */
};

struct download {
	struct storage *storage;
	struct net_request *request;
	struct fdfs_download_request asked; /* borrows from the request */
	struct file_id id;
	uint64_t from, len;
	struct storage_found found; /* of what may lie in names.db */
	struct buf content;
	struct engine_reading reading;
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

static void was_read(void *context)
{
	struct download *download = context;

	if (download->reading.err.code == ERR_WOULD_BLOCK) {
		net_loop_work(download->storage->loop, work, worked, download);
		return;
	}
	download->err = download->reading.err;
	finish(download);
}

static void reading_done(struct engine_reading *reading)
{
	struct download *download = reading->context;

	net_loop_call(download->storage->loop, was_read, download);
}

static bool read_without_thread(struct download *download)
{
	download->err = (struct err){ 0 };
	download->reading = (struct engine_reading){
		.id = download->id,
		.out = &download->content,
		.done = reading_done,
		.context = download,
	};
	return engine_read(download->storage->engine, &download->reading);
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
		if (read_without_thread(download))
			return;
	}
	net_loop_work(download->storage->loop, work, worked, download);
}

/* ---- what lies in names.db: of that only the range is read, whose rows are checked ---- */

static void read_names(void *context)
{
	struct download *download = context;

	names_read(storage_names(download->storage, &download->id), download->id.name,
		download->from, download->len, &download->content, &download->err);
}

/* It may have changed since its size was asked for. */
static void names_were_read(void *context)
{
	struct download *download = context;

	download->from = 0;
	download->len = download->content.len;
	finish(download);
}

static void begin_names(void *context, struct net_request *request)
{
	struct download *download = context;

	(void)request;
	net_loop_work(download->storage->loop, read_names, names_were_read, download);
}

static void find_size(void *context)
{
	struct download *download = context;

	if (storage_find(download->storage, &download->id, &download->found, &download->err) != 0 ||
		storage_range(&download->asked, download->found.stat.size, &download->from,
			&download->len, &download->err) != 0)
		return;
	if (download->len > REPLY_MAX)
		err_set(&download->err, ERR_TOO_LARGE, "at most %d bytes are sent at a time",
			REPLY_MAX);
}

static void size_is_known(void *context)
{
	struct download *download = context;

	if (download->err.code != ERR_NONE) {
		finish(download);
		return;
	}
	if (download->found.in_names) {
		buf_init(&download->content, download->len);
		net_reserve(download->request, download->len, download, begin_names);
		return;
	}
	download->id.size = download->found.stat.size; /* that of the picture it means */
	buf_init(&download->content, download->id.size);
	net_reserve(download->request, download->id.size, download, begin);
}

void storage_download(struct storage *storage, struct net_request *request)
{
	struct download *download = calloc(1, sizeof *download);

	assert(download != NULL);
	*download = (struct download){ .storage = storage, .request = request };
	if (storage_read_range(&storage->limits, request->body, &download->asked, &download->id,
		    &download->err) != 0) {
		finish(download);
	} else if (storage_names_have(storage, &download->id)) {
		net_loop_work(storage->loop, find_size, size_is_known, download);
	} else if (storage_range(&download->asked, download->id.size, &download->from,
			   &download->len, &download->err) != 0) {
		finish(download);
	} else {
		buf_init(&download->content, download->id.size);
		if (download->id.size < COUNTED_MIN)
			begin(download, request);
		else
			net_reserve(request, download->id.size, download, begin);
	}
}
