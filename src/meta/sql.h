/* sql.h - one database behind two drivers: SQLite (db.h) and PostgreSQL.
 *
 * The text of a statement serves both: $1, $2, ... stand for values, each first met in
 * the order of its number.  A struct sql and its queries belong to one thread at a time.
 *
 * Errors are those of db.h; of PostgreSQL ERR_SERVICE_DOWN when the server is not there
 * or went away, which the next call mends if it is back, and ERR_UNKNOWN when it went
 * away during a commit. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "meta/db.h"

#include <stdbool.h>
#include <stdint.h>

enum { SQL_VALUES_MAX = 20 };

struct sql;
struct sql_query;

struct sql_ops {
	void (*close)(struct sql *sql);
	int (*exec)(struct sql *sql, const char *text, struct err *err);
	int (*begin)(struct sql *sql, struct err *err);
	int (*begin_read)(struct sql *sql, struct err *err);
	int (*commit)(struct sql *sql, struct err *err);
	void (*rollback)(struct sql *sql);
	struct sql_query *(*prepare)(struct sql *sql, const char *text, struct err *err);
	void (*put_int)(struct sql_query *query, int at, int64_t value);
	void (*put_text)(struct sql_query *query, int at, struct span text);
	void (*put_blob)(struct sql_query *query, int at, struct span blob);
	void (*put_null)(struct sql_query *query, int at);
	int (*step)(struct sql_query *query, struct err *err);
	void (*reset)(struct sql_query *query);
	int64_t (*get_int)(struct sql_query *query, int at);
	struct span (*get_text)(struct sql_query *query, int at);
	struct span (*get_blob)(struct sql_query *query, int at);
	bool (*is_null)(struct sql_query *query, int at);
	int64_t (*changes)(struct sql_query *query);
};

struct sql { /* the first member of a driver's own struct, as sql_query is */
	const struct sql_ops *ops;
};

struct sql_query {
	struct sql *sql;
};

struct sql *sql_open_sqlite(const struct db_conf *conf, struct err *err);

/* `conninfo` is libpq's; what it does not say is chosen so that a server that is gone is noticed
 * within seconds.  The tables are in `schema`, which is made if it is not there; NULL: where
 * the server puts them.  `steps` as in struct db_conf, in the words of the driver. */
struct sql *sql_open_postgres(
	const char *conninfo, const char *schema, const char *const *steps, struct err *err);
void sql_close(struct sql *sql); /* frees its queries too; NULL is fine */

/* Statements without results and values, in the words of the driver. */
int sql_exec(struct sql *sql, const char *text, struct err *err);

int sql_begin(struct sql *sql, struct err *err);
/* One that only reads, and sees everything as it is at its first statement.  It ends with
 * sql_rollback. */
int sql_begin_read(struct sql *sql, struct err *err);
int sql_commit(struct sql *sql, struct err *err);
void sql_rollback(struct sql *sql);

/* The query is the database's; `text` must stay. */
struct sql_query *sql_prepare(struct sql *sql, const char *text, struct err *err);

/* Values are numbered from 1, columns from 0; stepping is that of db.h.  A text or blob is
 * borrowed until the next step or reset, a blob also until the next blob of the row. */
void sql_put_int(struct sql_query *query, int at, int64_t value);
void sql_put_text(struct sql_query *query, int at, struct span text);
void sql_put_blob(struct sql_query *query, int at, struct span blob);
void sql_put_null(struct sql_query *query, int at);
int sql_step(struct sql_query *query, struct err *err);
int sql_run(struct sql_query *query, struct err *err);
void sql_reset(struct sql_query *query);
int64_t sql_int(struct sql_query *query, int at);
struct span sql_text(struct sql_query *query, int at);
struct span sql_blob(struct sql_query *query, int at);
bool sql_is_null(struct sql_query *query, int at);
/* The text cut to `size` with a NUL; returns false if it was longer. */
bool sql_copy(struct sql_query *query, int at, char *out, size_t size);

/* Rows that the query changed when it ran last. */
int64_t sql_changes(struct sql_query *query);
