#include "deletion/ledger.h"
#include "deletion/receipt.h"
#include "meta/db.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PICTURE "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define CUT     "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY7680001"

static const struct receipt_request request = {
	.at = 100, .user = 3, .hostid = 7, .peer = "10.0.0.1:5", .owner = "one", .next_try_ms = 5000
};

static const char *new_path(void)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/receipts.db", unit_scratch());
	return path;
}

static struct receipts *open_at(const char *path, bool read_only)
{
	struct err err = { 0 };
	struct receipts *receipts = receipts_open(path, read_only, &err);

	if (receipts == NULL)
		fail_msg("%s", err.text);
	return receipts;
}

/* A deletion with the store and two caches. */
static void begin(struct deletion *deletion)
{
	struct file_id id;

	assert_true(file_id_parse(span_str(PICTURE), &id));
	deletion_init(deletion, &id);
	deletion_add(deletion, PICTURE, "");
	deletion_add(deletion, PICTURE, "a:1");
	deletion_add(deletion, PICTURE, "b:2");
}

static void confirm(struct deletion *deletion, size_t place)
{
	deletion->places[place].confirmed = 200;
	strcpy(deletion->places[place].outcome, "deleted");
}

struct seen {
	int receipts, asked, places, confirmed;
	int64_t closed, left;
	char error[300];
};

static void see_receipt(void *context, const struct receipt *receipt)
{
	struct seen *seen = context;

	seen->receipts++;
	seen->closed = receipt->closed;
	seen->left = receipt->left;
}

static void see_asked(void *context, const struct receipt_asked *asked)
{
	struct seen *seen = context;

	seen->asked++;
	assert_int_equal(asked->user, 3);
	assert_int_equal(asked->hostid, 7);
	assert_string_equal(asked->peer, "10.0.0.1:5");
}

static void see_place(void *context, const struct deletion_place *place, int64_t tries)
{
	struct seen *seen = context;

	(void)tries;
	seen->places++;
	seen->confirmed += place->confirmed != 0;
	if (place->confirmed == 0)
		snprintf(seen->error, sizeof seen->error, "%s", place->err.text);
}

static void see_end(void *context)
{
	(void)context;
}

static struct seen see(struct receipts *receipts, const char *picture)
{
	struct seen seen = { 0 };
	const struct receipt_reader reader = { see_receipt, see_asked, see_place, see_end, &seen };

	int count = receipts_read(receipts, picture, &reader, NULL);

	assert_int_equal(count, seen.receipts);
	return seen;
}

TEST(a_receipt_is_open_until_every_place_is_confirmed)
{
	struct receipts *receipts = open_at(new_path(), false);
	struct deletion deletion;
	struct seen seen;

	begin(&deletion);
	assert_int_equal(receipt_open(receipts, &deletion, &request, NULL), 0);
	confirm(&deletion, 0);
	confirm(&deletion, 1);
	err_set(&deletion.places[2].err, ERR_UNREACHABLE, "b is down");
	assert_int_equal(receipt_save(receipts, &deletion, 300, 9000, NULL), 0);
	seen = see(receipts, PICTURE);
	assert_int_equal(seen.confirmed, 2);
	assert_int_equal(seen.closed, 0);
	assert_string_equal(seen.error, "b is down");
	assert_int_equal(see(receipts, NULL).receipts, 1);
	confirm(&deletion, 2);
	assert_int_equal(receipt_save(receipts, &deletion, 400, 0, NULL), 0);
	assert_int_equal(see(receipts, PICTURE).closed, 400);
	assert_int_equal(see(receipts, NULL).receipts, 0);
	deletion_fini(&deletion);
	receipts_close(receipts);
}

TEST(a_request_for_a_picture_whose_receipt_is_open_joins_it)
{
	struct receipts *receipts = open_at(new_path(), false);
	struct deletion first, second;
	struct seen seen;

	begin(&first);
	deletion_add(&first, CUT, "");
	assert_int_equal(receipt_open(receipts, &first, &request, NULL), 0);
	confirm(&first, 0);
	assert_int_equal(receipt_save(receipts, &first, 300, 0, NULL), 0);
	begin(&second);
	assert_int_equal(receipt_open(receipts, &second, &request, NULL), 0);
	assert_int_equal(second.receipt, first.receipt);
	assert_int_equal(second.count, 4); /* the cut too */
	assert_true(deletion_find(&second, PICTURE, "")->confirmed != 0);
	for (size_t i = 0; i < 4; i++)
		confirm(&second, i);
	assert_int_equal(receipt_save(receipts, &second, 400, 0, NULL), 0);
	seen = see(receipts, CUT); /* found by what was made from it */
	assert_int_equal(seen.receipts, 1);
	assert_int_equal(seen.asked, 2);
	assert_int_equal(seen.closed, 400);
	deletion_fini(&second);
	/* Closed now: the next one begins anew. */
	begin(&second);
	assert_int_equal(receipt_open(receipts, &second, &request, NULL), 0);
	assert_true(second.receipt != first.receipt);
	deletion_fini(&first);
	deletion_fini(&second);
	receipts_close(receipts);
}

TEST(what_was_left_unconfirmed_is_outstanding_again_when_its_cache_is_back)
{
	struct receipts *receipts = open_at(new_path(), false);
	struct deletion deletion, out[5];
	struct seen seen;

	begin(&deletion);
	assert_int_equal(receipt_open(receipts, &deletion, &request, NULL), 0);
	confirm(&deletion, 0);
	confirm(&deletion, 1);
	deletion.places[2].left = 250;
	err_set(&deletion.places[2].err, ERR_CONFIG, "has left");
	assert_int_equal(receipt_save(receipts, &deletion, 300, 0, NULL), 0);
	seen = see(receipts, PICTURE);
	assert_int_equal(seen.closed, 300);
	assert_int_equal(seen.confirmed, 2);
	assert_int_equal(seen.left, 1);
	assert_int_equal(receipts_reopen(receipts, "a:1", NULL), 0); /* that one is confirmed */
	assert_int_equal(receipts_take(receipts, "one", 9999, 9999, out, 5, NULL), 0);
	assert_int_equal(receipts_reopen(receipts, "b:2", NULL), 0);
	assert_int_equal(receipts_take(receipts, "one", 9999, 9999, out, 5, NULL), 1);
	assert_int_equal(out[0].places[2].left, 250);
	out[0].places[2].left = 0;
	confirm(&out[0], 2);
	assert_int_equal(receipt_save(receipts, &out[0], 400, 0, NULL), 0);
	seen = see(receipts, PICTURE);
	assert_int_equal(seen.closed, 400);
	assert_int_equal(seen.left, 0);
	deletion_fini(&out[0]);
	deletion_fini(&deletion);
	receipts_close(receipts);
}

TEST(what_an_older_picstore_took_for_confirmed_is_not)
{
	/* The tables as they were, with what is needed here. */
	static const char *const old[] = {
		"CREATE TABLE receipt (id INTEGER PRIMARY KEY, picture TEXT NOT NULL,"
		" opened INTEGER NOT NULL, closed INTEGER, owner TEXT NOT NULL,"
		" next_try INTEGER NOT NULL) STRICT;"
		"CREATE TABLE asked (receipt INTEGER NOT NULL REFERENCES receipt,"
		" at INTEGER NOT NULL, user INTEGER NOT NULL, hostid INTEGER NOT NULL,"
		" peer TEXT NOT NULL) STRICT;"
		"CREATE TABLE place (id INTEGER PRIMARY KEY,"
		" receipt INTEGER NOT NULL REFERENCES receipt, picture TEXT NOT NULL,"
		" cache TEXT NOT NULL, confirmed INTEGER, outcome TEXT NOT NULL DEFAULT '',"
		" tries INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '') STRICT;"
		"INSERT INTO receipt VALUES (1, '" PICTURE "', 100, 200, 'one', 0);"
		"INSERT INTO place VALUES (1, 1, '" PICTURE "', '', 200, 'deleted', 1, ''),"
		" (2, 1, '" PICTURE "', 'a:1', 200, 'is no cache of ours any more', 1, '')",
		NULL,
	};
	const struct db_conf conf = { .path = new_path(), .steps = old };
	struct receipts *receipts;
	struct seen seen;
	struct db *db = db_open(&conf, NULL);

	assert_non_null(db);
	db_close(db);
	receipts = open_at(conf.path, false);
	seen = see(receipts, PICTURE);
	assert_int_equal(seen.places, 2);
	assert_int_equal(seen.confirmed, 1);
	assert_int_equal(seen.left, 1);
	receipts_close(receipts);
}

TEST(what_is_outstanding_is_taken_by_one_and_again_after_its_owner_died)
{
	struct receipts *receipts = open_at(new_path(), false);
	struct deletion deletion, out[5];

	begin(&deletion);
	assert_int_equal(receipt_open(receipts, &deletion, &request, NULL), 0);
	deletion_fini(&deletion);
	assert_int_equal(receipts_take(receipts, "two", 4999, 9000, out, 5, NULL), 0);
	assert_int_equal(receipts_disown(receipts, "two", NULL), 0);
	assert_int_equal(receipts_take(receipts, "two", 4999, 9000, out, 5, NULL), 0);
	assert_int_equal(receipts_disown(receipts, "one", NULL), 0);
	assert_int_equal(receipts_take(receipts, "two", 4999, 9000, out, 5, NULL), 1);
	assert_int_equal(out[0].count, 3);
	deletion_fini(&out[0]);
	assert_int_equal(receipts_take(receipts, "one", 8999, 9000, out, 5, NULL), 0);
	assert_int_equal(receipts_disown(receipts, "one", NULL), 0);
	assert_int_equal(
		receipts_take(receipts, "one", 8999, 9000, out, 5, NULL), 0); /* two has it */
	assert_int_equal(receipts_take(receipts, "one", 9000, 9999, out, 5, NULL), 1);
	deletion_fini(&out[0]);
	receipts_close(receipts);
}

TEST(receipts_are_there_for_who_only_reads)
{
	char path[300];
	struct deletion deletion;
	struct receipts *receipts, *reader;

	strcpy(path, new_path());
	receipts = open_at(path, false);
	begin(&deletion);
	assert_int_equal(receipt_open(receipts, &deletion, &request, NULL), 0);
	reader = open_at(path, true);
	assert_int_equal(see(reader, PICTURE).places, 3);
	receipts_close(reader);
	deletion_fini(&deletion);
	receipts_close(receipts);
}

/* ---- the ledger ---- */

struct caller {
	struct ledger *ledger;
	bool fails;
	int result;
	pthread_t thread;
};

static int work(void *context, struct receipts *receipts, struct err *err)
{
	struct caller *caller = context;
	struct deletion deletion;
	int result;

	if (caller->fails)
		return err_set(err, ERR_BAD_REQUEST, "as it should");
	begin(&deletion);
	result = receipt_open(receipts, &deletion, &request, err);
	deletion_fini(&deletion);
	return result;
}

static void *call(void *argument)
{
	struct caller *caller = argument;

	for (int i = 0; i < 20; i++)
		caller->result += ledger_do(caller->ledger, work, caller, NULL) == 0;
	return NULL;
}

TEST(one_who_fails_in_the_ledger_takes_nobody_with_him)
{
	enum { CALLERS = 6 };
	struct caller callers[CALLERS] = { 0 };
	struct receipts *receipts;
	struct ledger *ledger;
	char path[300];

	strcpy(path, new_path());
	ledger = ledger_open(path, NULL);
	assert_non_null(ledger);
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){ .ledger = ledger, .fails = i % 2 == 1 };
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].result, i % 2 == 1 ? 0 : 20);
	}
	ledger_close(ledger);
	receipts = open_at(path, true);
	assert_int_equal(see(receipts, PICTURE).asked, CALLERS / 2 * 20);
	receipts_close(receipts);
}
