/* names_open.c - the database of names: its statements, connections and transactions. */
#include "core/disk.h"
#include "store/names_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is deleted is overwritten, and its pages go back to the file system. */
static const char birth[] = "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL";
static const char manners[] = "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 16777216";

/* As names_postgres.c has them in the words of the other driver. */
static const char *const steps[] = {
	/* crc is that of the content; of an appender, whose content changes, it is NULL. */
	"CREATE TABLE files ("
	" number INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" master TEXT,"
	" size INTEGER NOT NULL,"
	" crc INTEGER,"
	" changed INTEGER NOT NULL);"
	"CREATE INDEX slaves ON files (master) WHERE master IS NOT NULL;"
	/* id is a file's number and, in its last 20 bits, which 64 KiB of it these are. */
	"CREATE TABLE chunks ("
	" id INTEGER PRIMARY KEY,"
	" crc INTEGER NOT NULL,"
	" bytes BLOB NOT NULL);"
	"CREATE TABLE metadata ("
	" name TEXT PRIMARY KEY,"
	" text BLOB NOT NULL"
	") WITHOUT ROWID",
	NULL,
};

static int prepare(struct names_link *link, bool writer, bool is_sqlite, struct err *err)
{
	enum { SQLITE = 1, WRITER = 2 };
	const struct {
		struct sql_query **query;
		const char *text;
		unsigned needs;
	} queries[] = {
		{ &link->find, "SELECT number, size, crc, changed FROM files WHERE name = $1", 0 },
		{ &link->master, "SELECT master FROM files WHERE name = $1", 0 },
		{ &link->chunks,
			"SELECT id, crc, bytes FROM chunks WHERE id BETWEEN $1 AND $2 ORDER BY id",
			0 },
		{ &link->metadata, "SELECT text FROM metadata WHERE name = $1", 0 },
		/* UNION ends circles. */
		{ &link->slaves,
			"WITH RECURSIVE family (name) AS (SELECT name FROM files WHERE master = $1"
			" UNION SELECT files.name FROM files JOIN family"
			" ON files.master = family.name) SELECT name FROM family",
			0 },
		{ &link->files,
			"SELECT name, size, crc, changed FROM files WHERE name > $1 ORDER BY name"
			" LIMIT $2",
			0 },
		{ &link->metadata_names,
			"SELECT name FROM metadata WHERE name > $1 ORDER BY name LIMIT $2", 0 },
		{ &link->lost,
			"SELECT count(*) FROM chunks WHERE (id >> 20) NOT IN"
			" (SELECT number FROM files)",
			0 },
		{ &link->sound, "PRAGMA integrity_check(1)", SQLITE },
		{ &link->vacuum, "PRAGMA incremental_vacuum(256)", SQLITE | WRITER },
		{ &link->add,
			"INSERT INTO files (name, master, size, crc, changed)"
			" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING"
			" RETURNING number",
			WRITER },
		{ &link->remove, "DELETE FROM files WHERE number = $1", WRITER },
		{ &link->resize, "UPDATE files SET size = $1, changed = $2 WHERE number = $3",
			WRITER },
		{ &link->rename,
			"UPDATE files SET name = $1, crc = $2, changed = $3 WHERE number = $4",
			WRITER },
		{ &link->rename_masters, "UPDATE files SET master = $1 WHERE master = $2", WRITER },
		{ &link->rename_metadata, "UPDATE metadata SET name = $1 WHERE name = $2", WRITER },
		{ &link->put_chunk,
			"INSERT INTO chunks (id, crc, bytes) VALUES ($1, $2, $3) ON CONFLICT (id)"
			" DO UPDATE SET crc = excluded.crc, bytes = excluded.bytes",
			WRITER },
		{ &link->drop_chunks, "DELETE FROM chunks WHERE id BETWEEN $1 AND $2", WRITER },
		{ &link->put_metadata,
			"INSERT INTO metadata (name, text) VALUES ($1, $2) ON CONFLICT (name)"
			" DO UPDATE SET text = excluded.text",
			WRITER },
		{ &link->drop_metadata, "DELETE FROM metadata WHERE name = $1", WRITER },
	};
	unsigned has = (is_sqlite ? SQLITE : 0) | (writer ? WRITER : 0);

	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		if ((queries[i].needs & ~has) != 0)
			continue;
		*queries[i].query = sql_prepare(link->sql, queries[i].text, err);
		if (*queries[i].query == NULL)
			return -1;
	}
	return 0;
}

/* Have a connection.  The link is locked, or nobody else's yet. */
static int open_link(struct names *names, struct names_link *link, struct err *err)
{
	bool writer = link == &names->writer;

	if (link->sql != NULL)
		return 0;
	link->sql = names->driver->open(names, err);
	if (link->sql == NULL)
		return -1;
	if (prepare(link, writer, names->driver->lock == NULL, err) == 0)
		return 0;
	sql_close(link->sql);
	link->sql = NULL;
	return -1;
}

struct names *names_new(const struct names_driver *driver, char *where, char *group, bool read_only,
	int64_t (*now)(void))
{
	struct names *names = calloc(1, sizeof *names);

	assert(names != NULL);
	names->driver = driver;
	names->where = where;
	names->group = group;
	names->read_only = read_only;
	names->now = now;
	pthread_mutex_init(&names->writer.lock, NULL);
	for (int i = 0; i < NAMES_READERS; i++)
		pthread_mutex_init(&names->readers[i].lock, NULL);
	return names;
}

void names_close(struct names *names)
{
	if (names == NULL)
		return;
	for (int i = 0; i < NAMES_READERS; i++) {
		sql_close(names->readers[i].sql);
		pthread_mutex_destroy(&names->readers[i].lock);
	}
	sql_close(names->writer.sql);
	pthread_mutex_destroy(&names->writer.lock);
	free(names->where);
	free(names->group);
	free(names);
}

/* ---- a file beside volumes ---- */

static struct sql *open_sqlite(const struct names *names, struct err *err)
{
	const struct db_conf conf = {
		.path = names->where,
		.birth = birth,
		.steps = steps,
		.read_only = names->read_only,
	};
	struct sql *sql = sql_open_sqlite(&conf, err);

	if (sql == NULL || names->read_only || sql_exec(sql, manners, err) == 0)
		return sql;
	sql_close(sql);
	return NULL;
}

static const struct names_driver sqlite = { .open = open_sqlite };

static int look_for_metadata(struct names *names, struct err *err)
{
	struct names_link *link = &names->readers[0];
	int got;

	sql_put_text(link->metadata_names, 1, span_str(""));
	sql_put_int(link->metadata_names, 2, 1);
	got = sql_step(link->metadata_names, err);
	names->has_metadata = got == 1;
	if (got == 1)
		sql_reset(link->metadata_names);
	return got < 0 ? -1 : 0;
}

struct names *names_open(const char *folder, bool read_only, int64_t (*now)(void), struct err *err)
{
	struct names *names;
	struct stat st;
	char *path;

	if (asprintf(&path, "%s/names.db", folder) < 0)
		abort();
	names = names_new(&sqlite, path, NULL, read_only, now);
	names->missing = read_only && disk->stat(path, &st) != 0 && errno == ENOENT;
	if (names->missing)
		return names;
	if (!read_only && open_link(names, &names->writer, err) != 0)
		goto fail;
	for (int i = 0; i < NAMES_READERS; i++)
		if (open_link(names, &names->readers[i], err) != 0)
			goto fail;
	if (look_for_metadata(names, err) != 0)
		goto fail;
	return names;
fail:
	err_prefix(err, "%s", folder);
	names_close(names);
	return NULL;
}

/* ---- transactions ---- */

static struct names_link *take_reader(struct names *names)
{
	struct names_link *link = &names->readers[names->turn++ % NAMES_READERS];

	for (int i = 0; i < NAMES_READERS; i++)
		if (pthread_mutex_trylock(&names->readers[i].lock) == 0)
			return &names->readers[i];
	pthread_mutex_lock(&link->lock);
	return link;
}

struct names_link *names_begin_read(struct names *names, struct err *err)
{
	struct names_link *link;

	if (names->missing) {
		err_set(err, ERR_NOT_FOUND, "this store path has no names.db");
		return NULL;
	}
	link = take_reader(names);
	if (open_link(names, link, err) == 0 && sql_begin_read(link->sql, err) == 0)
		return link;
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

void names_end_read(struct names_link *link)
{
	sql_rollback(link->sql);
	pthread_mutex_unlock(&link->lock);
}

struct names_link *names_begin_write(struct names *names, struct err *err)
{
	struct names_link *link = &names->writer;

	if (names->read_only) {
		err_set(err, ERR_NOT_ALLOWED, "the store is open for reading only");
		return NULL;
	}
	pthread_mutex_lock(&link->lock);
	if (open_link(names, link, err) == 0 && sql_begin(link->sql, err) == 0) {
		if (names->driver->lock == NULL ||
			sql_exec(link->sql, names->driver->lock, err) == 0)
			return link;
		sql_rollback(link->sql);
	}
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

int names_end_write(struct names_link *link, int result, struct err *err)
{
	if (result == 0)
		result = sql_commit(link->sql, err);
	else
		sql_rollback(link->sql);
	pthread_mutex_unlock(&link->lock);
	return result;
}
