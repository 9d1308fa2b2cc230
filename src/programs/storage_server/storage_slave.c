/* storage_slave.c - command 21: a file that is named after another. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <string.h>

/* The name must be free of a picture that was moved here with it, too. */
static int check_free(struct storage *storage, const struct file_id *slave, struct err *err)
{
	struct file_id own;

	if (storage_own_id(storage, slave, &own, err) != 0)
		return -1;
	return file_id_equal(&own, slave)
		       ? 0
		       : err_set(err, ERR_EXISTS, "there is a %s already", slave->name);
}

struct master {
	struct storage *storage;
	struct file_id id;
};

/* It may be deleted while its slave is on its way: who deletes everything that was made
 * of it looks for slaves after that, and finds this one or it is never seen. */
static int is_there(void *context, struct err *err)
{
	const struct master *master = context;
	struct storage_found found;

	return storage_find(master->storage, &master->id, &found, err);
}

int storage_upload_slave(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_slave_request asked;
	struct master master = { .storage = storage };
	struct file_id own, slave;
	struct fdfs_file_request file;
	struct names_new new;

	if (storage_read_slave(&storage->limits, request->body, &asked, &master.id, &slave, err) !=
			0 ||
		is_there(&master, err) != 0 ||
		storage_own_id(storage, &master.id, &own, err) != 0 ||
		check_free(storage, &slave, err) != 0 ||
		storage_room(storage, slave.path, asked.content.len, err) != 0)
		return -1;
	new = (struct names_new){
		.name = slave.name,
		.master = own.name,
		.content = asked.content,
		.wanted = is_there,
		.context = &master,
	};
	if (names_create(storage_names(storage, &slave), &new, err) != 0)
		return -1;
	file.name = span_of(slave.name, slave.name_len);
	memcpy(file.group, slave.group, sizeof file.group);
	fdfs_put_upload_reply(reply, &file);
	storage_counters[STORAGE_BYTES_IN].value += (int64_t)asked.content.len;
	return 0;
}
