/* storage_metadata.c - commands 13 and 15: keys and values of a file. */
#include "fdfs/metadata_text.h"
#include "programs/storage_server/storage_inside.h"

static int edit(void *context, struct span old, struct buf *out, struct err *err)
{
	const struct fdfs_metadata_request *asked = context;

	return metadata_change((enum metadata_flag)asked->flag, old, asked->text, out, err);
}

/* A picture that lies in a volume may be deleted between two looks at it.  Its deletion
 * takes the metadata away last, so one of the two sees what the other did. */
int storage_set_metadata(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_metadata_request asked;
	struct file_id id;
	struct storage_found found;
	struct names *names;

	(void)reply;
	if (storage_read_metadata(&storage->limits, request->body, &asked, &id, err) != 0 ||
		storage_find(storage, &id, &found, err) != 0)
		return -1;
	names = storage_names(storage, &id);
	if (names_edit_metadata(names, id.name, found.in_names, edit, &asked, err) != 0)
		return -1;
	if (!found.in_names && storage_find(storage, &id, &found, err) != 0) {
		names_drop_metadata(names, id.name, NULL);
		return -1;
	}
	return 0;
}

int storage_get_metadata(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct storage_found found;
	struct file_id id;

	if (storage_read_file(&storage->limits, request->body, &id, err) != 0 ||
		storage_find(storage, &id, &found, err) != 0)
		return -1;
	if (storage->limits.no_names)
		return err_set(err, ERR_NOT_FOUND, "%s has no metadata", id.name);
	return names_metadata(storage_names(storage, &id), id.name, reply, err);
}
