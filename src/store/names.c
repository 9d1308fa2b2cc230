#include "core/disk.h"
#include "store/names_inside.h"
#include "store/record.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is deleted is overwritten, and its pages go back to the file system. */
static const char birth[] = "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL";
static const char manners[] = "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 16777216";

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

static_assert((int)NAMES_SPOT_END == (int)VOLUME_FIRST_SPOT, "names.db has no spots of records");

bool names_have(const struct file_id *id)
{
	return id->kind == FILE_ID_SLAVE || id->kind == FILE_ID_APPENDER ||
	       (id->kind == FILE_ID_NORMAL && id->random < NAMES_SPOT_END);
}

static int prepare(struct names_link *link, bool writer, struct err *err)
{
	const struct {
		struct db_query **query;
		const char *sql;
		bool writes;
	} queries[] = {
		{ &link->find, "SELECT number, size, crc, changed FROM files WHERE name = ?1",
			false },
		{ &link->master, "SELECT master FROM files WHERE name = ?1", false },
		{ &link->chunks,
			"SELECT id, crc, bytes FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
			false },
		{ &link->metadata, "SELECT text FROM metadata WHERE name = ?1", false },
		/* UNION ends circles. */
		{ &link->slaves,
			"WITH RECURSIVE family (name) AS (SELECT name FROM files WHERE master = ?1"
			" UNION SELECT files.name FROM files JOIN family"
			" ON files.master = family.name) SELECT name FROM family",
			false },
		{ &link->files,
			"SELECT name, size, crc, changed FROM files WHERE name > ?1 ORDER BY name"
			" LIMIT ?2",
			false },
		{ &link->metadata_names,
			"SELECT name FROM metadata WHERE name > ?1 ORDER BY name LIMIT ?2", false },
		{ &link->sound, "PRAGMA integrity_check(1)", false },
		{ &link->lost,
			"SELECT count(*) FROM chunks WHERE id >> 20 NOT IN"
			" (SELECT number FROM files)",
			false },
		{ &link->add,
			"INSERT INTO files (name, master, size, crc, changed)"
			" VALUES (?1, ?2, ?3, ?4, ?5)",
			true },
		{ &link->remove, "DELETE FROM files WHERE number = ?1", true },
		{ &link->resize, "UPDATE files SET size = ?2, changed = ?3 WHERE number = ?1",
			true },
		{ &link->rename,
			"UPDATE files SET name = ?2, crc = ?3, changed = ?4 WHERE number = ?1",
			true },
		{ &link->rename_masters, "UPDATE files SET master = ?2 WHERE master = ?1", true },
		{ &link->rename_metadata, "UPDATE metadata SET name = ?2 WHERE name = ?1", true },
		{ &link->put_chunk, "REPLACE INTO chunks (id, crc, bytes) VALUES (?1, ?2, ?3)",
			true },
		{ &link->drop_chunks, "DELETE FROM chunks WHERE id BETWEEN ?1 AND ?2", true },
		{ &link->put_metadata, "REPLACE INTO metadata (name, text) VALUES (?1, ?2)", true },
		{ &link->drop_metadata, "DELETE FROM metadata WHERE name = ?1", true },
	};

	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		if (queries[i].writes && !writer)
			continue;
		*queries[i].query = db_prepare(link->db, queries[i].sql, err);
		if (*queries[i].query == NULL)
			return -1;
	}
	return 0;
}

static int open_link(
	struct names_link *link, const char *path, bool writer, bool read_only, struct err *err)
{
	struct db_conf conf = { .path = path, .birth = birth, .steps = steps };

	conf.read_only = read_only;
	link->db = db_open(&conf, err);
	if (link->db == NULL || (!read_only && db_exec(link->db, manners, err) != 0))
		return -1;
	return prepare(link, writer, err);
}

static int look_for_metadata(struct names *names, struct err *err)
{
	struct names_link *link = &names->readers[0];
	int got;

	db_put_text(link->metadata_names, 1, span_str(""));
	db_put_int(link->metadata_names, 2, 1);
	got = db_step(link->metadata_names, err);
	names->has_metadata = got == 1;
	if (got == 1)
		db_reset(link->metadata_names);
	return got < 0 ? -1 : 0;
}

struct names *names_open(const char *folder, bool read_only, int64_t (*now)(void), struct err *err)
{
	struct names *names = calloc(1, sizeof *names);
	char path[4096];
	struct stat st;

	assert(names != NULL);
	names->now = now;
	names->read_only = read_only;
	pthread_mutex_init(&names->writer.lock, NULL);
	for (int i = 0; i < NAMES_READERS; i++)
		pthread_mutex_init(&names->readers[i].lock, NULL);
	if ((size_t)snprintf(path, sizeof path, "%s/names.db", folder) >= sizeof path) {
		err_set(err, ERR_CONFIG, "the store path %.100s... is too long", folder);
		goto fail;
	}
	names->missing = read_only && disk->stat(path, &st) != 0 && errno == ENOENT;
	if (names->missing)
		return names;
	if (!read_only && open_link(&names->writer, path, true, false, err) != 0)
		goto fail;
	for (int i = 0; i < NAMES_READERS; i++)
		if (open_link(&names->readers[i], path, false, read_only, err) != 0)
			goto fail;
	if (look_for_metadata(names, err) != 0)
		goto fail;
	return names;
fail:
	err_prefix(err, "%s", folder);
	names_close(names);
	return NULL;
}

void names_close(struct names *names)
{
	if (names == NULL)
		return;
	for (int i = 0; i < NAMES_READERS; i++) {
		db_close(names->readers[i].db);
		pthread_mutex_destroy(&names->readers[i].lock);
	}
	db_close(names->writer.db);
	pthread_mutex_destroy(&names->writer.lock);
	free(names);
}

/* ---- transactions ---- */

struct names_link *names_begin_read(struct names *names, struct err *err)
{
	struct names_link *link = &names->readers[names->turn++ % NAMES_READERS];

	if (names->missing) {
		err_set(err, ERR_NOT_FOUND, "this store path has no names.db");
		return NULL;
	}
	for (int i = 0; i < NAMES_READERS; i++)
		if (pthread_mutex_trylock(&names->readers[i].lock) == 0) {
			link = &names->readers[i];
			goto locked;
		}
	pthread_mutex_lock(&link->lock);
locked:
	if (db_exec(link->db, "BEGIN", err) == 0)
		return link;
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

void names_end_read(struct names_link *link)
{
	db_rollback(link->db);
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
	if (db_begin(link->db, err) == 0)
		return link;
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

int names_end_write(struct names_link *link, int result, struct err *err)
{
	if (result == 0)
		result = db_commit(link->db, err);
	else
		db_rollback(link->db);
	pthread_mutex_unlock(&link->lock);
	return result;
}

/* ---- files ---- */

static struct names_stat stat_of(struct db_query *query)
{
	return (struct names_stat){
		.size = (uint64_t)db_int(query, 1),
		.crc = (uint32_t)db_int(query, 2),
		.is_appender = db_is_null(query, 2),
		.changed = db_int(query, 3),
	};
}

int names_find(struct names_link *link, const char *name, struct names_file *file, struct err *err)
{
	int got;

	db_put_text(link->find, 1, span_str(name));
	got = db_step(link->find, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name);
	if (got < 0)
		return -1;
	*file = (struct names_file){ db_int(link->find, 0), stat_of(link->find) };
	db_reset(link->find);
	if (file->stat.size > NAMES_SIZE_MAX)
		return err_set(err, ERR_CORRUPT, "names.db has a size for %s that none has", name);
	return 0;
}

int names_stat(struct names *names, const char *name, struct names_stat *out, struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	names_end_read(link);
	if (result == 0)
		*out = file.stat;
	return result;
}

int names_read(struct names *names, const char *name, uint64_t from, uint64_t len, struct buf *out,
	struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	if (result == 0)
		result = names_content_read(link, &file, from, len, out, err);
	names_end_read(link);
	return result == 0 ? 0 : err_prefix(err, "%s", name);
}

int names_crc(struct names *names, const char *name, uint32_t *crc, struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	if (result == 0)
		result = names_content_crc(link, &file, crc, err);
	names_end_read(link);
	return result;
}

/* The name in the first column. */
static int row_name(struct db_query *query, char out[FILE_ID_NAME_MAX + 1], struct err *err)
{
	if (db_text(query, 0, out, FILE_ID_NAME_MAX + 1))
		return 0;
	db_reset(query);
	return err_set(err, ERR_CORRUPT, "names.db has a name of more than %d characters",
		FILE_ID_NAME_MAX);
}

static int find_master(struct names_link *link, const char *name, char master[FILE_ID_NAME_MAX + 1],
	struct err *err)
{
	struct db_query *query = link->master;
	int got;

	db_put_text(query, 1, span_str(name));
	got = db_step(query, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name);
	if (got < 0)
		return -1;
	*master = '\0';
	if (!db_is_null(query, 0) && row_name(query, master, err) != 0)
		return -1;
	db_reset(query);
	return 0;
}

int names_master(
	struct names *names, const char *name, char master[FILE_ID_NAME_MAX + 1], struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	int result;

	if (link == NULL)
		return -1;
	result = find_master(link, name, master, err);
	names_end_read(link);
	return result;
}

/* ---- lists ---- */

int names_slaves(struct names *names, const char *name,
	void (*found)(void *context, const char *slave), void *context, struct err *err)
{
	struct names_link *link;
	char slave[FILE_ID_NAME_MAX + 1];
	int got;

	if (names->missing)
		return 0;
	pthread_mutex_lock(&names->writer.lock);
	pthread_mutex_unlock(&names->writer.lock);
	link = names_begin_read(names, err);
	if (link == NULL)
		return -1;
	db_put_text(link->slaves, 1, span_str(name));
	while ((got = db_step(link->slaves, err)) == 1) {
		if ((got = row_name(link->slaves, slave, err)) != 0)
			break;
		found(context, slave);
	}
	names_end_read(link);
	return got;
}

typedef bool walk_found(void *context, const char *name, const struct names_stat *stat);

/* Some rows at a time: a reader that stays keeps the log from being written over, and who
 * walks may wait for a person or a disk. */
enum { WALK_PAGE = 256 };

struct walked {
	char name[FILE_ID_NAME_MAX + 1];
	struct names_stat stat;
};

/* The rows behind the name `after`; how many, or -1 with err. */
static int read_rows(struct db_query *query, bool files, const char *after,
	struct walked rows[WALK_PAGE], struct err *err)
{
	int count = 0, got;

	db_put_text(query, 1, span_str(after));
	db_put_int(query, 2, WALK_PAGE);
	while ((got = db_step(query, err)) == 1) {
		if (row_name(query, rows[count].name, err) != 0)
			return -1;
		if (files)
			rows[count].stat = stat_of(query);
		count++;
	}
	return got < 0 ? -1 : count;
}

static int read_page(struct names *names, bool files, const char *after,
	struct walked rows[WALK_PAGE], struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	int count;

	if (link == NULL)
		return -1;
	count = read_rows(files ? link->files : link->metadata_names, files, after, rows, err);
	names_end_read(link);
	return count;
}

/* 1: stopped. */
static int walk(struct names *names, bool files, walk_found *found, void *context, struct err *err)
{
	struct walked *rows = calloc(WALK_PAGE, sizeof *rows);
	char after[FILE_ID_NAME_MAX + 1] = "";
	bool more = true;
	int count = 0;

	assert(rows != NULL);
	while (more && (count = read_page(names, files, after, rows, err)) > 0) {
		strcpy(after, rows[count - 1].name);
		for (int i = 0; i < count && more; i++)
			more = found(context, rows[i].name, files ? &rows[i].stat : NULL);
	}
	free(rows);
	return count < 0 ? -1 : !more;
}

int names_walk(struct names *names, walk_found *found, void *context, struct err *err)
{
	int result;

	if (names->missing)
		return 0;
	result = walk(names, true, found, context, err);
	if (result == 0)
		result = walk(names, false, found, context, err);
	return result < 0 ? -1 : 0;
}

static int sound(struct names_link *link, struct err *err)
{
	char text[160];
	int got = db_step(link->sound, err);

	if (got != 1)
		return got < 0 ? -1 : err_set(err, ERR_CORRUPT, "names.db cannot be checked");
	db_text(link->sound, 0, text, sizeof text);
	db_reset(link->sound);
	if (strcmp(text, "ok") != 0)
		return err_set(err, ERR_CORRUPT, "names.db: %s", text);
	got = db_step(link->lost, err);
	if (got == 1 && db_int(link->lost, 0) != 0)
		err_set(err, ERR_CORRUPT, "names.db has %lld rows of no file",
			(long long)db_int(link->lost, 0));
	else if (got == 1)
		got = 0;
	db_reset(link->lost);
	return got == 0 ? 0 : -1;
}

int names_sound(struct names *names, struct err *err)
{
	struct names_link *link;
	int result;

	if (names->missing)
		return 0;
	link = names_begin_read(names, err);
	if (link == NULL)
		return -1;
	result = sound(link, err);
	names_end_read(link);
	return result;
}
