#include "deletion/delete_log.h"
#include "deletion/delete_queue.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DUE = 1000000 };

/* A queue in a folder of its own. */
struct kit {
	char log[256];
	struct delete_queue *queue;
	struct delete_figures figures;
	struct delete_line lines[100];
};

static void start(struct kit *kit)
{
	*kit = (struct kit){ 0 };
	snprintf(kit->log, sizeof kit->log, "%s/delete.log", unit_scratch());
}

/* As after a crash: what was in memory is gone. */
static void reopen(struct kit *kit)
{
	struct err err = { 0 };

	delete_queue_close(kit->queue);
	kit->queue = delete_queue_open(kit->log, true, &err);
	if (kit->queue == NULL)
		fail_msg("%s", err.text);
}

static const char *url(int number)
{
	static char text[65];

	snprintf(text, sizeof text, "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY%07d", number);
	return text;
}

static void write_text(struct kit *kit, const char *text, size_t len)
{
	struct delete_log *log = delete_log_open(kit->log, NULL);

	assert_non_null(log);
	assert_int_equal(delete_log_append(log, span_of(text, len), NULL), 0);
	delete_log_close(log);
}

static void note(struct kit *kit, enum delete_verb verb, int number, int64_t time_ms)
{
	struct delete_line line = { .time_ms = time_ms, .verb = verb, .hostid = 7, .user = 1 };
	struct buf text;

	strcpy(line.url.text, url(number));
	buf_init(&text, 1000);
	delete_line_put(&text, &line);
	write_text(kit, (const char *)text.data, text.len);
	buf_fini(&text);
}

static int next(struct kit *kit, int max)
{
	struct err err = { 0 };
	int count = delete_queue_next(kit->queue, DUE, kit->lines, max, &kit->figures, &err);

	if (count < 0)
		fail_msg("%s", err.text);
	return count;
}

static void done(struct kit *kit, int failed)
{
	assert_int_equal(delete_queue_done(kit->queue, kit->lines, failed, NULL), 0);
}

static bool exists(struct kit *kit, const char *end)
{
	char path[300];

	snprintf(path, sizeof path, "%s%s", kit->log, end);
	return access(path, F_OK) == 0;
}

static void assert_line(struct kit *kit, int at, int number)
{
	assert_string_equal(kit->lines[at].url.text, url(number));
}

TEST(what_was_noted_comes_out_in_order_and_once)
{
	struct kit kit;

	start(&kit);
	for (int i = 0; i < 5; i++)
		note(&kit, DELETE_VERB_DELETE, i, i);
	reopen(&kit);
	assert_int_equal(next(&kit, 3), 3);
	assert_line(&kit, 0, 0);
	assert_line(&kit, 2, 2);
	done(&kit, 0);
	note(&kit, DELETE_VERB_DELETE, 5, 5);
	assert_int_equal(next(&kit, 100), 2);
	assert_line(&kit, 1, 4);
	done(&kit, 0);
	assert_int_equal(next(&kit, 100), 1);
	assert_line(&kit, 0, 5);
	done(&kit, 0);
	assert_int_equal(next(&kit, 100), 0);
	assert_false(exists(&kit, ".taken"));
	assert_false(exists(&kit, ".position"));
	delete_queue_close(kit.queue);
}

TEST(a_crash_repeats_a_batch_and_skips_none)
{
	struct kit kit;

	start(&kit);
	for (int i = 0; i < 6; i++)
		note(&kit, DELETE_VERB_DELETE, i, i);
	reopen(&kit);
	assert_int_equal(next(&kit, 2), 2);
	done(&kit, 0);
	assert_int_equal(next(&kit, 2), 2);
	reopen(&kit); /* it was not done */
	assert_int_equal(next(&kit, 2), 2);
	assert_line(&kit, 0, 2);
	delete_queue_close(kit.queue);
}

TEST(a_position_that_is_damaged_or_of_another_file_is_the_beginning)
{
	static const char *const bad[] = { "", "position", "position 1 5 00000000\n",
		"position 99999999999999999999999 1 00000000\n" };
	struct kit kit;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char path[300];
		FILE *file;

		start(&kit);
		note(&kit, DELETE_VERB_DELETE, 1, 1);
		note(&kit, DELETE_VERB_DELETE, 2, 2);
		reopen(&kit);
		assert_int_equal(next(&kit, 1), 1);
		done(&kit, 0);
		snprintf(path, sizeof path, "%s.position", kit.log);
		file = fopen(path, "w");
		fputs(bad[i], file);
		fclose(file);
		reopen(&kit);
		assert_int_equal(next(&kit, 1), 1);
		assert_line(&kit, 0, 1);
		delete_queue_close(kit.queue);
		kit.queue = NULL;
	}
}

TEST(nothing_comes_before_its_time)
{
	struct kit kit;

	start(&kit);
	note(&kit, DELETE_VERB_DELETE, 1, DUE + 1);
	reopen(&kit);
	assert_int_equal(next(&kit, 100), 0);
	assert_false(exists(&kit, ".taken")); /* not even taken */
	delete_queue_close(kit.queue);

	start(&kit);
	note(&kit, DELETE_VERB_DELETE, 1, DUE);
	note(&kit, DELETE_VERB_DELETE, 2, DUE + 1);
	reopen(&kit);
	assert_int_equal(next(&kit, 100), 1);
	assert_line(&kit, 0, 1);
	done(&kit, 0);
	assert_int_equal(next(&kit, 100), 0);
	reopen(&kit);
	assert_int_equal(next(&kit, 100), 0);
	assert_int_equal(
		delete_queue_next(kit.queue, DUE + 1, kit.lines, 100, &kit.figures, NULL), 1);
	assert_line(&kit, 0, 2);
	delete_queue_close(kit.queue);
}

TEST(an_undelete_takes_back_what_stands_above_it)
{
	struct kit kit;

	start(&kit);
	note(&kit, DELETE_VERB_DELETE, 1, 1);
	note(&kit, DELETE_VERB_DELETE, 2, 2);
	note(&kit, DELETE_VERB_UNDELETE, 1, 3);
	note(&kit, DELETE_VERB_UNDELETE, 2, 4);
	note(&kit, DELETE_VERB_DELETE, 2, 5); /* and once more */
	reopen(&kit);
	assert_int_equal(next(&kit, 100), 1);
	assert_line(&kit, 0, 2);
	assert_int_equal(kit.figures.taken_back, 2);
	delete_queue_close(kit.queue);
}

TEST(an_undelete_counts_from_the_newer_file_and_in_the_middle_of_a_run)
{
	struct kit kit;

	start(&kit);
	for (int i = 1; i <= 4; i++)
		note(&kit, DELETE_VERB_DELETE, i, i);
	reopen(&kit);
	assert_int_equal(next(&kit, 1), 1);
	done(&kit, 0);
	assert_int_equal(delete_queue_take_back(kit.queue, url(3), 9, DUE + 5, NULL), 0);
	assert_int_equal(next(&kit, 100), 2);
	assert_line(&kit, 0, 2);
	assert_line(&kit, 1, 4);
	done(&kit, 0);
	assert_int_equal(next(&kit, 100), 0);
	delete_queue_close(kit.queue);
}

TEST(only_what_waits_can_be_taken_back)
{
	struct err err = { 0 };
	struct kit kit;

	start(&kit);
	note(&kit, DELETE_VERB_DELETE, 1, 1);
	note(&kit, DELETE_VERB_DELETE, 2, 2);
	reopen(&kit);
	assert_int_equal(delete_queue_take_back(kit.queue, url(9), 0, 5, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(delete_queue_take_back(kit.queue, "no/id", 0, 5, &err), -1);
	assert_int_equal(err.code, ERR_BAD_ID);
	assert_int_equal(next(&kit, 1), 1);
	done(&kit, 1); /* it failed: some of it may be deleted */
	assert_int_equal(delete_queue_take_back(kit.queue, url(1), 0, 5, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_int_equal(delete_queue_take_back(kit.queue, url(2), 0, 5, &err), 0);
	assert_int_equal(delete_queue_take_back(kit.queue, url(2), 0, 6, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	delete_queue_close(kit.queue);
}

TEST(damaged_lines_are_set_aside)
{
	static const char damage[] = "one\n\0\xff\n\n2026-11-22T15:30:00.123Z delete 7 100\n";
	struct kit kit;
	struct stat st;
	char path[300], *big = malloc(200000);

	start(&kit);
	note(&kit, DELETE_VERB_DELETE, 1, 1);
	write_text(&kit, damage, sizeof damage - 1);
	note(&kit, DELETE_VERB_DELETE, 2, 2);
	memset(big, 'x', 199999);
	big[199999] = '\n';
	write_text(&kit, big, 200000);
	note(&kit, DELETE_VERB_DELETE, 3, 3);
	free(big);
	reopen(&kit);
	assert_int_equal(next(&kit, 100), 3);
	assert_line(&kit, 2, 3);
	assert_true(kit.figures.damaged >= 4);
	snprintf(path, sizeof path, "%s.bad", kit.log);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 1000);
	delete_queue_close(kit.queue);
}

TEST(what_failed_is_kept_and_can_be_replaced)
{
	struct delete_line *lines;
	struct kit kit;
	int count;

	start(&kit);
	for (int i = 1; i <= 3; i++)
		note(&kit, DELETE_VERB_DELETE, i, i);
	reopen(&kit);
	assert_int_equal(delete_queue_again(kit.queue, &lines, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(next(&kit, 100), 3);
	done(&kit, 2);
	reopen(&kit);
	assert_int_equal(delete_queue_again(kit.queue, &lines, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(lines[1].url.text, url(2));
	assert_int_equal(delete_queue_again_set(kit.queue, lines + 1, 1, NULL), 0);
	free(lines);
	assert_int_equal(delete_queue_again(kit.queue, &lines, &count, NULL), 0);
	assert_int_equal(count, 1);
	free(lines);
	assert_int_equal(delete_queue_again_set(kit.queue, NULL, 0, NULL), 0);
	assert_false(exists(&kit, ".again"));
	delete_queue_close(kit.queue);
}

TEST(one_works_on_a_queue_at_a_time)
{
	struct err err = { 0 };
	struct kit kit;

	start(&kit);
	reopen(&kit);
	assert_null(delete_queue_open(kit.log, true, &err));
	assert_int_equal(err.code, ERR_BUSY);
	delete_queue_close(kit.queue);
}
