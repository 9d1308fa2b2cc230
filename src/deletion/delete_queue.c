#include "deletion/delete_queue.h"

#include "core/disk.h"
#include "deletion/delete_log.h"
#include "deletion/queue_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct delete_queue *delete_queue_open(const char *log, bool work, struct err *err)
{
	struct delete_queue *queue = calloc(1, sizeof *queue);

	assert(queue != NULL);
	queue->lock = queue->run = queue->fd = -1;
	if ((size_t)snprintf(queue->log, sizeof queue->log, "%s", log) >= sizeof queue->log) {
		err_set(err, ERR_CONFIG, "the path of the delete log is too long");
		goto fail;
	}
	queue_name(queue, ".taken", queue->taken);
	queue->lock = queue_file(queue, ".lock", O_RDWR | O_CREAT, err);
	if (queue->lock < 0)
		goto fail;
	if (!work)
		return queue;
	queue->run = queue_file(queue, ".run", O_RDWR | O_CREAT, err);
	if (queue->run < 0)
		goto fail;
	if (disk->flock(queue->run, LOCK_EX | LOCK_NB) != 0) {
		err_set(err, ERR_BUSY, "somebody else is working on %s", log);
		goto fail;
	}
	return queue;
fail:
	delete_queue_close(queue);
	return NULL;
}

static void forget_taken(struct delete_queue *queue)
{
	if (queue->fd >= 0) {
		line_reader_fini(&queue->reader);
		disk->close(queue->fd);
	}
	queue->fd = -1;
	taken_back_fini(&queue->back);
	queue->log_inode = 0;
	queue->log_seen = 0;
}

void delete_queue_close(struct delete_queue *queue)
{
	if (queue == NULL)
		return;
	forget_taken(queue);
	if (queue->lock >= 0)
		disk->close(queue->lock);
	if (queue->run >= 0)
		disk->close(queue->run);
	free(queue);
}

int delete_queue_lock(struct delete_queue *queue, struct err *err)
{
	while (disk->flock(queue->lock, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_errno(err, "cannot lock %s.lock", queue->log);
	return 0;
}

void delete_queue_unlock(struct delete_queue *queue)
{
	disk->flock(queue->lock, LOCK_UN);
}

/* What has been written to LOG since the last look. */
static int look_into_log(struct delete_queue *queue, struct err *err)
{
	struct err why;
	struct stat st;
	int fd = queue_file(queue, "", O_RDONLY, &why), result = 0;

	if (fd < 0 && queue_missing(&why))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	if (disk->fstat(fd, &st) != 0)
		result = err_errno(err, "cannot look at %s", queue->log);
	else if (st.st_ino != queue->log_inode)
		queue->log_seen = 0;
	if (result == 0) {
		queue->log_inode = st.st_ino;
		result = queue_find_undeletes(&queue->back, fd, IN_LOG, &queue->log_seen, err);
	}
	disk->close(fd);
	return result;
}

/* ---- LOG.taken ---- */

/* Is the first line of LOG due?  One that cannot be read is, to be set aside. */
static int log_is_due(const struct delete_queue *queue, int64_t until_ms, struct err *err)
{
	struct line_reader reader;
	struct delete_line line;
	struct err why;
	struct span text;
	bool whole;
	int got, fd = queue_file(queue, "", O_RDONLY, &why);

	if (fd < 0 && queue_missing(&why))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	line_reader_init(&reader, fd, 0);
	got = line_reader_next(&reader, &text, &whole, err);
	if (got > 0 && delete_line_parse(text, &line) && line.time_ms > until_ms)
		got = 0;
	line_reader_fini(&reader);
	disk->close(fd);
	return got;
}

/* Go to where LOG.taken is done. */
static int enter_taken(struct delete_queue *queue, struct err *err)
{
	struct stat st;
	off_t offset;

	line_reader_init(&queue->reader, queue->fd, 0);
	if (disk->fstat(queue->fd, &st) != 0)
		return err_errno(err, "cannot look at %s", queue->taken);
	queue->inode = st.st_ino;
	if (queue_read_position(queue, st.st_ino, st.st_size, &offset, err) != 0)
		return -1;
	queue->reader.offset = offset;
	return queue_find_undeletes(&queue->back, queue->fd, 0, &offset, err);
}

/* Open LOG.taken, which LOG may become now.  1, 0 there is none, -1. */
static int open_taken(struct delete_queue *queue, int64_t until_ms, struct err *err)
{
	struct err why;
	int got;

	if (queue->fd >= 0)
		return 1;
	queue->fd = queue_file(queue, ".taken", O_RDONLY, &why);
	if (queue->fd < 0 && queue_missing(&why)) {
		got = log_is_due(queue, until_ms, err);
		if (got <= 0)
			return got;
		/* It is that of a file that is done. */
		if (queue_remove(queue, ".position", err) != 0)
			return -1;
		got = delete_log_take(queue->log, queue->taken, err);
		if (got <= 0)
			return got;
		queue->fd = queue_file(queue, ".taken", O_RDONLY, &why);
	}
	if (queue->fd < 0) {
		*err = why;
		return -1;
	}
	if (enter_taken(queue, err) == 0)
		return 1;
	forget_taken(queue);
	return -1;
}

static int finish_taken(struct delete_queue *queue, struct err *err)
{
	forget_taken(queue);
	return queue_remove(queue, ".taken", err) == 0 ? queue_remove(queue, ".position", err) : -1;
}

/* Go on in LOG.taken.  `*end` is set when all of it has been read. */
static int read_taken(struct delete_queue *queue, int64_t until_ms, struct delete_line *lines,
	int max, struct delete_figures *figures, bool *end, struct err *err)
{
	struct delete_line line;
	struct span text;
	int count = 0, got = 0;
	bool whole;

	while (count < max) {
		got = line_reader_next(&queue->reader, &text, &whole, err);
		if (got <= 0)
			break;
		if (!delete_line_parse(text, &line)) {
			/* The newline that mended a torn line leaves an empty one at most. */
			if (text.len > 0 && queue_set_aside(queue, text, err) != 0)
				return -1;
			figures->damaged += text.len > 0;
			continue;
		}
		if (line.verb == DELETE_VERB_UNDELETE)
			continue;
		if (taken_back_has(&queue->back, line.url.text, (uint64_t)queue->reader.start)) {
			figures->taken_back++;
			continue;
		}
		if (line.time_ms > until_ms) {
			/* The reader has it still. */
			queue->reader.at -= (size_t)(queue->reader.offset - queue->reader.start);
			queue->reader.offset = queue->reader.start;
			break;
		}
		lines[count++] = line;
	}
	*end = got == 0 && count < max;
	return got < 0 ? -1 : count;
}

int delete_queue_next(struct delete_queue *queue, int64_t until_ms, struct delete_line *lines,
	int max, struct delete_figures *figures, struct err *err)
{
	for (;;) {
		int got = open_taken(queue, until_ms, err);
		bool end;

		if (got <= 0)
			return got;
		if (look_into_log(queue, err) != 0)
			return -1;
		got = read_taken(queue, until_ms, lines, max, figures, &end, err);
		if (got != 0 || !end)
			return got;
		if (finish_taken(queue, err) != 0)
			return -1;
	}
}

static int append_again(
	struct delete_queue *queue, const struct delete_line *lines, int count, struct err *err)
{
	char path[QUEUE_PATH_LEN + QUEUE_NAME_LEN];
	struct delete_log *again = delete_log_open(queue_name(queue, ".again", path), err);
	struct buf text;
	int result;

	if (again == NULL)
		return -1;
	queue_put_lines(&text, lines, count);
	result = delete_log_append(again, buf_span(&text), err);
	buf_fini(&text);
	delete_log_close(again);
	return result;
}

int delete_queue_done(
	struct delete_queue *queue, const struct delete_line *failed, int count, struct err *err)
{
	if (count > 0 && append_again(queue, failed, count, err) != 0)
		return -1;
	return queue->fd < 0 ? 0 : queue_save_position(queue, err);
}

/* ---- LOG.again ---- */

int delete_queue_again(
	struct delete_queue *queue, struct delete_line **lines, int *count, struct err *err)
{
	struct line_reader reader;
	struct err why;
	struct span text;
	int got, cap = 0, fd = queue_file(queue, ".again", O_RDONLY, &why);
	bool whole;

	*lines = NULL;
	*count = 0;
	if (fd < 0 && queue_missing(&why))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	line_reader_init(&reader, fd, 0);
	while ((got = line_reader_next(&reader, &text, &whole, err)) > 0) {
		if (*count == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			*lines = realloc(*lines, (size_t)cap * sizeof **lines);
			assert(*lines != NULL);
		}
		if (delete_line_parse(text, &(*lines)[*count]))
			++*count;
		else if (text.len > 0 && queue->run >= 0 && queue_set_aside(queue, text, err) != 0)
			got = -1;
		if (got < 0)
			break;
	}
	line_reader_fini(&reader);
	disk->close(fd);
	return got < 0 ? -1 : 0;
}

int delete_queue_again_set(
	struct delete_queue *queue, const struct delete_line *lines, int count, struct err *err)
{
	struct buf text;
	int result;

	if (count == 0)
		return queue_remove(queue, ".again", err);
	queue_put_lines(&text, lines, count);
	result = buf_ok(&text) ? queue_replace(queue, ".again", buf_span(&text), err)
			       : err_set(err, ERR_TOO_LARGE, "%s.again is too long", queue->log);
	buf_fini(&text);
	return result;
}
