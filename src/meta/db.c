#include "meta/db.h"

#include "core/disk.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	BUSY_MS = 5000,
	VALUE_MAX = 16 << 20, /* bytes of a text or blob, or of a statement */
	CACHE_KB = 8192,
	FOLDER_MODE = 0750,
};

struct db_query {
	struct db_query *next;
	struct db *db;
	sqlite3_stmt *stmt;
};

struct db {
	sqlite3 *sqlite;
	char *path;
	struct db_query *queries;
};

static enum err_code code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CONSTRAINT:
		return ERR_EXISTS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_IOERR:
		return ERR_IO;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return ERR_CONFIG;
	case SQLITE_TOOBIG:
		return ERR_TOO_LARGE;
	default:
		return ERR_INTERNAL;
	}
}

static int fail(struct db *db, int rc, struct err *err)
{
	const char *name = strrchr(db->path, '/');

	return err_set(err, code_of(rc), "database %s: %s", name == NULL ? db->path : name + 1,
		db->sqlite == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(db->sqlite));
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(db, rc, err);
}

/* Run one statement and give its first value. */
static int ask(struct db *db, const char *sql, int64_t *value, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	else
		fail(db, rc, err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int make_folder(const char *path, struct err *err)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	if ((size_t)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path) >=
		sizeof folder)
		return err_set(err, ERR_CONFIG, "the path of a database is too long");
	if (disk_make_folder(folder, FOLDER_MODE) != 0)
		return err_errno(err, "cannot make the folder %s", folder);
	return 0;
}

static int take_steps(struct db *db, const char *const *steps, struct err *err)
{
	char sql[64];
	int64_t version = 0, count = 0;

	while (steps[count] != NULL)
		count++;
	if (ask(db, "PRAGMA user_version", &version, err) != 0)
		return -1;
	if (version == count)
		return 0;
	/* Somebody else may be at it: look again as the only writer. */
	if (db_begin(db, err) != 0)
		return -1;
	if (ask(db, "PRAGMA user_version", &version, err) != 0)
		goto fail;
	if (version > count) {
		err_set(err, ERR_CONFIG, "%s was written by a newer picstore", db->path);
		goto fail;
	}
	for (; version < count; version++)
		if (db_exec(db, steps[version], err) != 0)
			goto fail;
	snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)count);
	if (db_exec(db, sql, err) != 0)
		goto fail;
	return db_commit(db, err);
fail:
	db_rollback(db);
	return -1;
}

static int set_up(struct db *db, const struct db_conf *conf, struct err *err)
{
	char sql[256];

	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	sqlite3_limit(db->sqlite, SQLITE_LIMIT_SQL_LENGTH, VALUE_MAX);
	sqlite3_limit(db->sqlite, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(db->sqlite, (int)(conf->busy_ms == 0 ? BUSY_MS : conf->busy_ms));
	if (!conf->read_only && conf->birth != NULL && db_exec(db, conf->birth, err) != 0)
		return -1;
	/* Temporary files are in memory: a daemon that has given up all folders but its own
	 * could not make one, and a batch of changes would fail for want of its journal. */
	snprintf(sql, sizeof sql,
		"%sPRAGMA synchronous = %s; PRAGMA foreign_keys = ON; PRAGMA cache_size = -%d; "
		"PRAGMA temp_store = MEMORY",
		conf->read_only ? "" : "PRAGMA journal_mode = WAL; ", conf->lax ? "NORMAL" : "FULL",
		CACHE_KB);
	if (db_exec(db, sql, err) != 0)
		return -1;
	return conf->read_only ? 0 : take_steps(db, conf->steps, err);
}

struct db *db_open(const struct db_conf *conf, struct err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	struct db *db = calloc(1, sizeof *db);
	int rc;

	assert(db != NULL);
	db->path = strdup(conf->path);
	assert(db->path != NULL);
	flags |= conf->read_only ? SQLITE_OPEN_READONLY
				 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	if (!conf->read_only && make_folder(conf->path, err) != 0)
		goto fail;
	rc = sqlite3_open_v2(conf->path, &db->sqlite, flags, NULL);
	if (rc != SQLITE_OK) {
		err_set(err, code_of(rc), "cannot open the database %s: %s", conf->path,
			db->sqlite == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(db->sqlite));
		goto fail;
	}
	if (set_up(db, conf, err) != 0)
		goto fail;
	/* The database and its log are there now.  SQLite flushes their names too, but does not
	 * look whether that went well. */
	if (!conf->read_only && disk_sync_folder_of(conf->path) != 0) {
		err_errno(err, "cannot flush the folder of %s", conf->path);
		goto fail;
	}
	return db;
fail:
	db_close(db);
	return NULL;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	while (db->queries != NULL) {
		struct db_query *query = db->queries;

		db->queries = query->next;
		sqlite3_finalize(query->stmt);
		free(query);
	}
	sqlite3_close(db->sqlite);
	free(db->path);
	free(db);
}

int db_begin(struct db *db, struct err *err)
{
	return db_exec(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct err *err)
{
	if (db_exec(db, "COMMIT", err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

void db_rollback(struct db *db)
{
	/* Some errors have rolled back already, then this one says so. */
	if (sqlite3_get_autocommit(db->sqlite) == 0)
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

struct db_query *db_prepare(struct db *db, const char *sql, struct err *err)
{
	struct db_query *query = calloc(1, sizeof *query);
	int rc;

	assert(query != NULL);
	rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
	if (rc != SQLITE_OK) {
		fail(db, rc, err);
		free(query);
		return NULL;
	}
	query->db = db;
	query->next = db->queries;
	db->queries = query;
	return query;
}

void db_put_int(struct db_query *query, int at, int64_t value)
{
	int rc = sqlite3_bind_int64(query->stmt, at, value);

	assert(rc == SQLITE_OK);
}

/* A value that is too long for the database leaves NULL, which tables refuse. */
void db_put_text(struct db_query *query, int at, struct span text)
{
	int rc = sqlite3_bind_text64(query->stmt, at, text.len == 0 ? "" : (const char *)text.data,
		text.len, SQLITE_TRANSIENT, SQLITE_UTF8);

	assert(rc == SQLITE_OK || rc == SQLITE_TOOBIG);
}

void db_put_blob(struct db_query *query, int at, struct span blob)
{
	int rc = sqlite3_bind_blob64(query->stmt, at, blob.len == 0 ? (const void *)"" : blob.data,
		blob.len, SQLITE_TRANSIENT);

	assert(rc == SQLITE_OK || rc == SQLITE_TOOBIG);
}

void db_put_null(struct db_query *query, int at)
{
	int rc = sqlite3_bind_null(query->stmt, at);

	assert(rc == SQLITE_OK);
}

int db_step(struct db_query *query, struct err *err)
{
	int rc = sqlite3_step(query->stmt);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		fail(query->db, rc, err);
	db_reset(query);
	return rc == SQLITE_DONE ? 0 : -1;
}

int db_run(struct db_query *query, struct err *err)
{
	int got;

	do
		got = db_step(query, err);
	while (got > 0);
	return got;
}

void db_reset(struct db_query *query)
{
	sqlite3_reset(query->stmt);
	sqlite3_clear_bindings(query->stmt);
}

int64_t db_int(struct db_query *query, int at)
{
	return sqlite3_column_int64(query->stmt, at);
}

struct span db_bytes(struct db_query *query, int at)
{
	const void *data = sqlite3_column_blob(query->stmt, at);

	return span_of(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(query->stmt, at));
}

bool db_is_null(struct db_query *query, int at)
{
	return sqlite3_column_type(query->stmt, at) == SQLITE_NULL;
}

bool db_text(struct db_query *query, int at, char *out, size_t size)
{
	struct span text = db_bytes(query, at);
	size_t len = text.len < size ? text.len : size - 1;

	if (len > 0)
		memcpy(out, text.data, len);
	out[len] = '\0';
	return len == text.len;
}

int64_t db_changes(const struct db *db)
{
	return sqlite3_changes64(db->sqlite);
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->sqlite);
}
