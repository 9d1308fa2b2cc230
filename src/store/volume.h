/* volume.h - one volume file: made, opened, read and written to.
 *
 * record.h draws what stands in it.  A volume lies at STORE/data/HH/LL.vol and is
 * counted: each volume_open is paired with a volume_unref.  Reading functions may be
 * called from any thread, beside the writer; those that write only from the one
 * thread that owns the store path (writer.h).  volume_change.h has what is done to
 * records that stand already. */
#pragma once

#include "core/err.h"
#include "store/engine.h"
#include "store/record.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { VOLUME_PATH_MAX = 512, VOLUME_NUMBER_MAX = 65535 };

/* Which store path, and whose. */
struct volume_store {
	const char *folder; /* the store path */
	uint8_t path;       /* its number, pp of Mpp */
	const char *group;
	bool writable;
};

struct volume {
	int fd;
	uint8_t path;
	uint16_t number;
	struct record_key key;
	char file[VOLUME_PATH_MAX];
	_Atomic uint64_t size;   /* of the file when last asked; it may have grown */
	_Atomic bool cannot_try; /* the file system has no reads without waiting */
	_Atomic int refs;
	/* The writer's own: */
	bool dirty;      /* written to since the last flush */
	int flush_errno; /* a flush failed, with that: never written to again */
	/* The cache's own (volume_cache.h): */
	uint64_t used;
};

/* Write the file name of a volume to `out`.  Returns false if it is too long. */
bool volume_file(const char *folder, uint16_t number, char out[VOLUME_PATH_MAX]);

/* Open a volume.  NULL with ERR_NOT_FOUND if there is none, ERR_CORRUPT if neither
 * head nor copy can be read, ERR_CONFIG if it belongs to another group or to another
 * store path. */
struct volume *volume_open(const struct volume_store *store, uint16_t number, struct err *err);

/* Make volume `number`, empty and on the disk.  It appears whole or not at all.  ERR_EXISTS if
 * there is one; it may be an empty one that an earlier call could not be sure of. */
struct volume *volume_create(
	const struct volume_store *store, uint16_t number, int64_t now, struct err *err);

/* Be sure that a volume's name stays: who made it may have been cut off before that. */
int volume_keep(const struct volume_store *store, uint16_t number, struct err *err);

struct volume *volume_ref(struct volume *volume);
void volume_unref(struct volume *volume); /* NULL is fine */

/* Read the header that `id` points to.  ERR_NOT_FOUND, ERR_GONE, ERR_CORRUPT;
 * ERR_WOULD_BLOCK only with ENGINE_NO_WAIT in `flags`. */
int volume_stat(struct volume *volume, const struct file_id *id, unsigned flags,
	struct record *record, struct err *err);

/* What the header bytes at the place of `id` say about it, in the same codes.  `*record` is
 * filled wherever the header is a good one. */
int volume_judge(struct volume *volume, const struct file_id *id,
	const uint8_t header[RECORD_HEADER_LEN], struct record *record, struct err *err);

/* Append the picture to `out`, as engine_get says. */
int volume_get(struct volume *volume, const struct file_id *id, unsigned flags, struct buf *out,
	struct err *err);

/* Read all of the picture, check it, and say where it lies, as engine_place says. */
int volume_place(struct volume *volume, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err);

/* Read up to `len` bytes at `offset`, fewer at the end of the file, waiting for the
 * disk.  Returns the number of bytes, or -1 with err. */
ssize_t volume_read(
	struct volume *volume, uint64_t offset, void *data, size_t len, struct err *err);

/* Set volume->size to what it is now. */
int volume_ask_size(struct volume *volume, struct err *err);

/* Add `len` bytes at `offset` to `*crc`; what lies behind the end of the file is zeros. */
int volume_crc(struct volume *volume, uint64_t offset, uint64_t len, unsigned flags, uint32_t *crc,
	struct err *err);

/* Are the head and its copy as they should be?  And write both anew from the one that is. */
int volume_check_heads(struct volume *volume, bool *head_ok, bool *copy_ok, struct err *err);
int volume_repair_heads(struct volume *volume, struct err *err);

/* Write `len` bytes at `offset`. */
int volume_write(
	struct volume *volume, uint64_t offset, const void *data, size_t len, struct err *err);

/* The same for many pieces; `iov` is used up. */
int volume_writev(
	struct volume *volume, uint64_t offset, struct iovec *iov, size_t count, struct err *err);

/* Bring everything written to the disk. */
int volume_flush(struct volume *volume, struct err *err);
