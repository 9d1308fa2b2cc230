/* sql_sqlite.c - the driver over db.h. */
#include "meta/sql.h"

#include <assert.h>
#include <stdlib.h>

struct sqlite_query {
	struct sql_query query; /* first */
	struct sqlite_query *next;
	struct db_query *db_query;
	int64_t changes;
};

struct sqlite {
	struct sql sql; /* first */
	struct db *db;
	struct sqlite_query *queries;
};

static struct sqlite_query *mine(struct sql_query *query)
{
	return (struct sqlite_query *)query;
}

static struct db *db_of(struct sql *sql)
{
	return ((struct sqlite *)sql)->db;
}

static void sqlite_close(struct sql *sql)
{
	struct sqlite *sqlite = (struct sqlite *)sql;

	while (sqlite->queries != NULL) {
		struct sqlite_query *query = sqlite->queries;

		sqlite->queries = query->next;
		free(query);
	}
	db_close(sqlite->db);
	free(sqlite);
}

static int sqlite_exec(struct sql *sql, const char *text, struct err *err)
{
	return db_exec(db_of(sql), text, err);
}

static int sqlite_begin_read(struct sql *sql, struct err *err)
{
	return db_exec(db_of(sql), "BEGIN", err);
}

static int sqlite_begin(struct sql *sql, struct err *err)
{
	return db_begin(db_of(sql), err);
}

static int sqlite_commit(struct sql *sql, struct err *err)
{
	return db_commit(db_of(sql), err);
}

static void sqlite_rollback(struct sql *sql)
{
	db_rollback(db_of(sql));
}

static struct sql_query *sqlite_prepare(struct sql *sql, const char *text, struct err *err)
{
	struct sqlite *sqlite = (struct sqlite *)sql;
	struct sqlite_query *query = calloc(1, sizeof *query);

	assert(query != NULL);
	query->query.sql = sql;
	query->db_query = db_prepare(sqlite->db, text, err);
	if (query->db_query == NULL) {
		free(query);
		return NULL;
	}
	query->next = sqlite->queries;
	sqlite->queries = query;
	return &query->query;
}

static void sqlite_put_int(struct sql_query *query, int at, int64_t value)
{
	db_put_int(mine(query)->db_query, at, value);
}

static void sqlite_put_text(struct sql_query *query, int at, struct span text)
{
	db_put_text(mine(query)->db_query, at, text);
}

static void sqlite_put_blob(struct sql_query *query, int at, struct span blob)
{
	db_put_blob(mine(query)->db_query, at, blob);
}

static void sqlite_put_null(struct sql_query *query, int at)
{
	db_put_null(mine(query)->db_query, at);
}

static int sqlite_step(struct sql_query *query, struct err *err)
{
	int got = db_step(mine(query)->db_query, err);

	if (got == 0)
		mine(query)->changes = db_changes(db_of(query->sql));
	return got;
}

static void sqlite_reset(struct sql_query *query)
{
	db_reset(mine(query)->db_query);
}

static int64_t sqlite_int(struct sql_query *query, int at)
{
	return db_int(mine(query)->db_query, at);
}

static struct span sqlite_text(struct sql_query *query, int at)
{
	return db_bytes(mine(query)->db_query, at);
}

static bool sqlite_is_null(struct sql_query *query, int at)
{
	return db_is_null(mine(query)->db_query, at);
}

static int64_t sqlite_changes(struct sql_query *query)
{
	return mine(query)->changes;
}

static const struct sql_ops sqlite_ops = {
	.close = sqlite_close,
	.exec = sqlite_exec,
	.begin = sqlite_begin,
	.begin_read = sqlite_begin_read,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.prepare = sqlite_prepare,
	.put_int = sqlite_put_int,
	.put_text = sqlite_put_text,
	.put_blob = sqlite_put_blob,
	.put_null = sqlite_put_null,
	.step = sqlite_step,
	.reset = sqlite_reset,
	.get_int = sqlite_int,
	.get_text = sqlite_text,
	.get_blob = sqlite_text, /* bytes are bytes */
	.is_null = sqlite_is_null,
	.changes = sqlite_changes,
};

struct sql *sql_open_sqlite(const struct db_conf *conf, struct err *err)
{
	struct sqlite *sqlite = calloc(1, sizeof *sqlite);

	assert(sqlite != NULL);
	sqlite->sql.ops = &sqlite_ops;
	sqlite->db = db_open(conf, err);
	if (sqlite->db == NULL) {
		free(sqlite);
		return NULL;
	}
	return &sqlite->sql;
}
