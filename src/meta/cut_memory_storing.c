/* cut_memory_storing.c - cuts that are being stored, and what became of them. */
#include "core/clock.h"
#include "meta/cut_memory_inside.h"

#include <stdlib.h>

bool cut_memory_prepare_storing(struct cut_memory *memory, struct err *err)
{
	struct {
		struct db_query **query;
		const char *sql;
	} queries[] = {
		{ &memory->begin, "INSERT INTO storing VALUES"
				  " (?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9, ?10, ?11, ?12, 0)" },
		{ &memory->end, "DELETE FROM storing WHERE number = ?1" },
		{ &memory->pending,
			"SELECT number, grp, length, crc, time FROM storing"
			" WHERE time < ?1 AND (?2 OR NOT in_vain) ORDER BY time LIMIT ?3" },
		{ &memory->settle, "INSERT INTO made SELECT source, clip_w, clip_h, start_x,"
				   " start_y, thumb_w, thumb_h, ?2, ?3, -1 FROM storing"
				   " WHERE number = ?1" },
		{ &memory->in_vain, "UPDATE storing SET in_vain = 1 WHERE number = ?1" },
		{ &memory->making,
			THE_FAMILY "SELECT count(*), coalesce(sum(in_vain), 0) FROM storing"
				   " WHERE source IN family" },
	};

	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		*queries[i].query = db_prepare(memory->db, queries[i].sql, err);
		if (*queries[i].query == NULL)
			return false;
	}
	return true;
}

static int begin(struct cut_memory *memory, struct cut_change *change, struct err *err)
{
	const struct cut_storing *storing = change->storing;

	cut_memory_put_key(memory->begin, change->key);
	db_put_int(memory->begin, 8, (int64_t)storing->number);
	db_put_text(memory->begin, 9, span_str(storing->group));
	db_put_int(memory->begin, 10, (int64_t)storing->length);
	db_put_int(memory->begin, 11, storing->crc);
	db_put_int(memory->begin, 12, storing->time);
	return db_run(memory->begin, err);
}

int cut_memory_begin(struct cut_memory *memory, const struct cut_key *key,
	const struct cut_storing *storing, struct err *err)
{
	struct cut_change change = { .apply = begin, .key = key, .storing = storing };

	return cut_memory_change(memory, &change, err);
}

int cut_memory_end_locked(struct cut_memory *memory, uint64_t number, struct err *err)
{
	db_put_int(memory->end, 1, (int64_t)number);
	return db_run(memory->end, err);
}

int cut_memory_end(struct cut_memory *memory, uint64_t number, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	result = cut_memory_end_locked(memory, number, err);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

int cut_memory_pending(struct cut_memory *memory, int64_t before, bool in_vain_too,
	struct cut_storing *list, int most, struct err *err)
{
	struct db_query *query = memory->pending;
	int count = 0, found;

	pthread_mutex_lock(&memory->lock);
	db_put_int(query, 1, before);
	db_put_int(query, 2, in_vain_too);
	db_put_int(query, 3, most);
	while ((found = db_step(query, err)) == 1) {
		struct cut_storing *one = &list[count];

		*one = (struct cut_storing){
			.number = (uint64_t)db_int(query, 0),
			.length = (uint64_t)db_int(query, 2),
			.crc = (uint32_t)db_int(query, 3),
			.time = db_int(query, 4),
		};
		if (!db_text(query, 1, one->group, sizeof one->group)) {
			db_reset(query);
			found = err_set(err, ERR_CORRUPT, "the group of a cut has a long name");
			break;
		}
		count++;
	}
	pthread_mutex_unlock(&memory->lock);
	return found < 0 ? -1 : count;
}

int cut_memory_settle(struct cut_memory *memory, uint64_t number, const char *id, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	result = db_begin(memory->db, err);
	if (result == 0) {
		if (id != NULL) {
			db_put_int(memory->settle, 1, (int64_t)number);
			db_put_text(memory->settle, 2, span_str(id));
			db_put_int(memory->settle, 3, clock_unix());
			result = db_run(memory->settle, err);
		}
		if (result == 0)
			result = cut_memory_end_locked(memory, number, err);
		if (result == 0)
			result = db_commit(memory->db, err);
		else
			db_rollback(memory->db);
	}
	pthread_mutex_unlock(&memory->lock);
	return result;
}

int cut_memory_in_vain(struct cut_memory *memory, uint64_t number, struct err *err)
{
	int result;

	pthread_mutex_lock(&memory->lock);
	db_put_int(memory->in_vain, 1, (int64_t)number);
	result = db_run(memory->in_vain, err);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

int cut_memory_making(struct cut_memory *memory, const char *source, int64_t *open,
	int64_t *in_vain, struct err *err)
{
	struct db_query *query = memory->making;
	int found;

	pthread_mutex_lock(&memory->lock);
	db_put_text(query, 1, span_str(source));
	found = db_step(query, err);
	if (found == 1) {
		*in_vain = db_int(query, 1);
		*open = db_int(query, 0) - *in_vain;
		db_reset(query);
	}
	pthread_mutex_unlock(&memory->lock);
	return found == 1 ? 0 : -1;
}
