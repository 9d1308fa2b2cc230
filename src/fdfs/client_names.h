/* client_names.h - what a client does with slave files, appender files and metadata.
 *
 * As in client.h.  All go to the storage that the tracker names for changes.  What may not
 * be done twice is not repeated once it was sent whole: then the outcome is ERR_UNKNOWN.
 * Reading, and replacing metadata, may be. */
#pragma once

#include "fdfs/client.h"
#include "fdfs/proto_moving.h"

/* Store `content` beside `master`, named after it (file_id_slave).  ERR_NOT_FOUND: there is
 * no master; ERR_EXISTS; ERR_BAD_REQUEST: prefix and extension name no slave. */
int fdfs_upload_slave(struct fdfs_client *client, const struct file_id *master, const char *prefix,
	const char *ext, struct span content, struct file_id *slave, struct err *err);

/* Store a file that can be changed; as fdfs_upload. */
int fdfs_upload_appender(struct fdfs_client *client, const char *group, struct span content,
	const char *ext, struct file_id *id, struct err *err);

/* Change an appender file.  ERR_NOT_FOUND; ERR_BAD_REQUEST: it is none, or ends before
 * `offset`. */
int fdfs_append(
	struct fdfs_client *client, const struct file_id *id, struct span content, struct err *err);
int fdfs_modify(struct fdfs_client *client, const struct file_id *id, uint64_t offset,
	struct span content, struct err *err);
int fdfs_truncate(
	struct fdfs_client *client, const struct file_id *id, uint64_t size, struct err *err);

/* Give an appender file its last name, after which nothing changes it. */
int fdfs_finish(struct fdfs_client *client, const struct file_id *id, struct file_id *last,
	struct err *err);

/* Replace all metadata, or merge it into what is there; `text` as in metadata_text.h. */
int fdfs_set_metadata(struct fdfs_client *client, const struct file_id *id, bool merge,
	struct span text, struct err *err);

/* Append it to `out`.  ERR_NOT_FOUND: no such file, or one without metadata. */
int fdfs_get_metadata(
	struct fdfs_client *client, const struct file_id *id, struct buf *out, struct err *err);

/* A slave or appender file of a picstore that comes back as what it was. */
struct fdfs_file_back {
	enum fdfs_restored what;
	struct file_id id;
	struct file_id master, first; /* of a slave: its master, and if that is one the first */
	int64_t changed;              /* Unix seconds; 0: now */
};

/* Store `content` as that file again, on the storage that made it if there is one.  What is
 * there already is fine: may be repeated.  ERR_EXISTS if it is there with other content,
 * ERR_GONE if its master was deleted there, ERR_UNSUPPORTED if its store path is not there
 * or that is no picstore, ERR_CORRUPT if the content is not what the name says. */
int fdfs_restore(struct fdfs_client *client, const struct fdfs_file_back *file, struct span content,
	struct err *err);

/* Call `found` for each slave of `id`, and for theirs, also when `id` is gone.
 * ERR_UNSUPPORTED: the storage is FastDFS's, which cannot tell. */
int fdfs_slaves(struct fdfs_client *client, const struct file_id *id,
	void (*found)(void *context, const struct file_id *slave), void *context, struct err *err);
