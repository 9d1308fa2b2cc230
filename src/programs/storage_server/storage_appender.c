/* storage_appender.c - commands 23, 24, 34, 36 and 38: files whose content changes, until
 * they are given a final name. */
#include "core/clock.h"
#include "core/crc32.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAKE_TRIES = 10, SPOTS = 1 << 23 };

int storage_room(struct storage *storage, uint8_t path, uint64_t len, struct err *err)
{
	struct engine_space space;

	if (engine_space(storage->engine, &space, err) != 0)
		return -1;
	if (space.path_free[path] < len)
		return err_set(err, ERR_FULL, "store path M%02X has no room for %" PRIu64 " bytes",
			path, len);
	return 0;
}

/* The store path that was asked for, or if it has no room the one that has most. */
static int choose_path(
	struct storage *storage, uint8_t asked, uint64_t len, uint8_t *path, struct err *err)
{
	struct engine_space space;

	if (engine_space(storage->engine, &space, err) != 0)
		return -1;
	*path = asked;
	if (asked != ENGINE_ANY_PATH && space.path_free[asked] >= len)
		return 0;
	*path = 0;
	for (size_t i = 1; i < storage->limits.path_count; i++)
		if (space.path_free[i] > space.path_free[*path])
			*path = (uint8_t)i;
	return storage_room(storage, *path, len, err);
}

static void put_name(struct buf *reply, const struct file_id *id)
{
	struct fdfs_file_request file = { .name = span_of(id->name, id->name_len) };

	memcpy(file.group, id->group, sizeof file.group);
	fdfs_put_upload_reply(reply, &file);
}

int storage_upload_appender(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_upload_request asked;
	struct file_id id = { .kind = FILE_ID_APPENDER };
	struct names_new new;
	int result = -1;

	if (storage_read_upload(&storage->limits, request->body, &asked, err) != 0 ||
		choose_path(storage, asked.path, asked.size, &id.path, err) != 0)
		return -1;
	snprintf(id.group, sizeof id.group, "%s", storage->limits.group);
	memcpy(id.source, storage->source, sizeof id.source);
	memcpy(id.ext, asked.ext, sizeof id.ext);
	id.time = (uint32_t)clock_unix();
	id.crc = crc32_add(0, asked.content);
	for (int i = 0; i < MAKE_TRIES && result != 0; i++) {
		id.random = arc4random_uniform(SPOTS);
		if (!file_id_make(&id, arc4random()))
			return err_set(err, ERR_BAD_REQUEST, "'%s' is no extension", asked.ext);
		new = (struct names_new){ .name = id.name, .content = asked.content };
		result = names_create(storage_names(storage, &id), &new, err);
		if (result != 0 && err->code != ERR_EXISTS)
			return -1;
	}
	if (result != 0)
		return -1;
	put_name(reply, &id);
	storage_counters[STORAGE_BYTES_IN].value += (int64_t)asked.size;
	return 0;
}

/* Read a change of a file that is there.  Of a file that cannot be an appender it is said
 * so only if it is there, as FastDFS does. */
static int read_change(struct storage *storage, struct net_request *request,
	struct fdfs_change_request *change, struct file_id *id, struct err *err)
{
	uint8_t cmd = fdfs_header_read(request->header).cmd;
	struct storage_found found;

	if (storage_read_change(&storage->limits, cmd, request->body, change, id, err) != 0)
		return -1;
	if (storage_find(storage, id, &found, err) != 0)
		return -1;
	if (found.is_appender)
		return storage_room(storage, id->path, change->content.len, err);
	return err_set(err, ERR_BAD_REQUEST, "%s is no appender file", id->name);
}

int storage_append(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_change_request change;
	struct file_id id;

	(void)reply;
	if (read_change(storage, request, &change, &id, err) != 0 ||
		names_append(storage_names(storage, &id), id.name, change.content,
			storage->limits.max_file_size, err) != 0)
		return -1;
	storage_counters[STORAGE_BYTES_IN].value += change.size;
	return 0;
}

int storage_modify(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_change_request change;
	struct file_id id;

	(void)reply;
	if (read_change(storage, request, &change, &id, err) != 0 ||
		names_modify(storage_names(storage, &id), id.name, (uint64_t)change.offset,
			change.content, storage->limits.max_file_size, err) != 0)
		return -1;
	storage_counters[STORAGE_BYTES_IN].value += change.size;
	return 0;
}

int storage_truncate(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_change_request change;
	struct file_id id;

	(void)reply;
	if (read_change(storage, request, &change, &id, err) != 0)
		return -1;
	return names_truncate(storage_names(storage, &id), id.name, (uint64_t)change.size,
		storage->limits.max_file_size, err);
}

/* The final name keeps the folder and, if it can, the pad digits. */
struct final {
	struct file_id id;
	uint32_t pad;
	bool again;
};

static uint32_t pad_of(const struct file_id *id)
{
	const char *tail = id->name + FILE_ID_NAME_LEN - FILE_ID_TAIL_LEN;
	uint32_t pad = 0, unit = 1;

	for (; *tail >= '0' && *tail <= '9'; tail++, unit *= 10)
		pad += (uint32_t)(*tail - '0') * unit;
	return pad;
}

static void make_final(void *context, uint64_t size, uint32_t crc, char *out)
{
	struct final *final = context;

	final->id.kind = FILE_ID_NORMAL;
	final->id.size = size;
	final->id.crc = crc;
	final->id.time = (uint32_t)clock_unix();
	final->id.random = arc4random_uniform(NAMES_SPOT_END);
	if (!file_id_make(&final->id, final->again ? arc4random() : final->pad))
		abort(); /* an id that was read has a group and an extension that are good */
	final->again = true;
	memcpy(out, final->id.name, FILE_ID_NAME_LEN + 1);
}

int storage_finish(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_change_request change;
	struct final final = { 0 };
	struct file_id id;

	if (read_change(storage, request, &change, &id, err) != 0)
		return -1;
	final.id = id;
	final.pad = pad_of(&id);
	memcpy(final.id.source, storage->source, sizeof final.id.source);
	if (names_finish(storage_names(storage, &id), id.name, make_final, &final, err) != 0)
		return -1;
	put_name(reply, &final.id);
	return 0;
}
