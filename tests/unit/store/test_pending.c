/* The journal of what is under way, with time passed in. */
#include "store/pending.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

struct journal {
	char path[300];
	struct pending *pending;
	int left;
	char left_name[FILE_ID_NAME_MAX + 1];
};

static void on_left(void *context, const char *name)
{
	struct journal *journal = context;

	journal->left++;
	strcpy(journal->left_name, name);
}

static void start(struct journal *journal, const char *boot, int64_t now_s)
{
	struct err err = { 0 };

	journal->pending = pending_open(journal->path, boot, now_s, on_left, journal, &err);
	if (journal->pending == NULL)
		fail_msg("%s", err.text);
}

/* As after the end of the process: nothing is told about what is under way. */
static void again(struct journal *journal, const char *boot, int64_t now_s)
{
	pending_close(journal->pending);
	start(journal, boot, now_s);
}

static void init(struct journal *journal)
{
	*journal = (struct journal){ 0 };
	snprintf(journal->path, sizeof journal->path, "%s/journal/a.db", unit_scratch());
	start(journal, "boot 1", 100);
}

static void begin(struct journal *journal, enum pending_what what, const char *name)
{
	struct err err;

	assert_int_equal(pending_begin(journal->pending, what, name, &err), 0);
}

static void doubt(struct journal *journal, enum pending_what what, const char *name, int64_t now_s)
{
	struct err err;

	assert_int_equal(pending_doubt(journal->pending, what, name, now_s, &err), 0);
}

static int due(struct journal *journal, int64_t now_s, struct pending_row rows[4])
{
	struct err err;

	return pending_due(journal->pending, now_s, rows, 4, &err);
}

static int64_t doubts(struct journal *journal, enum pending_what what)
{
	int64_t counts[PENDING_KINDS];

	pending_count(journal->pending, counts);
	return counts[what];
}

static int tried(
	struct journal *journal, enum pending_what what, const char *name, bool gone, int64_t now_s)
{
	struct err err;

	return pending_tried(journal->pending, what, name, gone, now_s, &err);
}

TEST(what_was_under_way_when_the_process_ended_is_in_doubt_afterwards)
{
	struct pending_row rows[4];
	struct journal journal;
	struct err err;

	init(&journal);
	begin(&journal, PENDING_PUT, "a");
	begin(&journal, PENDING_PUT, "b");
	begin(&journal, PENDING_REMOVE, "c");
	assert_int_equal(pending_end(journal.pending, "b", &err), 0);
	assert_int_equal(due(&journal, 1000, rows), 0); /* it is under way */
	again(&journal, "boot 1", 200);
	assert_int_equal(due(&journal, 200, rows), 2);
	assert_string_equal(rows[0].name, "a");
	assert_int_equal(rows[0].what, PENDING_PUT);
	assert_string_equal(rows[1].name, "c");
	assert_int_equal(rows[1].what, PENDING_REMOVE);
	assert_int_equal(journal.left, 0);
	pending_close(journal.pending);
}

TEST(a_put_that_was_under_way_when_the_machine_went_down_is_told_of_and_left_alone)
{
	struct pending_row rows[4];
	struct journal journal;

	init(&journal);
	begin(&journal, PENDING_PUT, "perhaps answered");
	begin(&journal, PENDING_REMOVE, "asked for");
	doubt(&journal, PENDING_PUT, "not answered", 100);
	again(&journal, "boot 2", 200);
	assert_int_equal(journal.left, 1);
	assert_string_equal(journal.left_name, "perhaps answered");
	assert_int_equal(due(&journal, 200, rows), 2);
	assert_string_equal(rows[0].name, "asked for");
	assert_string_equal(rows[1].name, "not answered");
	again(&journal, "boot 2", 200);
	assert_int_equal(journal.left, 1); /* once */
	pending_close(journal.pending);
}

TEST(a_put_is_dropped_when_a_remove_that_began_a_minute_later_says_that_it_is_gone)
{
	struct pending_row rows[4];
	struct journal journal;

	init(&journal);
	doubt(&journal, PENDING_PUT, "a", 1000);
	assert_int_equal(due(&journal, 1000, rows), 1);
	assert_int_equal(tried(&journal, PENDING_PUT, "a", true, 1000), 0);
	assert_int_equal(due(&journal, 1000 + PENDING_AGAIN_S - 1, rows), 0);
	assert_int_equal(doubts(&journal, PENDING_PUT), 1);
	assert_int_equal(due(&journal, 1000 + PENDING_AGAIN_S, rows), 1);
	assert_int_equal(tried(&journal, PENDING_PUT, "a", true, 1000 + PENDING_AGAIN_S), 1);
	assert_int_equal(due(&journal, 9999, rows), 0);
	assert_int_equal(doubts(&journal, PENDING_PUT), 0);
	pending_close(journal.pending);
}

TEST(a_remove_is_dropped_when_it_is_confirmed_once)
{
	struct journal journal;

	init(&journal);
	begin(&journal, PENDING_REMOVE, "a");
	doubt(&journal, PENDING_REMOVE, "a", 1000);
	assert_int_equal(tried(&journal, PENDING_REMOVE, "a", true, 1000), 1);
	assert_int_equal(doubts(&journal, PENDING_REMOVE), 0);
	pending_close(journal.pending);
}

TEST(what_fails_is_tried_again_for_ever_and_not_at_once)
{
	struct pending_row rows[4];
	struct journal journal;
	int64_t now_s = 1000;

	init(&journal);
	doubt(&journal, PENDING_PUT, "a", now_s);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(due(&journal, now_s, rows), 1);
		assert_int_equal(tried(&journal, PENDING_PUT, "a", false, now_s), 0);
		assert_int_equal(due(&journal, now_s + 1, rows), 0);
		now_s += 5;
	}
	/* The minute has long been over. */
	assert_int_equal(tried(&journal, PENDING_PUT, "a", true, now_s), 1);
	pending_close(journal.pending);
}

TEST(a_start_takes_the_minute_anew)
{
	struct journal journal;

	init(&journal);
	begin(&journal, PENDING_PUT, "a");
	again(&journal, "boot 1", 5000);
	assert_int_equal(tried(&journal, PENDING_PUT, "a", true, 5000 + PENDING_AGAIN_S - 1), 0);
	assert_int_equal(tried(&journal, PENDING_PUT, "a", true, 5000 + PENDING_AGAIN_S), 1);
	pending_close(journal.pending);
}

TEST(a_name_is_pending_once)
{
	struct journal journal;
	struct err err;

	init(&journal);
	begin(&journal, PENDING_PUT, "a");
	assert_int_equal(pending_begin(journal.pending, PENDING_PUT, "a", &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	begin(&journal, PENDING_REMOVE, "b");
	begin(&journal, PENDING_REMOVE, "b"); /* two may remove the same */
	doubt(&journal, PENDING_REMOVE, "b", 1000);
	doubt(&journal, PENDING_REMOVE, "b", 1000);
	assert_int_equal(doubts(&journal, PENDING_REMOVE), 1);
	assert_true(pending_is_doubtful(journal.pending, "b"));
	assert_false(pending_is_doubtful(journal.pending, "a"));
	assert_int_equal(pending_end(journal.pending, "b", &err), 0);
	assert_true(pending_is_doubtful(journal.pending, "b")); /* that of the other */
	pending_close(journal.pending);
}

TEST(a_journal_has_one_owner)
{
	struct journal journal;
	struct err err;

	init(&journal);
	assert_null(pending_open(journal.path, "boot 1", 0, on_left, &journal, &err));
	assert_int_equal(err.code, ERR_BUSY);
	pending_close(journal.pending);
}

TEST(a_journal_without_a_place_is_refused)
{
	struct err err;
	char path[300];

	snprintf(path, sizeof path, "%s/no/such/a.db", unit_scratch());
	assert_null(pending_open(path, NULL, 0, on_left, NULL, &err));
	assert_non_null(strstr(err.text, "no/such"));
}
