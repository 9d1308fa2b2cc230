/* names.h - what a store path has to look up by name after all: slave files, appender
 * files, what appender files became in the end, and FastDFS metadata.
 *
 * One SQLite file, names.db, beside the volumes of each store path; a name's Mpp says in
 * which.  Contents are rows of 64 KiB with a CRC each, so that whatever changes them is
 * one transaction: it is on the disk, all of it, when the function returns 0, and nothing
 * of it ever was when it did not.  docs/names.md says why it is built so.
 *
 * Names are those of FastDFS, without the group.  Which names lie here the name itself
 * tells, see names_have.
 *
 * Errors are those of db.h; ERR_NOT_FOUND; ERR_CORRUPT also for content whose CRC is
 * wrong; ERR_NOT_ALLOWED if the store was opened for reading.  From any thread; all may
 * wait for the disk. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/file_id.h"

#include <stdint.h>

enum {
	NAMES_CHUNK = 1 << 16,
	NAMES_METADATA_MAX = 65535, /* bytes of one file's */
	NAMES_SPOT_END = 16,        /* spots of volumes where there never is a record */
};

#define NAMES_SIZE_MAX (UINT64_C(1) << 36) /* of a file's content */

struct names;

/* The folder is a store path.  With `read_only` a names.db that is not there is an empty
 * one.  `now` gives Unix seconds. */
struct names *names_open(const char *folder, bool read_only, int64_t (*now)(void), struct err *err);
/* The same in PostgreSQL, for a group whose storages share its files: any number of processes
 * on any machines use one.  Nobody is asked yet; a server that is down or gone is
 * ERR_SERVICE_DOWN until it is back, and what was under way then ERR_UNKNOWN. */
struct names *names_open_postgres(
	const char *conninfo, const char *group, bool read_only, int64_t (*now)(void));
void names_close(struct names *names); /* NULL is fine */

/* Does `id`, if at all, name something in a names.db?  Slaves and appenders do, and those
 * normal files whose spot no record of a volume can have: appenders that were finished. */
bool names_have(const struct file_id *id);

struct names_stat {
	uint64_t size;
	uint32_t crc; /* 0 for an appender */
	bool is_appender;
	int64_t changed; /* Unix seconds */
};

int names_stat(struct names *names, const char *name, struct names_stat *out, struct err *err);

/* Append `len` bytes at `from` to `out`, fewer where the file ends. */
int names_read(struct names *names, const char *name, uint64_t from, uint64_t len, struct buf *out,
	struct err *err);

/* The CRC of the content, all of which is read. */
int names_crc(struct names *names, const char *name, uint32_t *crc, struct err *err);

/* A new file.  ERR_EXISTS if there is one of that name. */
struct names_new {
	const char *name;
	const char *master; /* of a slave; NULL: it is an appender */
	struct span content;
	/* Asked last, before anybody sees the file: is its master still there?  If it returns
	 * -1 with err, so does names_create.  It may read, and change nothing.  NULL: yes. */
	int (*wanted)(void *context, struct err *err);
	void *context;
	/* Of a file that comes back: */
	bool finished;   /* of an appender: it had been given its final name */
	int64_t changed; /* Unix seconds; 0: now */
};

int names_create(struct names *names, const struct names_new *new, struct err *err);

/* Whose slave it is; "" if it is none. */
int names_master(
	struct names *names, const char *name, char master[FILE_ID_NAME_MAX + 1], struct err *err);

/* The file, its content and its metadata. */
int names_remove(struct names *names, const char *name, struct err *err);

/* Change an appender.  ERR_BAD_REQUEST if it is none, or if `offset` is behind its end;
 * ERR_TOO_LARGE if it would have more than `max` bytes. */
int names_append(
	struct names *names, const char *name, struct span content, uint64_t max, struct err *err);
int names_modify(struct names *names, const char *name, uint64_t offset, struct span content,
	uint64_t max, struct err *err);
int names_truncate(
	struct names *names, const char *name, uint64_t size, uint64_t max, struct err *err);

/* Give an appender its final name, after which nothing changes it.  `make` writes a name
 * to `out`, of up to FILE_ID_NAME_MAX characters, another one each time: if one is taken
 * it is asked for the next, ten times, then ERR_EXISTS.  Metadata and slaves go with it. */
typedef void names_make(void *context, uint64_t size, uint32_t crc, char *out);
int names_finish(
	struct names *names, const char *name, names_make *make, void *context, struct err *err);

/* Change metadata: `edit` makes the new text from the old one (empty if there is none);
 * an empty one takes it away.  With `here` the file must be in this names.db. */
typedef int names_edit(void *context, struct span old, struct buf *out, struct err *err);
int names_edit_metadata(struct names *names, const char *name, bool here, names_edit *edit,
	void *context, struct err *err);

/* ERR_NOT_FOUND also if there is a file, but no metadata. */
int names_metadata(struct names *names, const char *name, struct buf *out, struct err *err);

/* Forget metadata; 0 also if there was none.  Quick where names_may_have_metadata says no. */
int names_drop_metadata(struct names *names, const char *name, struct err *err);
bool names_may_have_metadata(const struct names *names);

/* Call `found` for each slave of `name`, for their slaves, and so on.  Who has seen that the
 * master is gone gets all that will ever be: one that is being made is waited for. */
int names_slaves(struct names *names, const char *name,
	void (*found)(void *context, const char *slave), void *context, struct err *err);

/* Call `found` for each file, and then for each name that has metadata (with `stat` NULL),
 * in their order, until it returns false.  It may take its time, and use `names`: nothing is
 * held meanwhile.  What comes or goes meanwhile may be left out. */
int names_walk(struct names *names,
	bool (*found)(void *context, const char *name, const struct names_stat *stat),
	void *context, struct err *err);

/* Is the database sound in itself?  Reads all of it. */
int names_sound(struct names *names, struct err *err);
