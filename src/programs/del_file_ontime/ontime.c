/* ontime.c - batches, and what to do when one fails.
 *
 * A package has one user number, so a batch goes out as a package a user.  When one fails
 * there are two reasons.  Either nobody can delete now, which a package without pictures
 * tells: then the run ends and the next one begins with that batch.  Or some of its
 * pictures fail: then each is sent alone, and those that still fail go to LOG.again, so
 * that one picture cannot hold up all behind it. */
#include "programs/del_file_ontime/ontime.h"

#include "core/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_LEN = 4 + PACKAGE_URL_LEN };

struct run {
	const struct ontime *ontime;
	struct ontime_sum *sum;
	struct delete_line *failed; /* of the batch */
	int failed_count;
	struct err why; /* the last of them */
};

static int send_package(
	const struct ontime *ontime, const struct delete_line *lines, int count, struct err *err)
{
	struct frame_call call = {
		.cmd = CMD_DELETE_NOW,
		.id = count == 0 ? 0 : lines[0].user,
		.repeat = FRAME_REPEAT,
	};
	struct buf body;
	int result;

	buf_init(&body, 4 + (size_t)count * ITEM_LEN);
	package_put_u32(&body, ontime->order, (uint32_t)count);
	for (int i = 0; i < count; i++) {
		struct package_item item = { .hostid = lines[i].hostid, .url = lines[i].url };

		package_item_encode(&body, ontime->order, &item);
	}
	assert(buf_ok(&body));
	call.body = buf_span(&body);
	result = frame_client_call(ontime->client, &call, NULL, err);
	buf_fini(&body);
	return result;
}

/* Pictures of one user.  -1 if nobody can delete now. */
static int send_or_note(
	struct run *run, const struct delete_line *lines, int count, struct err *err)
{
	struct err why;

	if (send_package(run->ontime, lines, count, &why) == 0) {
		run->sum->deleted += (uint64_t)count;
		return 0;
	}
	if (send_package(run->ontime, NULL, 0, err) != 0)
		return -1;
	if (count == 1) {
		run->failed[run->failed_count++] = lines[0];
		run->why = why;
		run->sum->failed++;
		return 0;
	}
	for (int i = 0; i < count; i++)
		if (send_or_note(run, &lines[i], 1, err) != 0)
			return -1;
	return 0;
}

static int by_user(const void *one, const void *other)
{
	const struct delete_line *a = one, *b = other;

	return (a->user > b->user) - (a->user < b->user);
}

/* A whole batch, whose order does not matter. */
static int send_batch(struct run *run, struct delete_line *lines, int count, struct err *err)
{
	run->failed_count = 0;
	qsort(lines, (size_t)count, sizeof *lines, by_user);
	for (int from = 0, to; from < count; from = to) {
		for (to = from; to < count && lines[to].user == lines[from].user;)
			to++;
		if (send_or_note(run, &lines[from], to - from, err) != 0)
			return -1;
	}
	return 0;
}

static bool stop_wanted(const struct ontime *ontime)
{
	return ontime->stop != NULL && ontime->stop();
}

/* What failed in earlier runs.  Of a run that ends early everything stays. */
static int do_again(struct run *run, struct delete_queue *queue, struct err *err)
{
	struct delete_line *lines = NULL;
	int count, left = 0, at = 0, result;

	result = delete_queue_again(queue, &lines, &count, err);
	if (result != 0 || count == 0)
		goto out;
	while (result == 0 && at < count && !stop_wanted(run->ontime)) {
		int size = count - at < run->ontime->batch ? count - at : run->ontime->batch;

		result = send_batch(run, &lines[at], size, err);
		if (result != 0)
			break;
		/* They move to the front, over those that are done. */
		memmove(&lines[left], run->failed, (size_t)run->failed_count * sizeof *lines);
		left += run->failed_count;
		at += size;
	}
	memmove(&lines[left], &lines[at], (size_t)(count - at) * sizeof *lines);
	left += count - at;
	if (left < count) {
		struct err why;

		if (delete_queue_again_set(queue, lines, left, &why) != 0 && result == 0) {
			*err = why;
			result = -1;
		}
	}
out:
	free(lines);
	return result;
}

/* One batch of what is due.  1 done, 0 there is none, -1. */
static int do_batch(
	struct run *run, struct delete_queue *queue, struct delete_line *lines, struct err *err)
{
	int count, result = -1;

	if (delete_queue_lock(queue, err) != 0)
		return -1;
	count = delete_queue_next(queue, clock_unix_ms() - run->ontime->older_than_ms, lines,
		run->ontime->batch, &run->sum->queue, err);
	if (count == 0)
		result = 0;
	else if (count > 0 && send_batch(run, lines, count, err) == 0 &&
		 delete_queue_done(queue, run->failed, run->failed_count, err) == 0)
		result = 1;
	delete_queue_unlock(queue);
	return result;
}

int ontime_run(const struct ontime *ontime, struct ontime_sum *sum, struct err *err)
{
	struct delete_queue *queue = delete_queue_open(ontime->log, true, err);
	struct run run = { .ontime = ontime, .sum = sum };
	struct delete_line *lines;
	int result = 1;

	*sum = (struct ontime_sum){ 0 };
	if (queue == NULL)
		return -1;
	lines = calloc((size_t)ontime->batch, sizeof *lines);
	run.failed = calloc((size_t)ontime->batch, sizeof *run.failed);
	assert(lines != NULL && run.failed != NULL);
	if (do_again(&run, queue, err) != 0)
		result = -1;
	while (result > 0 && !stop_wanted(ontime))
		result = do_batch(&run, queue, lines, err);
	free(lines);
	free(run.failed);
	delete_queue_close(queue);
	return result < 0 ? -1 : 0;
}

struct dry {
	int64_t until_ms;
	void (*visit)(void *context, const struct delete_line *line);
	void *context;
};

static void dry_visit(void *context, const struct delete_line *line, bool taken_back)
{
	const struct dry *dry = context;

	if (!taken_back && line->time_ms <= dry->until_ms)
		dry->visit(dry->context, line);
}

int ontime_dry_run(const struct ontime *ontime,
	void (*visit)(void *context, const struct delete_line *line), void *context,
	struct err *err)
{
	struct delete_queue *queue = delete_queue_open(ontime->log, false, err);
	struct dry dry = { clock_unix_ms() - ontime->older_than_ms, visit, context };
	struct delete_line *lines = NULL;
	int count = 0, result;

	if (queue == NULL)
		return -1;
	result = delete_queue_lock(queue, err);
	if (result == 0)
		result = delete_queue_again(queue, &lines, &count, err);
	for (int i = 0; i < count && result == 0; i++)
		visit(context, &lines[i]);
	if (result == 0)
		result = delete_queue_visit(queue, dry_visit, &dry, err);
	free(lines);
	delete_queue_close(queue);
	return result;
}
