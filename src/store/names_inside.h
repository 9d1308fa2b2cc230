/* names_inside.h - what the files of names.db's keeper share. */
#pragma once

#include "meta/db.h"
#include "store/names.h"

#include <pthread.h>
#include <stdatomic.h>

enum { NAMES_READERS = 4, NAMES_CHUNK_BITS = 20 };

/* One connection and its queries; used by one thread at a time. */
struct names_link {
	pthread_mutex_t lock;
	struct db *db;
	struct db_query *find, *master, *chunks, *metadata, *slaves, *files, *metadata_names;
	struct db_query *sound, *lost;
	/* Of the writer: */
	struct db_query *add, *remove, *resize, *rename, *rename_masters, *rename_metadata;
	struct db_query *put_chunk, *drop_chunks, *put_metadata, *drop_metadata;
};

struct names {
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
