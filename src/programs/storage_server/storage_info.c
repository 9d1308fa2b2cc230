/* storage_info.c - command 22: size, time, CRC and source of a file. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct info {
	struct storage *storage;
	struct net_request *request;
	struct file_id id;
	struct engine_stat stat;
	struct err err;
};

/* The address of the storage that took the file in; empty if only its id is known. */
static void source_address(const struct info *info, char out[FDFS_IP_MAX + 1])
{
	char source[16];

	file_id_source_text(&info->id, source);
	if (strcmp(source, info->storage->source_text) == 0)
		memcpy(out, info->storage->address.ip, sizeof info->storage->address.ip);
	else
		snprintf(out, FDFS_IP_MAX + 1, "%s", info->id.source_is_id ? "" : source);
}

static void finish(struct info *info)
{
	struct fdfs_info_reply reply = {
		.size = info->stat.size,
		.time = info->stat.time,
		.crc = info->stat.crc,
	};
	struct buf body;

	if (info->err.code == ERR_NONE) {
		buf_init(&body, 256);
		source_address(info, reply.source);
		fdfs_put_info_reply(&body, info->storage->ip_width, &reply);
		storage_counters[STORAGE_INFOS].value++;
		fdfs_reply(info->request, 0, &body);
	} else {
		storage_fail(info->request, &info->err);
	}
	free(info);
}

/* The CRC of an appender is that of its bytes as they are now. */
static int find(struct info *info)
{
	uint8_t flags = fdfs_header_read(info->request->header).status;
	struct storage_found found;

	if (storage_find(info->storage, &info->id, &found, &info->err) != 0)
		return -1;
	info->stat = found.stat;
	/* That of a slave is at hand, but who says that it is not wanted is told 0 by FastDFS. */
	if ((flags & FDFS_FLAG_NO_CRC) != 0 && info->id.kind == FILE_ID_SLAVE)
		info->stat.crc = 0;
	if (!found.is_appender || (flags & FDFS_FLAG_NO_CRC) != 0)
		return 0;
	return names_crc(storage_names(info->storage, &info->id), info->id.name, &info->stat.crc,
		&info->err);
}

static void look(struct info *info, unsigned flags)
{
	info->err = (struct err){ 0 };
	if (!storage_names_have(info->storage, &info->id))
		engine_stat(info->storage->engine, &info->id, flags, &info->stat, &info->err);
	else if ((flags & ENGINE_NO_WAIT) != 0)
		err_set(&info->err, ERR_WOULD_BLOCK, "a database is asked by a thread");
	else
		find(info);
}

static void work(void *context)
{
	look(context, 0);
}

static void worked(void *context)
{
	finish(context);
}

void storage_info(struct storage *storage, struct net_request *request)
{
	struct info *info = calloc(1, sizeof *info);

	assert(info != NULL);
	*info = (struct info){ .storage = storage, .request = request };
	if (storage_read_file(&storage->limits, request->body, &info->id, &info->err) != 0) {
		finish(info);
		return;
	}
	look(info, ENGINE_NO_WAIT);
	if (info->err.code == ERR_WOULD_BLOCK)
		net_loop_work(storage->loop, work, worked, info);
	else
		finish(info);
}
