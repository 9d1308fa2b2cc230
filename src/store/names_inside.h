/* names_inside.h - what the files of names.db's keeper share. */
#pragma once

#include "meta/sql.h"
#include "store/names.h"

#include <pthread.h>
#include <stdatomic.h>

enum { NAMES_READERS = 4, NAMES_CHUNK_BITS = 20 };

/* One connection and its queries; used by one thread at a time. */
struct names_link {
	pthread_mutex_t lock;
	struct sql *sql;
	struct sql_query *find, *master, *chunks, *metadata, *slaves, *files, *metadata_names;
	struct sql_query *lost;
	struct sql_query *sound, *vacuum; /* NULL: the driver has none */
	/* Of the writer: */
	struct sql_query *add, *remove, *resize, *rename, *rename_masters, *rename_metadata;
	struct sql_query *put_chunk, *drop_chunks, *put_metadata, *drop_metadata;
};

struct names;

/* Where the database is. */
struct names_driver {
	struct sql *(*open)(const struct names *names, struct err *err);
	const char *lock; /* what who writes begins with, since others may; NULL: it is SQLite */
};

struct names {
	const struct names_driver *driver;
	char *where, *group; /* the file; or the conninfo and the group */
	int64_t (*now)(void);
	bool read_only, missing;
	struct names_link writer;
	struct names_link readers[NAMES_READERS];
	_Atomic unsigned turn;
	_Atomic bool has_metadata; /* or had */
};

/* One row of the table of files. */
struct names_file {
	int64_t number;
	struct names_stat stat;
};

/* The link for a reader, locked, in a transaction; NULL with err. */
struct names_link *names_begin_read(struct names *names, struct err *err);
void names_end_read(struct names_link *link);

/* The writer's link, locked, in a transaction.  names_end_write commits if `result` is 0,
 * or takes everything back; returns the outcome. */
struct names_link *names_begin_write(struct names *names, struct err *err);
int names_end_write(struct names_link *link, int result, struct err *err);

int names_find(struct names_link *link, const char *name, struct names_file *file, struct err *err);

int names_row_drop_metadata(struct names_link *link, const char *name, struct err *err);

/* Content, within a transaction. */
int names_content_read(struct names_link *link, const struct names_file *file, uint64_t from,
	uint64_t len, struct buf *out, struct err *err);
int names_content_crc(
	struct names_link *link, const struct names_file *file, uint32_t *crc, struct err *err);
int names_content_write(struct names_link *link, const struct names_file *file, uint64_t offset,
	struct span content, struct err *err);
int names_content_cut(
	struct names_link *link, const struct names_file *file, uint64_t size, struct err *err);

/* A names database that nobody has talked to yet; takes what it gets over. */
struct names *names_new(const struct names_driver *driver, char *where, char *group, bool read_only,
	int64_t (*now)(void));
