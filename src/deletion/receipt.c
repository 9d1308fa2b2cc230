#include "deletion/receipt.h"

#include "meta/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const steps[] = {
	"CREATE TABLE receipt (id INTEGER PRIMARY KEY, picture TEXT NOT NULL,"
	" opened INTEGER NOT NULL, closed INTEGER, owner TEXT NOT NULL,"
	" next_try INTEGER NOT NULL) STRICT;"
	"CREATE INDEX receipt_picture ON receipt (picture);"
	"CREATE INDEX receipt_open ON receipt (next_try) WHERE closed IS NULL;"
	"CREATE TABLE asked (receipt INTEGER NOT NULL REFERENCES receipt, at INTEGER NOT NULL,"
	" user INTEGER NOT NULL, hostid INTEGER NOT NULL, peer TEXT NOT NULL) STRICT;"
	"CREATE INDEX asked_receipt ON asked (receipt);"
	"CREATE TABLE place (id INTEGER PRIMARY KEY,"
	" receipt INTEGER NOT NULL REFERENCES receipt, picture TEXT NOT NULL,"
	" cache TEXT NOT NULL, confirmed INTEGER, outcome TEXT NOT NULL DEFAULT '',"
	" tries INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '') STRICT;"
	"CREATE INDEX place_receipt ON place (receipt);"
	/* Of what was made from another picture, which has the receipt. */
	"CREATE INDEX place_picture ON place (picture) WHERE cache = '';",
	/* What had left the configuration used to count as confirmed. */
	"ALTER TABLE place ADD COLUMN left INTEGER;"
	"UPDATE place SET left = confirmed, confirmed = NULL, outcome = '',"
	" error = 'is not in the configuration any more' WHERE outcome IN"
	" ('is no cache of ours any more', 'is not kept any more');"
	"CREATE INDEX place_left ON place (cache) WHERE left IS NOT NULL;",
	NULL,
};

enum query {
	FIND_OPEN,
	NEW_RECEIPT,
	NEW_ASKED,
	NEW_PLACE,
	LIST_PLACES,
	SAVE_PLACE,
	CLOSE,
	POSTPONE,
	TAKE,
	DISOWN,
	REOPEN,
	LIST_DUE,
	COUNT_OPEN,
	READ_ALL_OPEN,
	READ_PICTURE,
	READ_ASKED,
	QUERIES
};

#define LEFT_PLACES "(SELECT count(*) FROM place WHERE receipt = receipt.id AND left IS NOT NULL)"

static const char *const sql[QUERIES] = {
	[FIND_OPEN] = "SELECT id FROM receipt WHERE picture = ?1 AND closed IS NULL",
	[NEW_RECEIPT] = "INSERT INTO receipt (picture, opened, owner, next_try)"
			" VALUES (?1, ?2, ?3, ?4)",
	[NEW_ASKED] = "INSERT INTO asked VALUES (?1, ?2, ?3, ?4, ?5)",
	[NEW_PLACE] = "INSERT INTO place (receipt, picture, cache) VALUES (?1, ?2, ?3)",
	[LIST_PLACES] =
		"SELECT id, picture, cache, confirmed, outcome, tries, error, left FROM place"
		" WHERE receipt = ?1 ORDER BY id",
	[SAVE_PLACE] = "UPDATE place SET confirmed = ?2, outcome = ?3, error = ?4, left = ?5,"
		       " tries = tries + 1 WHERE id = ?1 AND confirmed IS NULL",
	[CLOSE] =
		"UPDATE receipt SET closed = ?2 WHERE id = ?1 AND closed IS NULL AND NOT EXISTS"
		" (SELECT 1 FROM place WHERE receipt = ?1 AND confirmed IS NULL AND left IS NULL)",
	[POSTPONE] = "UPDATE receipt SET next_try = ?2 WHERE id = ?1 AND closed IS NULL",
	[TAKE] = "UPDATE receipt SET next_try = ?2, owner = ?3 WHERE id = ?1 AND closed IS NULL",
	[DISOWN] = "UPDATE receipt SET next_try = 0 WHERE owner = ?1 AND closed IS NULL",
	[REOPEN] = "UPDATE receipt SET closed = NULL, next_try = 0 WHERE closed IS NOT NULL AND id"
		   " IN (SELECT receipt FROM place WHERE cache = ?1 AND left IS NOT NULL)",
	[LIST_DUE] = "SELECT id, picture FROM receipt WHERE closed IS NULL AND next_try <= ?1"
		     " ORDER BY next_try LIMIT ?2",
	[COUNT_OPEN] = "SELECT count(*) FROM receipt WHERE closed IS NULL",
	[READ_ALL_OPEN] = "SELECT id, picture, opened, closed, " LEFT_PLACES
			  " FROM receipt WHERE closed IS NULL"
			  " ORDER BY id",
	[READ_PICTURE] = "SELECT id, picture, opened, closed, " LEFT_PLACES
			 " FROM receipt WHERE id IN"
			 " (SELECT id FROM receipt WHERE picture = ?1 UNION"
			 " SELECT receipt FROM place WHERE picture = ?1 AND cache = '')"
			 " ORDER BY id",
	[READ_ASKED] = "SELECT at, user, hostid, peer FROM asked WHERE receipt = ?1 ORDER BY rowid",
};

struct receipts {
	struct db *db;
	struct db_query *queries[QUERIES];
};

struct receipts *receipts_open(const char *path, bool read_only, struct err *err)
{
	const struct db_conf conf = { .path = path, .steps = steps, .read_only = read_only };
	struct receipts *receipts = calloc(1, sizeof *receipts);

	assert(receipts != NULL);
	receipts->db = db_open(&conf, err);
	if (receipts->db == NULL)
		goto fail;
	for (int i = 0; i < QUERIES; i++) {
		receipts->queries[i] = db_prepare(receipts->db, sql[i], err);
		if (receipts->queries[i] == NULL)
			goto fail;
	}
	return receipts;
fail:
	receipts_close(receipts);
	return NULL;
}

void receipts_close(struct receipts *receipts)
{
	if (receipts == NULL)
		return;
	db_close(receipts->db);
	free(receipts);
}

int receipts_begin(struct receipts *receipts, struct err *err)
{
	return db_begin(receipts->db, err);
}

int receipts_commit(struct receipts *receipts, struct err *err)
{
	return db_commit(receipts->db, err);
}

void receipts_rollback(struct receipts *receipts)
{
	db_rollback(receipts->db);
}

/* ---- places ---- */

int receipt_add(struct receipts *receipts, struct deletion *deletion, size_t from, struct err *err)
{
	struct db_query *query = receipts->queries[NEW_PLACE];

	for (size_t i = from; i < deletion->count; i++) {
		struct deletion_place *place = &deletion->places[i];

		if (place->row != 0)
			continue;
		db_put_int(query, 1, deletion->receipt);
		db_put_text(query, 2, span_str(place->picture));
		db_put_text(query, 3, span_str(place->cache));
		if (db_run(query, err) != 0)
			return -1;
		place->row = db_last_id(receipts->db);
	}
	return 0;
}

/* The text of a column; what is longer than ours ever are is cut. */
static void get_text(struct db_query *query, int at, char *out, size_t size)
{
	db_text(query, at, out, size);
}

static void get_place(struct db_query *query, struct deletion_place *place)
{
	place->row = db_int(query, 0);
	place->confirmed = db_int(query, 3);
	place->left = db_int(query, 7);
	get_text(query, 4, place->outcome, sizeof place->outcome);
	get_text(query, 6, place->err.text, sizeof place->err.text);
	place->err.code = place->confirmed == 0 && place->err.text[0] != '\0' ? ERR_UNKNOWN
									      : ERR_NONE;
}

static int load_places(struct receipts *receipts, struct deletion *deletion, struct err *err)
{
	struct db_query *query = receipts->queries[LIST_PLACES];
	char picture[FILE_ID_TEXT_MAX + 1], cache[512];
	int got;

	db_put_int(query, 1, deletion->receipt);
	while ((got = db_step(query, err)) > 0) {
		get_text(query, 1, picture, sizeof picture);
		get_text(query, 2, cache, sizeof cache);
		get_place(query, deletion_add(deletion, picture, cache));
	}
	return got;
}

/* ---- opening and closing ---- */

/* 1 found, 0 none, -1. */
static int find_open(
	struct receipts *receipts, const char *picture, int64_t *number, struct err *err)
{
	struct db_query *query = receipts->queries[FIND_OPEN];
	int got;

	db_put_text(query, 1, span_str(picture));
	got = db_step(query, err);
	if (got > 0) {
		*number = db_int(query, 0);
		db_reset(query);
	}
	return got;
}

static int new_receipt(struct receipts *receipts, const char *picture,
	const struct receipt_request *request, int64_t *number, struct err *err)
{
	struct db_query *query = receipts->queries[NEW_RECEIPT];

	db_put_text(query, 1, span_str(picture));
	db_put_int(query, 2, request->at);
	db_put_text(query, 3, span_str(request->owner));
	db_put_int(query, 4, request->next_try_ms);
	if (db_run(query, err) != 0)
		return -1;
	*number = db_last_id(receipts->db);
	return 0;
}

static int new_asked(struct receipts *receipts, int64_t number,
	const struct receipt_request *request, struct err *err)
{
	struct db_query *query = receipts->queries[NEW_ASKED];

	db_put_int(query, 1, number);
	db_put_int(query, 2, request->at);
	db_put_int(query, 3, request->user);
	db_put_int(query, 4, request->hostid);
	db_put_text(query, 5, span_str(request->peer));
	return db_run(query, err);
}

int receipt_open(struct receipts *receipts, struct deletion *deletion,
	const struct receipt_request *request, struct err *err)
{
	char picture[FILE_ID_TEXT_MAX + 1];
	int got;

	file_id_format(&deletion->id, picture);
	/* It may be the second attempt, after a transaction that was rolled back. */
	deletion->receipt = 0;
	for (size_t i = 0; i < deletion->count; i++)
		deletion->places[i].row = 0;
	got = find_open(receipts, picture, &deletion->receipt, err);
	if (got == 0)
		got = new_receipt(receipts, picture, request, &deletion->receipt, err);
	if (got < 0 || new_asked(receipts, deletion->receipt, request, err) != 0 ||
		load_places(receipts, deletion, err) != 0)
		return -1;
	return receipt_add(receipts, deletion, 0, err);
}

static int save_place(
	struct receipts *receipts, const struct deletion_place *place, struct err *err)
{
	struct db_query *query = receipts->queries[SAVE_PLACE];

	db_put_int(query, 1, place->row);
	if (place->confirmed != 0)
		db_put_int(query, 2, place->confirmed);
	else
		db_put_null(query, 2);
	db_put_text(query, 3, span_str(place->outcome));
	db_put_text(query, 4, span_str(place->confirmed != 0 ? "" : place->err.text));
	if (place->left != 0)
		db_put_int(query, 5, place->left);
	else
		db_put_null(query, 5);
	return db_run(query, err);
}

int receipt_save(struct receipts *receipts, const struct deletion *deletion, int64_t now,
	int64_t next_try_ms, struct err *err)
{
	struct db_query *close = receipts->queries[CLOSE], *postpone = receipts->queries[POSTPONE];

	for (size_t i = 0; i < deletion->count; i++)
		if (deletion->places[i].row != 0 &&
			save_place(receipts, &deletion->places[i], err) != 0)
			return -1;
	db_put_int(close, 1, deletion->receipt);
	db_put_int(close, 2, now);
	if (db_run(close, err) != 0)
		return -1;
	db_put_int(postpone, 1, deletion->receipt);
	db_put_int(postpone, 2, next_try_ms);
	return db_run(postpone, err);
}

/* ---- what is left to do ---- */

int receipts_disown(struct receipts *receipts, const char *owner, struct err *err)
{
	struct db_query *query = receipts->queries[DISOWN];

	db_put_text(query, 1, span_str(owner));
	return db_run(query, err);
}

int receipts_reopen(struct receipts *receipts, const char *cache, struct err *err)
{
	struct db_query *query = receipts->queries[REOPEN];

	db_put_text(query, 1, span_str(cache));
	return db_run(query, err);
}

/* The receipts alone, without places. */
static int list_due(
	struct receipts *receipts, int64_t now_ms, struct deletion *out, int max, struct err *err)
{
	struct db_query *query = receipts->queries[LIST_DUE];
	int got, count = 0;

	db_put_int(query, 1, now_ms);
	db_put_int(query, 2, max);
	while ((got = db_step(query, err)) > 0) {
		struct file_id id;

		if (!file_id_parse(db_bytes(query, 1), &id))
			continue;
		deletion_init(&out[count], &id);
		out[count++].receipt = db_int(query, 0);
	}
	return got == 0 ? count : -1;
}

int receipts_take(struct receipts *receipts, const char *owner, int64_t now_ms, int64_t next_try_ms,
	struct deletion *out, int max, struct err *err)
{
	struct db_query *take = receipts->queries[TAKE];
	int count = list_due(receipts, now_ms, out, max, err);

	for (int i = 0; i < count; i++) {
		db_put_int(take, 1, out[i].receipt);
		db_put_int(take, 2, next_try_ms);
		db_put_text(take, 3, span_str(owner));
		if (db_run(take, err) != 0 || load_places(receipts, &out[i], err) != 0) {
			for (int j = 0; j < count; j++)
				deletion_fini(&out[j]);
			return -1;
		}
	}
	return count;
}

int receipts_count_open(struct receipts *receipts, int64_t *count, struct err *err)
{
	struct db_query *query = receipts->queries[COUNT_OPEN];
	int got = db_step(query, err);

	if (got > 0) {
		*count = db_int(query, 0);
		db_reset(query);
	}
	return got < 0 ? -1 : 0;
}

/* ---- reading ---- */

static int read_asked(struct receipts *receipts, int64_t number,
	const struct receipt_reader *reader, struct err *err)
{
	struct db_query *query = receipts->queries[READ_ASKED];
	int got;

	db_put_int(query, 1, number);
	while ((got = db_step(query, err)) > 0) {
		struct receipt_asked asked = {
			.at = db_int(query, 0),
			.user = (uint32_t)db_int(query, 1),
			.hostid = (uint32_t)db_int(query, 2),
		};

		get_text(query, 3, asked.peer, sizeof asked.peer);
		reader->asked(reader->context, &asked);
	}
	return got;
}

static int read_places(struct receipts *receipts, int64_t number,
	const struct receipt_reader *reader, struct err *err)
{
	struct db_query *query = receipts->queries[LIST_PLACES];
	char cache[512];
	int got;

	db_put_int(query, 1, number);
	while ((got = db_step(query, err)) > 0) {
		struct deletion_place place = { .cache = cache };

		get_text(query, 1, place.picture, sizeof place.picture);
		get_text(query, 2, cache, sizeof cache);
		get_place(query, &place);
		reader->place(reader->context, &place, db_int(query, 5));
	}
	return got;
}

int receipts_read(struct receipts *receipts, const char *picture,
	const struct receipt_reader *reader, struct err *err)
{
	struct db_query *query = receipts->queries[picture == NULL ? READ_ALL_OPEN : READ_PICTURE];
	int got, count = 0;

	if (picture != NULL)
		db_put_text(query, 1, span_str(picture));
	while ((got = db_step(query, err)) > 0) {
		struct receipt receipt = {
			.number = db_int(query, 0),
			.opened = db_int(query, 2),
			.closed = db_int(query, 3),
			.left = db_int(query, 4),
		};

		get_text(query, 1, receipt.picture, sizeof receipt.picture);
		reader->receipt(reader->context, &receipt);
		if (read_asked(receipts, receipt.number, reader, err) != 0 ||
			read_places(receipts, receipt.number, reader, err) != 0) {
			db_reset(query);
			return -1;
		}
		reader->end(reader->context);
		count++;
	}
	return got == 0 ? count : -1;
}
