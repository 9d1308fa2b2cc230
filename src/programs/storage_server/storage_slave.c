/* storage_slave.c - command 21: a file that is named after another; and which ones there
 * are, 191. */
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <string.h>

/* The master may be deleted while its slave is on its way: who deletes everything that
 * was made of it looks for slaves after that, and finds this one or none. */
int storage_upload_slave(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_slave_request asked;
	struct file_id master, slave;
	struct fdfs_file_request file;
	struct storage_found found;
	struct names_new new;

	if (storage_read_slave(&storage->limits, request->body, &asked, &master, &slave, err) !=
			0 ||
		storage_find(storage, &master, &found, err) != 0 ||
		storage_room(storage, slave.path, asked.content.len, err) != 0)
		return -1;
	new = (struct names_new){
		.name = slave.name, .master = master.name, .content = asked.content
	};
	if (names_create(storage_names(storage, &slave), &new, err) != 0)
		return -1;
	if (storage_find(storage, &master, &found, err) != 0) {
		names_remove(storage_names(storage, &slave), slave.name, NULL);
		return -1;
	}
	file.name = span_of(slave.name, slave.name_len);
	memcpy(file.group, slave.group, sizeof file.group);
	fdfs_put_upload_reply(reply, &file);
	storage_counters[STORAGE_BYTES_IN].value += (int64_t)asked.content.len;
	return 0;
}

static void add_line(void *context, const char *slave)
{
	buf_put_str(context, slave);
	buf_put_u8(context, '\n');
}

int storage_list_slaves(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct file_id id;

	/* Of a master that is gone, too. */
	if (storage_read_file(&storage->limits, request->body, &id, err) != 0)
		return -1;
	if (storage->limits.no_names)
		return 0;
	return names_slaves(storage_names(storage, &id), id.name, add_line, reply, err);
}
