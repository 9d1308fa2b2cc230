/* storage_upload.c - command 11: take a file in. */
#include "core/clock.h"
#include "core/crc32.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct upload {
	struct engine_put put;
	struct storage *storage;
	struct net_request *request; /* keeps the content in place until it is answered */
};

static void accepted(struct upload *upload)
{
	const struct engine_put *put = &upload->put;
	struct fdfs_file_request file = { .name = span_of(put->id.name, put->id.name_len) };
	struct buf body;

	memcpy(file.group, put->id.group, sizeof file.group);
	buf_init(&body, FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX);
	fdfs_put_upload_reply(&body, &file);
	storage_counters[STORAGE_UPLOADS].value++;
	storage_counters[STORAGE_BYTES_IN].value += (int64_t)put->content.len;
	fdfs_reply(upload->request, 0, &body);
	free(upload);
}

/* In a thread of the engine. */
static void on_done(struct engine_put *put)
{
	struct upload *upload = put->context;

	if (put->err.code == ERR_NONE) {
		accepted(upload);
		return;
	}
	if ((put->err.code == ERR_FULL || put->err.code == ERR_IO) &&
		put->path != ENGINE_ANY_PATH) {
		/* The tracker chose the path by figures of a moment ago, and does not know of
		 * disks that fail. */
		put->path = ENGINE_ANY_PATH;
		engine_put(upload->storage->engine, put);
		return;
	}
	if (put->err.code == ERR_FULL) {
		upload->storage->full_ms = clock_mono_ms();
		storage_report_now(upload->storage->report);
	}
	storage_fail(upload->request, &put->err);
	free(upload);
}

void storage_upload(struct storage *storage, struct net_request *request)
{
	struct fdfs_upload_request asked;
	struct upload *upload;
	struct err err;

	if (storage_read_upload(&storage->limits, request->body, &asked, &err) != 0) {
		storage_fail(request, &err);
		return;
	}
	upload = calloc(1, sizeof *upload);
	assert(upload != NULL);
	*upload = (struct upload){
		.put = { .content = asked.content,
			.crc = crc32_add(0, asked.content),
			.path = asked.path,
			.done = on_done,
			.context = upload },
		.storage = storage,
		.request = request,
	};
	memcpy(upload->put.ext, asked.ext, sizeof upload->put.ext);
	engine_put(storage->engine, &upload->put);
}
