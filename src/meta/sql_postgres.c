/* sql_postgres.c - the driver over libpq, whose only user this is.
 *
 * Statements are prepared once a connection, values travel as texts.  A connection that
 * broke is made anew by the next statement outside of a transaction. */
#include "meta/sql.h"

#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 24, NAME_MAX_LEN = 16, SCHEMA_MAX = 64, LOCK_NUMBER = 7004, TEXT_MAX = 256 };

struct pg_query {
	struct sql_query query; /* first */
	struct pg_query *next;
	const char *text;
	char name[NAME_MAX_LEN];
	unsigned prepared; /* in which connection, counted from 1 */
	char *values[SQL_VALUES_MAX];
	int lens[SQL_VALUES_MAX], formats[SQL_VALUES_MAX]; /* 1: binary */
	int count; /* values: the greatest number that was given */
	unsigned char *blob;
	PGresult *result;
	int row;
	int64_t changes;
};

struct postgres {
	struct sql sql; /* first */
	PGconn *conn;
	unsigned connection;     /* counted from 1 */
	char schema[SCHEMA_MAX]; /* quoted; or empty */
	bool in_transaction;
	bool broken; /* libpq may notice later */
	unsigned names;
	struct pg_query *queries;
};

static struct pg_query *mine(struct sql_query *query)
{
	return (struct pg_query *)query;
}

static struct postgres *of(struct sql *sql)
{
	return (struct postgres *)sql;
}

static enum err_code code_of(const struct postgres *pg, const PGresult *result)
{
	const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (PQstatus(pg->conn) != CONNECTION_OK || state == NULL)
		return ERR_SERVICE_DOWN;
	if (strcmp(state, "53100") == 0)
		return ERR_FULL;
	if (strncmp(state, "23", 2) == 0)
		return ERR_EXISTS;
	if (strncmp(state, "40", 2) == 0 || strcmp(state, "55P03") == 0)
		return ERR_BUSY;
	if (strncmp(state, "53", 2) == 0 || strncmp(state, "57", 2) == 0)
		return ERR_SERVICE_DOWN; /* too many clients; shutting down */
	if (strncmp(state, "58", 2) == 0)
		return ERR_IO;
	if (strcmp(state, "42501") == 0) /* this user may not */
		return ERR_CONFIG;
	return strncmp(state, "XX", 2) == 0 ? ERR_CORRUPT : ERR_INTERNAL;
}

static int fail(struct postgres *pg, const PGresult *result, struct err *err)
{
	enum err_code code = code_of(pg, result);
	const char *text = result == NULL || PQresultErrorMessage(result)[0] == '\0'
				   ? PQerrorMessage(pg->conn)
				   : PQresultErrorMessage(result);

	pg->broken = pg->broken || code == ERR_SERVICE_DOWN;
	return err_set(err, code, "PostgreSQL: %.*s", (int)strcspn(text, "\n"), text);
}

static int run(struct postgres *pg, const char *text, struct err *err)
{
	PGresult *result = PQexec(pg->conn, text);
	ExecStatusType status = PQresultStatus(result);
	int outcome = 0;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		outcome = fail(pg, result, err);
	PQclear(result);
	return outcome;
}

static bool is_connected(const struct postgres *pg)
{
	return !pg->broken && PQstatus(pg->conn) == CONNECTION_OK;
}

/* What a connection is told first. */
static int greet(struct postgres *pg, struct err *err)
{
	char text[TEXT_MAX];

	if (PQstatus(pg->conn) != CONNECTION_OK || PQsetClientEncoding(pg->conn, "UTF8") != 0)
		return fail(pg, NULL, err);
	/* Nobody waits for ever for somebody who does not come back. */
	if (run(pg, "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s'",
		    err) != 0)
		return -1;
	if (pg->schema[0] == '\0')
		return 0;
	snprintf(text, sizeof text, "SET search_path TO %s", pg->schema);
	return run(pg, text, err);
}

/* Be connected; not within a transaction, which a new connection knows nothing of. */
static int connect_again(struct postgres *pg, struct err *err)
{
	if (is_connected(pg))
		return 0;
	if (pg->in_transaction)
		return err_set(err, ERR_SERVICE_DOWN, "PostgreSQL: the connection broke");
	PQreset(pg->conn);
	pg->broken = false;
	pg->connection++;
	return greet(pg, err);
}

static int pg_exec(struct sql *sql, const char *text, struct err *err)
{
	struct postgres *pg = of(sql);

	return connect_again(pg, err) == 0 ? run(pg, text, err) : -1;
}

static int begin(struct postgres *pg, const char *text, struct err *err)
{

	/* A connection may have died unnoticed: the first statement is the one to repeat. */
	for (int tries = 0; tries < 2; tries++) {
		if (connect_again(pg, err) != 0)
			return -1;
		if (run(pg, text, err) == 0) {
			pg->in_transaction = true;
			return 0;
		}
		if (is_connected(pg))
			return -1;
	}
	return -1;
}

static int pg_begin(struct sql *sql, struct err *err)
{
	return begin(of(sql), "BEGIN", err);
}

static int pg_begin_read(struct sql *sql, struct err *err)
{
	return begin(of(sql), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

static int pg_commit(struct sql *sql, struct err *err)
{
	struct postgres *pg = of(sql);
	bool failed = PQtransactionStatus(pg->conn) == PQTRANS_INERROR;
	int result = run(pg, "COMMIT", err);

	pg->in_transaction = false;
	if (result == 0 && failed) /* it was rolled back instead */
		return err_set(
			err, ERR_INTERNAL, "PostgreSQL: a statement of the transaction failed");
	if (result != 0 && !is_connected(pg))
		return err_set(err, ERR_UNKNOWN, "PostgreSQL went away during a commit");
	return result;
}

static void pg_rollback(struct sql *sql)
{
	struct postgres *pg = of(sql);
	struct err ignored;

	pg->in_transaction = false;
	if (is_connected(pg) && PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		run(pg, "ROLLBACK", &ignored);
}

static struct sql_query *pg_prepare(struct sql *sql, const char *text, struct err *err)
{
	struct postgres *pg = of(sql);
	struct pg_query *query = calloc(1, sizeof *query);

	(void)err; /* prepared when it runs first */
	assert(query != NULL);
	query->query.sql = sql;
	query->text = text;
	snprintf(query->name, sizeof query->name, "q%u", ++pg->names);
	query->next = pg->queries;
	pg->queries = query;
	return &query->query;
}

static void set_value(struct pg_query *query, int at, char *value)
{
	assert(at >= 1 && at <= SQL_VALUES_MAX);
	free(query->values[at - 1]);
	query->values[at - 1] = value;
	query->formats[at - 1] = 0;
	if (at > query->count)
		query->count = at;
}

static void pg_put_int(struct sql_query *query, int at, int64_t value)
{
	char *text = malloc(NUMBER_MAX);

	assert(text != NULL);
	snprintf(text, NUMBER_MAX, "%" PRId64, value);
	set_value(mine(query), at, text);
}

static void pg_put_text(struct sql_query *query, int at, struct span text)
{
	char *copy = malloc(text.len + 1);

	assert(copy != NULL);
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	set_value(mine(query), at, copy);
}

static void pg_put_blob(struct sql_query *query, int at, struct span blob)
{
	pg_put_text(query, at, blob);
	mine(query)->lens[at - 1] = (int)blob.len;
	mine(query)->formats[at - 1] = 1;
}

static void pg_put_null(struct sql_query *query, int at)
{
	set_value(mine(query), at, NULL);
}

static void pg_reset(struct sql_query *query)
{
	struct pg_query *own = mine(query);

	PQclear(own->result);
	own->result = NULL;
	PQfreemem(own->blob);
	own->blob = NULL;
	for (int i = 0; i < own->count; i++) {
		free(own->values[i]);
		own->values[i] = NULL;
	}
	own->count = 0;
}

static int execute(struct postgres *pg, struct pg_query *query, struct err *err)
{
	ExecStatusType status;

	if (query->prepared != pg->connection) {
		PGresult *result = PQprepare(pg->conn, query->name, query->text, 0, NULL);
		int outcome = PQresultStatus(result) == PGRES_COMMAND_OK ? 0
									 : fail(pg, result, err);

		PQclear(result);
		if (outcome != 0)
			return -1;
		query->prepared = pg->connection;
	}
	query->result = PQexecPrepared(pg->conn, query->name, query->count,
		(const char *const *)query->values, query->lens, query->formats, 0);
	status = PQresultStatus(query->result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	fail(pg, query->result, err);
	PQclear(query->result);
	query->result = NULL;
	return -1;
}

static int pg_step(struct sql_query *query, struct err *err)
{
	struct postgres *pg = of(query->sql);
	struct pg_query *own = mine(query);
	int result = 0;

	if (own->result == NULL) {
		result = connect_again(pg, err);
		if (result == 0)
			result = execute(pg, own, err);
		if (result != 0 && !pg->in_transaction && !is_connected(pg) &&
			strncmp(own->text, "SELECT", 6) == 0 && connect_again(pg, err) == 0)
			result = execute(pg, own, err);
		if (result != 0) {
			pg_reset(query);
			return -1;
		}
		own->row = 0;
		own->changes = strtoll(PQcmdTuples(own->result), NULL, 10);
	} else {
		own->row++;
	}
	if (own->row < PQntuples(own->result))
		return 1;
	pg_reset(query);
	return 0;
}

static int64_t pg_int(struct sql_query *query, int at)
{
	return strtoll(PQgetvalue(mine(query)->result, mine(query)->row, at), NULL, 10);
}

static struct span pg_text(struct sql_query *query, int at)
{
	const struct pg_query *own = mine(query);

	return span_of(PQgetvalue(own->result, own->row, at),
		(size_t)PQgetlength(own->result, own->row, at));
}

static struct span pg_blob(struct sql_query *query, int at)
{
	struct pg_query *own = mine(query);
	size_t len = 0;

	PQfreemem(own->blob);
	own->blob = PQunescapeBytea(
		(const unsigned char *)PQgetvalue(own->result, own->row, at), &len);
	assert(own->blob != NULL);
	return span_of(own->blob, len);
}

static bool pg_is_null(struct sql_query *query, int at)
{
	return PQgetisnull(mine(query)->result, mine(query)->row, at) != 0;
}

static int64_t pg_changes(struct sql_query *query)
{
	return mine(query)->changes;
}

static void pg_close(struct sql *sql)
{
	struct postgres *pg = of(sql);

	while (pg->queries != NULL) {
		struct pg_query *query = pg->queries;

		pg->queries = query->next;
		pg_reset(&query->query);
		free(query);
	}
	PQfinish(pg->conn);
	free(pg);
}

static const struct sql_ops postgres_ops = {
	.close = pg_close,
	.exec = pg_exec,
	.begin = pg_begin,
	.begin_read = pg_begin_read,
	.commit = pg_commit,
	.rollback = pg_rollback,
	.prepare = pg_prepare,
	.put_int = pg_put_int,
	.put_text = pg_put_text,
	.put_blob = pg_put_blob,
	.put_null = pg_put_null,
	.step = pg_step,
	.reset = pg_reset,
	.get_int = pg_int,
	.get_text = pg_text,
	.get_blob = pg_blob,
	.is_null = pg_is_null,
	.changes = pg_changes,
};

/* ---- opening ---- */

static void forget_notice(void *context, const char *message)
{
	(void)context;
	(void)message; /* "relation already exists, skipping" and the like */
}

static int read_version(struct postgres *pg, int64_t *version, struct err *err)
{
	PGresult *result = PQexec(pg->conn, "SELECT version FROM picstore_version");
	int outcome = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : fail(pg, result, err);

	*version = outcome == 0 && PQntuples(result) > 0
			   ? strtoll(PQgetvalue(result, 0, 0), NULL, 10)
			   : 0;
	PQclear(result);
	return outcome;
}

static int take_steps(struct postgres *pg, const char *const *steps, struct err *err)
{
	char text[96];
	int64_t version, count = 0;

	while (steps[count] != NULL)
		count++;
	if (run(pg, "CREATE TABLE IF NOT EXISTS picstore_version (version BIGINT NOT NULL)", err) !=
			0 ||
		read_version(pg, &version, err) != 0)
		return -1;
	if (version > count)
		return err_set(err, ERR_CONFIG, "the database was written by a newer picstore");
	if (version == count)
		return 0;
	for (; version < count; version++)
		if (run(pg, steps[version], err) != 0)
			return -1;
	snprintf(text, sizeof text, "INSERT INTO picstore_version VALUES (%" PRId64 ")", count);
	return run(pg, "DELETE FROM picstore_version", err) == 0 ? run(pg, text, err) : -1;
}

static bool have_schema(struct postgres *pg, const char *schema)
{
	const char *const values[] = { schema };
	PGresult *result = PQexecParams(pg->conn, "SELECT 1 FROM pg_namespace WHERE nspname = $1",
		1, NULL, values, NULL, NULL, 0);
	bool there = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

	PQclear(result);
	return there;
}

/* What the conninfo, which comes last, may say otherwise. */
static PGconn *connect_with(const char *conninfo)
{
	const char *const keys[] = { "connect_timeout", "tcp_user_timeout", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "application_name", "dbname", NULL };
	const char *const values[] = { "5", "10000", "5", "2", "3", "picstore", conninfo, NULL };

	return PQconnectdbParams(keys, values, 1);
}

static int make_schema(struct postgres *pg, const char *schema, struct err *err)
{
	char *quoted = PQescapeIdentifier(pg->conn, schema, strlen(schema)), text[TEXT_MAX];
	int result;

	if (quoted == NULL || strlen(quoted) >= sizeof pg->schema) {
		PQfreemem(quoted);
		return err_set(err, ERR_CONFIG, "'%.40s' is no name for a schema", schema);
	}
	/* Looked for before: who may use it need not be allowed to make it. */
	snprintf(text, sizeof text, "SET search_path TO %s", quoted);
	strcpy(pg->schema, quoted);
	PQfreemem(quoted);
	result = run(pg, text, err);
	if (result == 0 && !have_schema(pg, schema)) {
		snprintf(text, sizeof text, "CREATE SCHEMA IF NOT EXISTS %s", pg->schema);
		result = run(pg, text, err);
	}
	return result;
}

struct sql *sql_open_postgres(
	const char *conninfo, const char *schema, const char *const *steps, struct err *err)
{
	struct postgres *pg = calloc(1, sizeof *pg);
	char text[TEXT_MAX];

	assert(pg != NULL);
	pg->sql.ops = &postgres_ops;
	pg->connection = 1;
	pg->conn = connect_with(conninfo);
	PQsetNoticeProcessor(pg->conn, forget_notice, NULL);
	if (greet(pg, err) != 0 || pg_begin(&pg->sql, err) != 0)
		goto fail;
	/* Those that are started at once take turns. */
	snprintf(text, sizeof text, "SELECT pg_advisory_xact_lock(%d)", LOCK_NUMBER);
	if (run(pg, text, err) != 0 || (schema != NULL && make_schema(pg, schema, err) != 0) ||
		take_steps(pg, steps, err) != 0) {
		pg_rollback(&pg->sql);
		goto fail;
	}
	if (pg_commit(&pg->sql, err) != 0 || greet(pg, err) != 0)
		goto fail;
	return &pg->sql;
fail:
	pg_close(&pg->sql);
	return NULL;
}
