#include "meta/cut_memory.h"

#include "core/clock.h"
#include "meta/db.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct cut_memory {
	pthread_mutex_t lock; /* the queries are used by one thread at a time */
	struct db *db;
	struct db_query *get, *put, *drop, *list, *origins, *forget;
};

static const char *const steps[] = {
	"CREATE TABLE cuts ("
	" source TEXT NOT NULL,"
	" clip_w INTEGER NOT NULL, clip_h INTEGER NOT NULL,"
	" start_x INTEGER NOT NULL, start_y INTEGER NOT NULL,"
	" thumb_w INTEGER NOT NULL, thumb_h INTEGER NOT NULL,"
	" id TEXT NOT NULL,"
	" time INTEGER NOT NULL,"
	" PRIMARY KEY (source, clip_w, clip_h, start_x, start_y, thumb_w, thumb_h)"
	") WITHOUT ROWID;"
	"CREATE INDEX cuts_of_id ON cuts (id)",
	NULL,
};

#define THE_KEY                                                                                    \
	"source = ?1 AND clip_w = ?2 AND clip_h = ?3 AND start_x = ?4 AND start_y = ?5"            \
	" AND thumb_w = ?6 AND thumb_h = ?7"

/* ?1 and all that was made of it, however often over.  UNION ends circles. */
#define THE_FAMILY                                                                                 \
	"WITH RECURSIVE family (id) AS (SELECT ?1"                                                 \
	" UNION SELECT cuts.id FROM cuts JOIN family ON cuts.source = family.id) "

static bool prepare(struct cut_memory *memory, struct err *err)
{
	struct {
		struct db_query **query;
		const char *sql;
	} queries[] = {
		{ &memory->get, "SELECT id FROM cuts WHERE " THE_KEY },
		{ &memory->put, "INSERT INTO cuts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
				" ON CONFLICT DO NOTHING" },
		{ &memory->drop, "DELETE FROM cuts WHERE " THE_KEY " AND id = ?8" },
		{ &memory->list, THE_FAMILY "SELECT DISTINCT id, time FROM cuts"
					    " WHERE source IN family ORDER BY time DESC" },
		{ &memory->origins,
			"WITH RECURSIVE origins (id) AS (SELECT source FROM cuts WHERE id = ?1"
			" UNION SELECT cuts.source FROM cuts JOIN origins ON cuts.id = origins.id)"
			" SELECT id FROM origins" },
		/* The family is known before the first row goes, since IN comes first. */
		{ &memory->forget,
			THE_FAMILY "DELETE FROM cuts WHERE source IN family OR id = ?1" },
	};

	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		*queries[i].query = db_prepare(memory->db, queries[i].sql, err);
		if (*queries[i].query == NULL)
			return false;
	}
	return true;
}

struct cut_memory *cut_memory_open(const char *path, struct err *err)
{
	struct cut_memory *memory = calloc(1, sizeof *memory);
	struct db_conf conf = { .path = path, .steps = steps };

	assert(memory != NULL);
	pthread_mutex_init(&memory->lock, NULL);
	memory->db = db_open(&conf, err);
	if (memory->db == NULL || !prepare(memory, err)) {
		cut_memory_close(memory);
		return NULL;
	}
	return memory;
}

void cut_memory_close(struct cut_memory *memory)
{
	if (memory == NULL)
		return;
	db_close(memory->db);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static void put_key(struct db_query *query, const struct cut_key *key)
{
	db_put_text(query, 1, span_str(key->source));
	db_put_int(query, 2, key->clip_w);
	db_put_int(query, 3, key->clip_h);
	db_put_int(query, 4, key->start_x);
	db_put_int(query, 5, key->start_y);
	db_put_int(query, 6, key->thumb_w);
	db_put_int(query, 7, key->thumb_h);
}

/* With the lock held. */
static int get(
	struct cut_memory *memory, const struct cut_key *key, struct cut_name *id, struct err *err)
{
	int found;

	put_key(memory->get, key);
	found = db_step(memory->get, err);
	if (found == 1) {
		bool whole = db_text(memory->get, 0, id->text, sizeof id->text);

		db_reset(memory->get);
		if (!whole)
			return err_set(err, ERR_CORRUPT, "a remembered cut is not an id");
	}
	return found;
}

int cut_memory_get(
	struct cut_memory *memory, const struct cut_key *key, struct cut_name *id, struct err *err)
{
	int found;

	pthread_mutex_lock(&memory->lock);
	found = get(memory, key, id, err);
	pthread_mutex_unlock(&memory->lock);
	return found;
}

int cut_memory_put(struct cut_memory *memory, const struct cut_key *key, const char *id,
	struct cut_name *stands, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	result = db_begin(memory->db, err);
	if (result == 0) {
		put_key(memory->put, key);
		db_put_text(memory->put, 8, span_str(id));
		db_put_int(memory->put, 9, clock_unix());
		result = db_run(memory->put, err);
		if (result == 0 && get(memory, key, stands, err) != 1)
			result = -1;
		if (result == 0)
			result = db_commit(memory->db, err);
		else
			db_rollback(memory->db);
	}
	pthread_mutex_unlock(&memory->lock);
	return result;
}

int cut_memory_drop(
	struct cut_memory *memory, const struct cut_key *key, const char *id, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	put_key(memory->drop, key);
	db_put_text(memory->drop, 8, span_str(id));
	result = db_run(memory->drop, err);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

/* The names that `query` finds for `text`. */
static int find_all(struct cut_memory *memory, struct db_query *query, const char *text,
	struct cut_name **list, size_t *count, struct err *err)
{
	size_t room = 0;
	int found;

	*list = NULL;
	*count = 0;
	pthread_mutex_lock(&memory->lock);
	db_put_text(query, 1, span_str(text));
	while ((found = db_step(query, err)) == 1) {
		if (*count == room) {
			room = room == 0 ? 16 : room * 2;
			*list = reallocarray(*list, room, sizeof **list);
			assert(*list != NULL);
		}
		if (!db_text(query, 0, (*list)[*count].text, sizeof(*list)->text)) {
			db_reset(query);
			found = err_set(err, ERR_CORRUPT, "a remembered cut is not an id");
			break;
		}
		(*count)++;
	}
	pthread_mutex_unlock(&memory->lock);
	if (found < 0) {
		free(*list);
		*list = NULL;
		*count = 0;
	}
	return found;
}

int cut_memory_list(struct cut_memory *memory, const char *source, struct cut_name **list,
	size_t *count, struct err *err)
{
	return find_all(memory, memory->list, source, list, count, err);
}

int cut_memory_origins(struct cut_memory *memory, const char *id, struct cut_name **list,
	size_t *count, struct err *err)
{
	return find_all(memory, memory->origins, id, list, count, err);
}

int cut_memory_forget(struct cut_memory *memory, const char *source, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	db_put_text(memory->forget, 1, span_str(source));
	result = db_run(memory->forget, err);
	pthread_mutex_unlock(&memory->lock);
	return result;
}
