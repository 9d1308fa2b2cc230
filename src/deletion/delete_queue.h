/* delete_queue.h - the delete log as a queue: what stands in it until it has been done.
 *
 *     LOG           del_svr appends here
 *     LOG.taken     was LOG; is read from the front, and removed at its end
 *     LOG.position  how far LOG.taken is done: "position INODE OFFSET CRC"
 *     LOG.again     lines whose delete failed; they are tried at each run
 *     LOG.bad       what is no line, set aside for somebody to look at
 *     LOG.lock      held while a batch is being done, and while one is taken back
 *     LOG.run       held by the one that works on the queue
 *
 * LOG is taken as soon as its first line is due and LOG.taken is done.  The position moves
 * when a batch is done: a crash repeats a batch, and skips none. */
#pragma once

#include "core/err.h"
#include "deletion/delete_line.h"

struct delete_queue;

struct delete_figures {
	uint64_t taken_back; /* passed over, as an undelete stands behind them */
	uint64_t damaged;    /* set aside */
};

/* `work`: to work on the queue, which one process may at a time (else ERR_BUSY). */
struct delete_queue *delete_queue_open(const char *log, bool work, struct err *err);
void delete_queue_close(struct delete_queue *queue); /* NULL is fine */

/* Nobody takes anything back, or does a batch, until the unlock; waits for it. */
int delete_queue_lock(struct delete_queue *queue, struct err *err);
void delete_queue_unlock(struct delete_queue *queue);

/* Read the next deletes of at most `until_ms`, which the next call after a
 * delete_queue_done goes on behind.  Returns how many, at most `max`; 0 if none is due;
 * or -1.  Under the lock, until delete_queue_done. */
int delete_queue_next(struct delete_queue *queue, int64_t until_ms, struct delete_line *lines,
	int max, struct delete_figures *figures, struct err *err);

/* What delete_queue_next gave is done, but for `failed`, which go to LOG.again. */
int delete_queue_done(
	struct delete_queue *queue, const struct delete_line *failed, int count, struct err *err);

/* Read LOG.again into an array that the caller frees, and replace what stands there. */
int delete_queue_again(
	struct delete_queue *queue, struct delete_line **lines, int *count, struct err *err);
int delete_queue_again_set(
	struct delete_queue *queue, const struct delete_line *lines, int count, struct err *err);

/* Look at every delete that waits, in order, changing nothing. */
int delete_queue_visit(struct delete_queue *queue,
	void (*visit)(void *context, const struct delete_line *line, bool taken_back),
	void *context, struct err *err);

/* Take back the delete of `url` that waits: ERR_NOT_FOUND if there is none, ERR_BUSY if
 * it has been begun. */
int delete_queue_take_back(struct delete_queue *queue, const char *url, uint32_t user,
	int64_t now_ms, struct err *err);
