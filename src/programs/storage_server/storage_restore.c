/* storage_restore.c - command 194: a slave or appender file that a picstore had comes back
 * as what it was, under its own name; and which slaves may come at all.
 *
 * What was made from a picture is deleted with it.  Nothing brings it back: not an export
 * that is older, and not a cluster that still has it.  A slave whose master is not known
 * here is another matter: it may have been left behind by its master elsewhere, too. */
#include "core/crc32.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"
#include "store/aliases.h"

#include <string.h>

enum { BASE_LEN = 10 + 27 }; /* of names: the folders, and what tells where it is from */

struct restoring {
	struct storage *storage;
	struct fdfs_restore_request asked;
	struct storage_restored files;
};

/* ERR_GONE if it was a picture here and was deleted. */
static int not_gone(struct storage *storage, const struct file_id *id, struct err *err)
{
	struct engine_stat stat;
	struct err why;

	if (id->name_len == 0 || engine_stat(storage->engine, id, 0, &stat, &why) == 0 ||
		why.code == ERR_NOT_FOUND)
		return 0;
	if (why.code == ERR_GONE)
		return err_set(err, ERR_GONE, "its master %s has been deleted", id->name);
	*err = why;
	return -1;
}

/* Asked while the slave is being made: who deletes its master looks for slaves after that,
 * and finds this one or it is never seen. */
static int masters_are_not_gone(void *context, struct err *err)
{
	const struct restoring *restoring = context;

	if (not_gone(restoring->storage, &restoring->files.master, err) != 0)
		return -1;
	return not_gone(restoring->storage, &restoring->files.first, err);
}

static int same(const struct restoring *restoring, uint64_t size, uint32_t crc, struct err *err)
{
	if (size == restoring->asked.size && crc == crc32_add(0, restoring->asked.content))
		return 1;
	return err_set(err, ERR_EXISTS, "%s is here with other content", restoring->files.id.name);
}

/* 1: it is here already, 0: nothing is, -1 with err, also if something else is.  Before
 * there was this command it may have come as a picture with its name. */
static int is_here(const struct restoring *restoring, struct err *err)
{
	struct storage *storage = restoring->storage;
	const struct file_id *id = &restoring->files.id;
	struct storage_found found;

	if (storage_find(storage, id, &found, err) != 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (found.is_appender &&
		names_crc(storage_names(storage, id), id->name, &found.stat.crc, err) != 0)
		return -1;
	return same(restoring, found.stat.size, found.stat.crc, err);
}

static int restore(struct restoring *restoring, struct err *err)
{
	const struct fdfs_restore_request *asked = &restoring->asked;
	const struct storage_restored *files = &restoring->files;
	bool is_slave = asked->what == FDFS_RESTORED_SLAVE;
	const struct names_new new = {
		.name = files->id.name,
		.master = is_slave ? files->master.name : NULL,
		.content = asked->content,
		.wanted = is_slave ? masters_are_not_gone : NULL,
		.context = restoring,
		.finished = asked->what == FDFS_RESTORED_FINISHED,
		.changed = asked->changed,
	};
	int here = is_here(restoring, err);

	if (here != 0)
		return here == 1 ? 0 : -1;
	if (storage_room(restoring->storage, files->id.path, asked->size, err) != 0 ||
		names_create(storage_names(restoring->storage, &files->id), &new, err) != 0)
		return -1;
	storage_counters[STORAGE_BYTES_IN].value += (int64_t)asked->size;
	return 0;
}

int storage_restore(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct restoring restoring = { .storage = storage };
	const struct file_id *id = &restoring.files.id;
	struct fdfs_file_request file;

	if (storage_read_restore(
		    &storage->limits, request->body, &restoring.asked, &restoring.files, err) != 0)
		return -1;
	if (!names_have(id))
		return err_set(err, ERR_BAD_ID, "%s names no file of a names.db", id->name);
	if (restore(&restoring, err) != 0)
		return -1;
	file.name = span_of(id->name, id->name_len);
	memcpy(file.group, id->group, sizeof file.group);
	fdfs_put_upload_reply(reply, &file);
	return 0;
}

/* ---- slaves that were moved here ---- */

struct search {
	struct storage *storage;
	const struct file_id *slave;
	struct err err;
};

/* A slave's name begins as its master's does, up to the extension. */
static bool is_master(const struct file_id *master, const struct file_id *slave)
{
	size_t len = master->name_len - FILE_ID_TAIL_LEN;

	len += strcspn(master->name + len, ".");
	return master->kind != FILE_ID_SLAVE && strncmp(master->name, slave->name, len) == 0;
}

static bool on_alias(void *context, const char *name, const char *target)
{
	struct search *search = context;
	struct span group = span_str(search->storage->limits.group);
	struct file_id master, own;

	if (strncmp(name, search->slave->name, BASE_LEN) != 0)
		return false;
	if (!file_id_parse_name(group, span_str(name), &master) ||
		!is_master(&master, search->slave) ||
		!file_id_parse_name(group, span_str(target), &own))
		return true;
	return not_gone(search->storage, &own, &search->err) == 0;
}

int storage_may_join(struct storage *storage, const struct file_id *slave, struct err *err)
{
	struct search search = { .storage = storage, .slave = slave };
	char base[FILE_ID_NAME_MAX + 1];

	memcpy(base, slave->name, BASE_LEN);
	base[BASE_LEN] = '\0';
	if (aliases_walk(engine_aliases(storage->engine), base, on_alias, &search, err) != 0)
		return -1;
	if (search.err.code == ERR_NONE)
		return 0;
	*err = search.err;
	return -1;
}
