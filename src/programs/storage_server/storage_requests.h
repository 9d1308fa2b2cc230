/* storage_requests.h - what a storage's requests ask for, checked.  No sockets and no
 * engine: bytes in, a request or a refusal out. */
#pragma once

#include "core/err.h"
#include "fdfs/proto.h"
#include "fdfs/proto_moving.h"

enum {
	STORAGE_PLAIN_BODY_MAX = 4096, /* of requests without content */
	STORAGE_METADATA_MAX = 65535,  /* of one file */
	STORAGE_METADATA_BODY_MAX = 8 + 8 + 1 + FDFS_GROUP_WIDTH + FILE_ID_NAME_MAX +
				    STORAGE_METADATA_MAX,
};

/* What this storage is. */
struct storage_limits {
	const char *group;
	size_t path_count;
	uint64_t max_file_size;
	bool no_names; /* it keeps pictures alone: no slaves, appenders, metadata */
};

enum storage_mode { /* in the order of the setting storage.mode */
	STORAGE_READ_WRITE,
	STORAGE_DRAINING,  /* no new files; slaves and metadata belong to files that are there */
	STORAGE_READ_ONLY, /* nothing changes, deletes are no exception */
};

/* Whether `cmd` is answered in that mode.  Returns 0, or -1 with ERR_FULL for uploads, so
 * that clients go elsewhere with them, and ERR_BUSY for changes. */
int storage_permit(enum storage_mode mode, uint8_t cmd, struct err *err);

/* Whether it has what `cmd` is about.  Returns 0, or -1 with ERR_UNSUPPORTED.  That a
 * picture has no slaves and no metadata can be told everywhere. */
int storage_offers(const struct storage_limits *limits, uint8_t cmd, struct err *err);

/* How much of a request's body is read; see struct net_verdict.  A body that is too long
 * to be read only to be thrown away is left on its way: the connection is closed. */
enum storage_intake {
	STORAGE_COLLECT, /* all of it */
	STORAGE_DRAIN,   /* all of it, but it is not wanted */
	STORAGE_LEAVE,   /* nothing: answer and close */
	STORAGE_HANG_UP, /* close without an answer */
};

enum storage_intake storage_intake(
	const struct storage_limits *limits, const struct fdfs_header *header);

/* Why a body was not collected: fills `err`, returns -1. */
int storage_refuse(
	const struct storage_limits *limits, const struct fdfs_header *header, struct err *err);

/* Each returns 0, or -1 with ERR_BAD_REQUEST or ERR_BAD_ID (EINVAL on the wire). */
int storage_read_upload(const struct storage_limits *limits, struct span body,
	struct fdfs_upload_request *request, struct err *err);

int storage_read_file(
	const struct storage_limits *limits, struct span body, struct file_id *id, struct err *err);

/* A slave to be made: `*master` is whose, `*slave` what it will be called. */
int storage_read_slave(const struct storage_limits *limits, struct span body,
	struct fdfs_slave_request *request, struct file_id *master, struct file_id *slave,
	struct err *err);

/* A change of an appender file, `cmd` says which.  That it is one is not checked. */
int storage_read_change(const struct storage_limits *limits, uint8_t cmd, struct span body,
	struct fdfs_change_request *request, struct file_id *id, struct err *err);

int storage_read_metadata(const struct storage_limits *limits, struct span body,
	struct fdfs_metadata_request *request, struct file_id *id, struct err *err);

/* `request` says which bytes of `id` are wanted, storage_range which those are of a file
 * of `size` bytes. */
int storage_read_range(const struct storage_limits *limits, struct span body,
	struct fdfs_download_request *request, struct file_id *id, struct err *err);
int storage_range(const struct fdfs_download_request *request, uint64_t size, uint64_t *from,
	uint64_t *len, struct err *err);

/* Both at once, for files whose id tells their size. */
int storage_read_download(const struct storage_limits *limits, struct span body, struct file_id *id,
	uint64_t *from, uint64_t *len, struct err *err);

/* A picture that had names elsewhere; `olds` are these, with this storage's group.  Where a
 * name tells the content's size and CRC they are checked: ERR_CORRUPT. */
int storage_read_adopt(const struct storage_limits *limits, struct span body,
	struct fdfs_adopt_request *request, struct file_id olds[FDFS_NAMES_MAX], struct err *err);

/* A file of a names.db that comes back.  Where its name tells size and CRC they are checked:
 * ERR_CORRUPT.  ERR_UNSUPPORTED if this storage does not have its store path. */
struct storage_restored {
	struct file_id id;
	struct file_id master, first; /* name_len 0: there is none */
};

int storage_read_restore(const struct storage_limits *limits, struct span body,
	struct fdfs_restore_request *request, struct storage_restored *files, struct err *err);

/* As storage_read_file, but of any store path. */
int storage_read_names(
	const struct storage_limits *limits, struct span body, struct file_id *id, struct err *err);

/* The file that a request names: one about a single file, of this group, of any store path.
 * False for other requests. */
bool storage_named(
	const struct storage_limits *limits, uint8_t cmd, struct span body, struct file_id *id);

/* Put `name` in the place of that name: writes into the body's bytes, of which there are
 * `room`.  False if these are too few. */
bool storage_rename(uint8_t cmd, struct span *body, size_t room, struct span name);

/* The status byte for a failure.  What has been deleted was never there, and damaged
 * bytes are a disk error, for those that did not ask to be told (FDFS_FLAG_TELL_GONE in
 * `flags`). */
uint8_t storage_status(enum err_code code, uint8_t flags);
