/* db.h - one SQLite database: what is looked up by name and must not be lost.
 *
 * Written ahead (WAL) and synchronous: what db_commit has said is on the disk.  Readers
 * and a writer do not wait for each other; a second writer, of this process or another,
 * waits up to `busy_ms`.  A struct db and its queries belong to one thread at a time.
 *
 * Errors: ERR_FULL (disk), ERR_BUSY (waited in vain), ERR_EXISTS (a unique value is there
 * already), ERR_CORRUPT (not a sound database), ERR_IO, ERR_CONFIG (the file cannot be
 * opened, or is of a newer picstore), ERR_INTERNAL. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_query;

/* The tables: step i makes those of version i into those of version i + 1, so that a list
 * only grows.  A NULL ends it. */
struct db_conf {
	const char *path; /* its folder is made if it is missing, but not those above it */
	const char *const *steps;
	const char *birth; /* pragmas that count before a new file's first page only; or NULL */
	int64_t busy_ms; /* 0: 5000 */
	bool lax;        /* a crash of the machine may lose the last commits, but no more */
	bool read_only;  /* the file must be there; no steps are taken */
};

struct db *db_open(const struct db_conf *conf, struct err *err);
void db_close(struct db *db); /* frees its queries too; NULL is fine */

/* Statements without results, separated by semicolons. */
int db_exec(struct db *db, const char *sql, struct err *err);

/* Transactions.  db_begin takes the writer's place at once.  After a failed db_commit
 * nothing has happened, and the transaction is over.  db_rollback cannot fail. */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/* A statement to be run many times; `sql` has ?1, ?2, ... for its values.  The query is
 * the database's. */
struct db_query *db_prepare(struct db *db, const char *sql, struct err *err);

/* Give a value, numbered from 1.  Texts and blobs are copied. */
void db_put_int(struct db_query *query, int at, int64_t value);
void db_put_text(struct db_query *query, int at, struct span text);
void db_put_blob(struct db_query *query, int at, struct span blob);
void db_put_null(struct db_query *query, int at);

/* Step to the next row: 1 a row, 0 no more, -1 with err.  After 0 and -1 the query is
 * ready to be given values and run anew. */
int db_step(struct db_query *query, struct err *err);

/* Run a query for its effect; rows are passed over.  Returns 0, or -1 with err. */
int db_run(struct db_query *query, struct err *err);

/* Leave a query before its last row. */
void db_reset(struct db_query *query);

/* Values of the row, numbered from 0; NULL is 0 or empty.  Borrowed until the next
 * db_step or db_reset. */
int64_t db_int(struct db_query *query, int at);
struct span db_bytes(struct db_query *query, int at);
bool db_is_null(struct db_query *query, int at);
/* The text cut to `size` with a NUL; returns false if it was longer. */
bool db_text(struct db_query *query, int at, char *out, size_t size);

int64_t db_changes(const struct db *db); /* rows that the last statement changed */
int64_t db_last_id(const struct db *db); /* the rowid it inserted */
