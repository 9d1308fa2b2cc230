#include "meta/db.h"
#include "programs/sess_check_svr/sess_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORGET_AT_ONCE = 2000 }; /* rows: others wait meanwhile */

struct sqlite_store {
	struct db *db;
	struct db_query *use, *look, *forget;
};

static const char *const steps[] = {
	"CREATE TABLE sessions (key BLOB NOT NULL PRIMARY KEY, used INTEGER NOT NULL, "
	"ends INTEGER NOT NULL) WITHOUT ROWID; CREATE INDEX sessions_ends ON sessions (ends)",
	NULL,
};

/* Without a row in its result, the key was used up already. */
static const char use_sql[] =
	"INSERT INTO sessions (key, used, ends) VALUES (?1, 1, ?2) ON CONFLICT (key) DO UPDATE "
	"SET used = CASE WHEN ends <= ?3 THEN 1 ELSE used + 1 END, "
	"ends = CASE WHEN ends <= ?3 THEN ?2 ELSE ends END "
	"WHERE used < ?4 OR ends <= ?3 RETURNING used";

static void close_store(void *context)
{
	struct sqlite_store *store = context;

	if (store == NULL)
		return;
	db_close(store->db);
	free(store);
}

static void *open_store(const struct settings *settings, struct err *err)
{
	struct sqlite_store *store = calloc(1, sizeof *store);
	struct db_conf conf = { .steps = steps };
	char path[4096];

	assert(store != NULL);
	if ((size_t)snprintf(path, sizeof path, "%s/sessions.db", settings->sess_check_folder) >=
		sizeof path) {
		err_set(err, ERR_CONFIG, "[sess_check_svr] folder is too long");
		goto fail;
	}
	conf.path = path;
	store->db = db_open(&conf, err);
	if (store->db == NULL)
		goto fail;
	store->use = db_prepare(store->db, use_sql, err);
	store->look = db_prepare(
		store->db, "SELECT used FROM sessions WHERE key = ?1 AND ends > ?2", err);
	store->forget = db_prepare(store->db,
		"DELETE FROM sessions WHERE key IN "
		"(SELECT key FROM sessions WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
		err);
	if (store->use == NULL || store->look == NULL || store->forget == NULL)
		goto fail;
	return store;
fail:
	close_store(store);
	return NULL;
}

static int use(struct sqlite_store *store, struct sess_count *count, uint32_t limit, int64_t now,
	struct err *err)
{
	int got;

	db_put_blob(store->use, 1, span_of(count->key, sizeof count->key));
	db_put_int(store->use, 2, count->ends);
	db_put_int(store->use, 3, now);
	db_put_int(store->use, 4, limit);
	got = db_step(store->use, err);
	if (got < 0)
		return -1;
	count->refused = got == 0;
	count->used = got == 0 ? limit : (uint32_t)db_int(store->use, 0);
	return got == 0 ? 0 : db_run(store->use, err);
}

static int look(struct sqlite_store *store, struct sess_count *count, int64_t now, struct err *err)
{
	int got;

	db_put_blob(store->look, 1, span_of(count->key, sizeof count->key));
	db_put_int(store->look, 2, now);
	got = db_step(store->look, err);
	if (got < 0)
		return -1;
	count->refused = false;
	count->used = got == 0 ? 0 : (uint32_t)db_int(store->look, 0);
	db_reset(store->look);
	return 0;
}

/* All in one transaction: a flush to the disk costs the same for one as for a thousand. */
static int count_all(void *context, struct sess_count *counts, size_t count, uint32_t limit,
	int64_t now, struct err *err)
{
	struct sqlite_store *store = context;

	if (db_begin(store->db, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if ((counts[i].use ? use(store, &counts[i], limit, now, err)
				   : look(store, &counts[i], now, err)) != 0) {
			db_rollback(store->db);
			return -1;
		}
	return db_commit(store->db, err);
}

static int64_t forget(void *context, int64_t now, struct err *err)
{
	struct sqlite_store *store = context;

	db_put_int(store->forget, 1, now);
	db_put_int(store->forget, 2, FORGET_AT_ONCE);
	return db_run(store->forget, err) == 0 ? db_changes(store->db) : -1;
}

const struct sess_store sess_store_sqlite = {
	.name = "sqlite",
	.open = open_store,
	.count = count_all,
	.forget = forget,
	.close = close_store,
};
