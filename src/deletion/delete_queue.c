#include "deletion/delete_queue.h"

#include "core/crc32.h"
#include "deletion/delete_log.h"
#include "deletion/line_reader.h"
#include "deletion/taken_back.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MODE = 0640,
	PATH_LEN = 4096,
	NAME_LEN = 16,
	LINES_LIMIT = 1 << 30, /* bytes of LOG.again */
	BAD_MAX = 1000,        /* bytes of a damaged line that are kept */
};

/* A place in the log: LOG.taken is before LOG. */
#define IN_LOG (UINT64_C(1) << 62)

struct delete_queue {
	char log[PATH_LEN], taken[PATH_LEN + NAME_LEN];
	int lock, run; /* descriptors, or -1 */
	int fd;        /* of LOG.taken, or -1 */
	uint64_t inode;
	struct line_reader reader; /* of it */
	struct taken_back back;
	uint64_t log_inode; /* of LOG, as far as it was looked through for undeletes */
	off_t log_seen;
};

static const char *name(const struct delete_queue *queue, const char *end, char out[])
{
	snprintf(out, PATH_LEN + NAME_LEN, "%s%s", queue->log, end);
	return out;
}

static int open_file(const struct delete_queue *queue, const char *end, int flags, struct err *err)
{
	char path[PATH_LEN + NAME_LEN];
	int fd = open(name(queue, end, path), flags | O_CLOEXEC, FILE_MODE);

	if (fd < 0 && errno != ENOENT)
		err_errno(err, "cannot open %s", path);
	else if (fd < 0)
		err_set(err, ERR_NOT_FOUND, "there is no %s", path);
	else if (flags & O_CREAT)
		delete_log_give(fd, path);
	return fd;
}

static bool missing(const struct err *err)
{
	return err->code == ERR_NOT_FOUND;
}

struct delete_queue *delete_queue_open(const char *log, bool work, struct err *err)
{
	struct delete_queue *queue = calloc(1, sizeof *queue);

	assert(queue != NULL);
	queue->lock = queue->run = queue->fd = -1;
	if ((size_t)snprintf(queue->log, sizeof queue->log, "%s", log) >= sizeof queue->log) {
		err_set(err, ERR_CONFIG, "the path of the delete log is too long");
		goto fail;
	}
	name(queue, ".taken", queue->taken);
	queue->lock = open_file(queue, ".lock", O_RDWR | O_CREAT, err);
	if (queue->lock < 0)
		goto fail;
	if (!work)
		return queue;
	queue->run = open_file(queue, ".run", O_RDWR | O_CREAT, err);
	if (queue->run < 0)
		goto fail;
	if (flock(queue->run, LOCK_EX | LOCK_NB) != 0) {
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
		close(queue->fd);
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
		close(queue->lock);
	if (queue->run >= 0)
		close(queue->run);
	free(queue);
}

int delete_queue_lock(struct delete_queue *queue, struct err *err)
{
	while (flock(queue->lock, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_errno(err, "cannot lock %s.lock", queue->log);
	return 0;
}

void delete_queue_unlock(struct delete_queue *queue)
{
	flock(queue->lock, LOCK_UN);
}

/* ---- whole files ---- */

/* A file that is there as it was or as it is now, whatever happens. */
static int replace(
	const struct delete_queue *queue, const char *end, struct span bytes, struct err *err)
{
	char path[PATH_LEN + NAME_LEN], fresh[PATH_LEN + NAME_LEN];
	int fd, status = -1;

	name(queue, ".new", fresh);
	name(queue, end, path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return err_errno(err, "cannot open %s", fresh);
	errno = ENOSPC;
	if (write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len || fsync(fd) != 0 ||
		rename(fresh, path) != 0)
		err_errno(err, "cannot write %s", path);
	else
		status = delete_log_sync_folder(path, err);
	close(fd);
	return status;
}

static int remove_file(const struct delete_queue *queue, const char *end, struct err *err)
{
	char path[PATH_LEN + NAME_LEN];

	if (unlink(name(queue, end, path)) != 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot remove %s", path);
	return delete_log_sync_folder(path, err);
}

/* ---- the position ---- */

static size_t format_position(uint64_t inode, off_t offset, char out[80])
{
	int len = snprintf(out, 80, "position %" PRIu64 " %" PRIu64 " ", inode, (uint64_t)offset);

	return (size_t)len + (size_t)snprintf(out + len, 80 - (size_t)len, "%08" PRIx32 "\n",
				     crc32_add(0, span_of(out, (size_t)len)));
}

/* 0 if there is none, or one of another file: what is repeated does no harm. */
static int read_position(const struct delete_queue *queue, uint64_t inode, off_t size,
	off_t *offset, struct err *err)
{
	char text[80], again[80];
	uint64_t number, at;
	struct err why;
	ssize_t len;
	int fd = open_file(queue, ".position", O_RDONLY, &why);

	*offset = 0;
	if (fd < 0 && missing(&why))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	len = read(fd, text, sizeof text - 1);
	close(fd);
	if (len < 0)
		return err_errno(err, "cannot read %s.position", queue->log);
	text[len] = '\0';
	if (sscanf(text, "position %" SCNu64 " %" SCNu64, &number, &at) == 2 && number == inode &&
		at <= (uint64_t)size && format_position(number, (off_t)at, again) == (size_t)len &&
		memcmp(text, again, (size_t)len) == 0)
		*offset = (off_t)at;
	return 0;
}

static int save_position(const struct delete_queue *queue, struct err *err)
{
	char text[80];
	size_t len = format_position(queue->inode, queue->reader.offset, text);

	return replace(queue, ".position", span_of(text, len), err);
}

/* ---- undeletes ---- */

static bool is_undelete(struct span text)
{
	static const char verb[] = " undelete ";
	enum { AT = 24 }; /* behind the time */

	return text.len > AT + sizeof verb && memcmp(text.data + AT, verb, sizeof verb - 1) == 0;
}

/* Add those that stand from `*from` on, up to the last whole line. */
static int look_for_undeletes(
	struct taken_back *back, int fd, uint64_t base, off_t *from, struct err *err)
{
	struct line_reader reader;
	struct delete_line line;
	struct span text;
	bool whole;
	int got;

	line_reader_init(&reader, fd, *from);
	while ((got = line_reader_next(&reader, &text, &whole, err)) > 0 && whole) {
		*from = reader.offset;
		if (is_undelete(text) && delete_line_parse(text, &line))
			taken_back_add(back, line.url.text, base + (uint64_t)reader.start);
	}
	line_reader_fini(&reader);
	return got < 0 ? -1 : 0;
}

/* What has been written to LOG since the last look. */
static int look_into_log(struct delete_queue *queue, struct err *err)
{
	struct err why;
	struct stat st;
	int fd = open_file(queue, "", O_RDONLY, &why), result = 0;

	if (fd < 0 && missing(&why))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	if (fstat(fd, &st) != 0)
		result = err_errno(err, "cannot look at %s", queue->log);
	else if (st.st_ino != queue->log_inode)
		queue->log_seen = 0;
	if (result == 0) {
		queue->log_inode = st.st_ino;
		result = look_for_undeletes(&queue->back, fd, IN_LOG, &queue->log_seen, err);
	}
	close(fd);
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
	int got, fd = open_file(queue, "", O_RDONLY, &why);

	if (fd < 0 && missing(&why))
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
	close(fd);
	return got;
}

/* Go to where LOG.taken is done. */
static int enter_taken(struct delete_queue *queue, struct err *err)
{
	struct stat st;
	off_t offset;

	line_reader_init(&queue->reader, queue->fd, 0);
	if (fstat(queue->fd, &st) != 0)
		return err_errno(err, "cannot look at %s", queue->taken);
	queue->inode = st.st_ino;
	if (read_position(queue, st.st_ino, st.st_size, &offset, err) != 0)
		return -1;
	queue->reader.offset = offset;
	return look_for_undeletes(&queue->back, queue->fd, 0, &offset, err);
}

/* Open LOG.taken, which LOG may become now.  1, 0 there is none, -1. */
static int open_taken(struct delete_queue *queue, int64_t until_ms, struct err *err)
{
	struct err why;
	int got;

	if (queue->fd >= 0)
		return 1;
	queue->fd = open_file(queue, ".taken", O_RDONLY, &why);
	if (queue->fd < 0 && missing(&why)) {
		got = log_is_due(queue, until_ms, err);
		if (got <= 0)
			return got;
		/* It is that of a file that is done. */
		if (remove_file(queue, ".position", err) != 0)
			return -1;
		got = delete_log_take(queue->log, queue->taken, err);
		if (got <= 0)
			return got;
		queue->fd = open_file(queue, ".taken", O_RDONLY, &why);
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
	return remove_file(queue, ".taken", err) == 0 ? remove_file(queue, ".position", err) : -1;
}

static int set_aside(struct delete_queue *queue, struct span text, struct err *err)
{
	char path[PATH_LEN + NAME_LEN];
	struct delete_log *bad = delete_log_open(name(queue, ".bad", path), err);
	struct buf line;
	int result;

	if (bad == NULL)
		return -1;
	if (text.len > BAD_MAX)
		text.len = BAD_MAX;
	buf_init(&line, BAD_MAX + 1);
	buf_put_span(&line, text);
	buf_put_u8(&line, '\n');
	result = delete_log_append(bad, buf_span(&line), err);
	buf_fini(&line);
	delete_log_close(bad);
	return result;
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
			if (text.len > 0 && set_aside(queue, text, err) != 0)
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

static void put_lines(struct buf *out, const struct delete_line *lines, int count)
{
	buf_init(out, LINES_LIMIT);
	for (int i = 0; i < count; i++)
		delete_line_put(out, &lines[i]);
}

static int append_again(
	struct delete_queue *queue, const struct delete_line *lines, int count, struct err *err)
{
	char path[PATH_LEN + NAME_LEN];
	struct delete_log *again = delete_log_open(name(queue, ".again", path), err);
	struct buf text;
	int result;

	if (again == NULL)
		return -1;
	put_lines(&text, lines, count);
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
	return queue->fd < 0 ? 0 : save_position(queue, err);
}

/* ---- LOG.again ---- */

int delete_queue_again(
	struct delete_queue *queue, struct delete_line **lines, int *count, struct err *err)
{
	struct line_reader reader;
	struct err why;
	struct span text;
	int got, cap = 0, fd = open_file(queue, ".again", O_RDONLY, &why);
	bool whole;

	*lines = NULL;
	*count = 0;
	if (fd < 0 && missing(&why))
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
		else if (text.len > 0 && queue->run >= 0 && set_aside(queue, text, err) != 0)
			got = -1;
		if (got < 0)
			break;
	}
	line_reader_fini(&reader);
	close(fd);
	return got < 0 ? -1 : 0;
}

int delete_queue_again_set(
	struct delete_queue *queue, const struct delete_line *lines, int count, struct err *err)
{
	struct buf text;
	int result;

	if (count == 0)
		return remove_file(queue, ".again", err);
	put_lines(&text, lines, count);
	result = buf_ok(&text) ? replace(queue, ".again", buf_span(&text), err)
			       : err_set(err, ERR_TOO_LARGE, "%s.again is too long", queue->log);
	buf_fini(&text);
	return result;
}

/* ---- looking, and taking back ---- */

struct look {
	struct taken_back back;
	void (*visit)(void *context, const struct delete_line *line, bool taken_back);
	void *context;
};

static int visit_file(struct look *look, int fd, uint64_t base, off_t from, struct err *err)
{
	struct line_reader reader;
	struct delete_line line;
	struct span text;
	bool whole;
	int got;

	line_reader_init(&reader, fd, from);
	while ((got = line_reader_next(&reader, &text, &whole, err)) > 0)
		if (delete_line_parse(text, &line) && line.verb == DELETE_VERB_DELETE)
			look->visit(look->context, &line,
				taken_back_has(
					&look->back, line.url.text, base + (uint64_t)reader.start));
	line_reader_fini(&reader);
	return got;
}

int delete_queue_visit(struct delete_queue *queue,
	void (*visit)(void *context, const struct delete_line *line, bool taken_back),
	void *context, struct err *err)
{
	struct look look = { .visit = visit, .context = context };
	struct err why[2];
	int taken = open_file(queue, ".taken", O_RDONLY, &why[0]);
	int log = open_file(queue, "", O_RDONLY, &why[1]);
	off_t from = 0, scanned, log_scanned = 0;
	struct stat st;
	int result = 0;

	for (int i = 0; i < 2 && result == 0; i++) {
		if ((i == 0 ? taken : log) < 0 && !missing(&why[i])) {
			*err = why[i];
			result = -1;
		}
	}
	if (result == 0 && taken >= 0)
		result = fstat(taken, &st) != 0
				 ? err_errno(err, "cannot look at %s", queue->taken)
				 : read_position(queue, st.st_ino, st.st_size, &from, err);
	scanned = from;
	if (result == 0 && taken >= 0)
		result = look_for_undeletes(&look.back, taken, 0, &scanned, err);
	if (result == 0 && log >= 0)
		result = look_for_undeletes(&look.back, log, IN_LOG, &log_scanned, err);
	if (result == 0 && taken >= 0)
		result = visit_file(&look, taken, 0, from, err);
	if (result == 0 && log >= 0)
		result = visit_file(&look, log, IN_LOG, 0, err);
	taken_back_fini(&look.back);
	if (taken >= 0)
		close(taken);
	if (log >= 0)
		close(log);
	return result;
}

struct wanted {
	const char *url;
	bool waits;
	uint32_t hostid;
};

static void look_for(void *context, const struct delete_line *line, bool taken_back)
{
	struct wanted *wanted = context;

	if (taken_back || strcmp(line->url.text, wanted->url) != 0)
		return;
	wanted->waits = true;
	wanted->hostid = line->hostid;
}

/* Not waiting: has it been begun? */
static int why_not(struct delete_queue *queue, const char *url, struct err *err)
{
	struct delete_line *lines;
	bool begun = false;
	int count, result;

	result = delete_queue_again(queue, &lines, &count, err);
	for (int i = 0; i < count; i++)
		begun = begun || strcmp(lines[i].url.text, url) == 0;
	free(lines);
	if (result != 0)
		return -1;
	if (begun)
		return err_set(err, ERR_BUSY, "%s: its deletion has been begun", url);
	return err_set(err, ERR_NOT_FOUND, "%s does not wait to be deleted", url);
}

int delete_queue_take_back(
	struct delete_queue *queue, const char *url, uint32_t user, int64_t now_ms, struct err *err)
{
	struct delete_line line = {
		.time_ms = now_ms,
		.verb = DELETE_VERB_UNDELETE,
		.user = user,
	};
	struct wanted wanted = { .url = url };
	struct delete_log *log;
	struct buf text;
	int result;

	if (!delete_line_url_ok(span_str(url)))
		return err_set(err, ERR_BAD_ID, "'%.100s' is not the id of a picture", url);
	if (delete_queue_visit(queue, look_for, &wanted, err) != 0)
		return -1;
	if (!wanted.waits)
		return why_not(queue, url, err);
	log = delete_log_open(queue->log, err);
	if (log == NULL)
		return -1;
	snprintf(line.url.text, sizeof line.url.text, "%s", url);
	line.hostid = wanted.hostid;
	put_lines(&text, &line, 1);
	result = delete_log_append(log, buf_span(&text), err);
	buf_fini(&text);
	delete_log_close(log);
	return result;
}
