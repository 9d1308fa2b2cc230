#include "core/clock.h"
#include "meta/cut_memory_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
	/* Several pictures may have been made for a key, one of which stands. */
	"CREATE TABLE made ("
	" source TEXT NOT NULL,"
	" clip_w INTEGER NOT NULL, clip_h INTEGER NOT NULL,"
	" start_x INTEGER NOT NULL, start_y INTEGER NOT NULL,"
	" thumb_w INTEGER NOT NULL, thumb_h INTEGER NOT NULL,"
	" id TEXT NOT NULL,"
	" time INTEGER NOT NULL,"
	" state INTEGER NOT NULL);"
	"INSERT INTO made SELECT source, clip_w, clip_h, start_x, start_y, thumb_w, thumb_h,"
	" id, time, 1 FROM cuts;"
	"DROP TABLE cuts;"
	"CREATE UNIQUE INDEX made_stands ON made (source, clip_w, clip_h, start_x, start_y,"
	" thumb_w, thumb_h) WHERE state = 1;"
	"CREATE INDEX made_of_source ON made (source);"
	"CREATE INDEX made_of_id ON made (id);"
	"CREATE INDEX made_doomed ON made (time) WHERE state = -1",
	/* On its way to the store: what it will be found by if the answer is lost.  in_vain:
	 * it was searched for where the store cannot be searched to its end. */
	"CREATE TABLE storing ("
	" number INTEGER PRIMARY KEY," /* of the mark in it */
	" source TEXT NOT NULL,"
	" clip_w INTEGER NOT NULL, clip_h INTEGER NOT NULL,"
	" start_x INTEGER NOT NULL, start_y INTEGER NOT NULL,"
	" thumb_w INTEGER NOT NULL, thumb_h INTEGER NOT NULL,"
	" grp TEXT NOT NULL,"
	" length INTEGER NOT NULL, crc INTEGER NOT NULL,"
	" time INTEGER NOT NULL,"
	" in_vain INTEGER NOT NULL)",
	NULL,
};

#define THE_KEY                                                                                    \
	"source = ?1 AND clip_w = ?2 AND clip_h = ?3 AND start_x = ?4 AND start_y = ?5"            \
	" AND thumb_w = ?6 AND thumb_h = ?7"

static bool prepare(struct cut_memory *memory, struct err *err)
{
	struct {
		struct db_query **query;
		const char *sql;
	} queries[] = {
		{ &memory->get, "SELECT id FROM made WHERE " THE_KEY " AND state = 1" },
		{ &memory->put, "INSERT INTO made VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
				" ON CONFLICT DO NOTHING" },
		{ &memory->state, "UPDATE made SET state = ?9 WHERE " THE_KEY " AND id = ?8" },
		{ &memory->list, THE_FAMILY "SELECT DISTINCT id, time FROM made"
					    " WHERE source IN family ORDER BY time DESC" },
		{ &memory->origins,
			"WITH RECURSIVE origins (id) AS (SELECT source FROM made WHERE id = ?1"
			" UNION SELECT made.source FROM made JOIN origins ON made.id = origins.id)"
			" SELECT id FROM origins" },
		/* The family is known before the first row goes, since IN comes first. */
		{ &memory->forget,
			THE_FAMILY "DELETE FROM made WHERE source IN family OR id = ?1" },
		{ &memory->doomed, "SELECT id FROM made WHERE state = -1 ORDER BY time LIMIT ?1" },
		{ &memory->removed, "DELETE FROM made WHERE id = ?1 AND state = -1" },
	};

	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		*queries[i].query = db_prepare(memory->db, queries[i].sql, err);
		if (*queries[i].query == NULL)
			return false;
	}
	return cut_memory_prepare_storing(memory, err);
}

struct cut_memory *cut_memory_open(const char *path, struct err *err)
{
	struct cut_memory *memory = calloc(1, sizeof *memory);
	struct db_conf conf = { .path = path, .steps = steps };

	assert(memory != NULL);
	pthread_mutex_init(&memory->lock, NULL);
	pthread_mutex_init(&memory->batch_lock, NULL);
	pthread_cond_init(&memory->batch_done, NULL);
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
	pthread_cond_destroy(&memory->batch_done);
	pthread_mutex_destroy(&memory->batch_lock);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

void cut_memory_put_key(struct db_query *query, const struct cut_key *key)
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

	cut_memory_put_key(memory->get, key);
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

/* With the lock held. */
static int put(struct cut_memory *memory, const struct cut_key *key, const char *id, int state,
	struct err *err)
{
	cut_memory_put_key(memory->put, key);
	db_put_text(memory->put, 8, span_str(id));
	db_put_int(memory->put, 9, clock_unix());
	db_put_int(memory->put, 10, state);
	return db_run(memory->put, err);
}

static int put_made(struct cut_memory *memory, struct cut_change *change, struct err *err)
{
	int result = put(memory, change->key, change->id, STANDS, err);

	if (result == 0 && get(memory, change->key, change->stands, err) != 1)
		result = -1;
	if (result == 0 && strcmp(change->stands->text, change->id) != 0)
		result = put(memory, change->key, change->id, DOOMED, err);
	if (result == 0)
		result = cut_memory_end_locked(memory, change->number, err);
	return result;
}

int cut_memory_put(struct cut_memory *memory, const struct cut_key *key, const char *id,
	uint64_t number, struct cut_name *stands, struct err *err)
{
	struct cut_change change = {
		.apply = put_made, .key = key, .id = id, .number = number, .stands = stands
	};

	return cut_memory_change(memory, &change, err);
}

static int set_state(struct cut_memory *memory, const struct cut_key *key, const char *id,
	int state, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	cut_memory_put_key(memory->state, key);
	db_put_text(memory->state, 8, span_str(id));
	db_put_int(memory->state, 9, state);
	result = db_run(memory->state, err);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

int cut_memory_supersede(
	struct cut_memory *memory, const struct cut_key *key, const char *id, struct err *err)
{
	return set_state(memory, key, id, SUPERSEDED, err);
}

int cut_memory_doom(
	struct cut_memory *memory, const struct cut_key *key, const char *id, struct err *err)
{
	return set_state(memory, key, id, DOOMED, err);
}

static int run_with(
	struct cut_memory *memory, struct db_query *query, const char *text, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	db_put_text(query, 1, span_str(text));
	result = db_run(query, err);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

int cut_memory_removed(struct cut_memory *memory, const char *id, struct err *err)
{
	return run_with(memory, memory->removed, id, err);
}

/* The names that `query` finds for `text`, or if that is NULL the first `most`. */
static int find_all(struct cut_memory *memory, struct db_query *query, const char *text,
	size_t most, struct cut_name **list, size_t *count, struct err *err)
{
	size_t room = 0;
	int found;

	*list = NULL;
	*count = 0;
	pthread_mutex_lock(&memory->lock);
	if (text != NULL)
		db_put_text(query, 1, span_str(text));
	else
		db_put_int(query, 1, (int64_t)most);
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
	return find_all(memory, memory->list, source, 0, list, count, err);
}

int cut_memory_origins(struct cut_memory *memory, const char *id, struct cut_name **list,
	size_t *count, struct err *err)
{
	return find_all(memory, memory->origins, id, 0, list, count, err);
}

int cut_memory_doomed(struct cut_memory *memory, size_t most, struct cut_name **list, size_t *count,
	struct err *err)
{
	return find_all(memory, memory->doomed, NULL, most, list, count, err);
}

int cut_memory_forget(struct cut_memory *memory, const char *source, struct err *err)
{
	return run_with(memory, memory->forget, source, err);
}
