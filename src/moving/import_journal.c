#include "moving/import_journal.h"

#include "meta/db.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct import_journal {
	pthread_mutex_t lock;
	struct db *db;
	struct db_query *find, *note;
};

static const char *const steps[] = {
	"CREATE TABLE target (name TEXT NOT NULL);"
	"CREATE TABLE done (source BLOB PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID",
	NULL,
};

/* An empty journal is of `target` from now on. */
static int check_target(struct import_journal *journal, const char *target, struct err *err)
{
	struct db_query *get = db_prepare(journal->db, "SELECT name FROM target", err);
	struct db_query *put = db_prepare(journal->db, "INSERT INTO target VALUES (?1)", err);
	int row;

	if (get == NULL || put == NULL)
		return -1;
	row = db_step(get, err);
	if (row < 0)
		return -1;
	if (row == 1) {
		bool same = span_is(db_bytes(get, 0), target);

		db_reset(get);
		return same ? 0
			    : err_set(err, ERR_CONFIG, "it was made for another store than %s",
				      target);
	}
	db_put_text(put, 1, span_str(target));
	return db_run(put, err);
}

struct import_journal *import_journal_open(const char *path, const char *target, struct err *err)
{
	const struct db_conf conf = { .path = path, .steps = steps, .lax = true };
	struct import_journal *journal = calloc(1, sizeof *journal);

	assert(journal != NULL);
	pthread_mutex_init(&journal->lock, NULL);
	journal->db = db_open(&conf, err);
	if (journal->db != NULL && check_target(journal, target, err) == 0) {
		journal->find = db_prepare(
			journal->db, "SELECT id FROM done WHERE source = ?1", err);
		journal->note = db_prepare(
			journal->db, "INSERT OR REPLACE INTO done VALUES (?1, ?2)", err);
		if (journal->find != NULL && journal->note != NULL)
			return journal;
	}
	import_journal_close(journal);
	err_prefix(err, "the journal %s", path);
	return NULL;
}

void import_journal_close(struct import_journal *journal)
{
	if (journal == NULL)
		return;
	db_close(journal->db);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

int import_journal_find(struct import_journal *journal, const char *source,
	char id[FILE_ID_TEXT_MAX + 1], struct err *err)
{
	int row;

	pthread_mutex_lock(&journal->lock);
	db_put_blob(journal->find, 1, span_str(source));
	row = db_step(journal->find, err);
	if (row == 1) {
		db_text(journal->find, 0, id, FILE_ID_TEXT_MAX + 1);
		db_reset(journal->find);
	}
	pthread_mutex_unlock(&journal->lock);
	return row;
}

int import_journal_note(
	struct import_journal *journal, const char *source, const char *id, struct err *err)
{
	int result;

	pthread_mutex_lock(&journal->lock);
	db_put_blob(journal->note, 1, span_str(source));
	db_put_text(journal->note, 2, span_str(id));
	result = db_run(journal->note, err);
	pthread_mutex_unlock(&journal->lock);
	return result;
}
