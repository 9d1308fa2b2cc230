#include "deletion/queue_files.h"

#include "core/crc32.h"
#include "core/disk.h"
#include "deletion/delete_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MODE = 0640,
	LINES_LIMIT = 1 << 30, /* bytes of LOG.again */
	BAD_MAX = 1000,        /* bytes of a damaged line that are kept */
};

const char *queue_name(const struct delete_queue *queue, const char *end,
	char out[QUEUE_PATH_LEN + QUEUE_NAME_LEN])
{
	snprintf(out, QUEUE_PATH_LEN + QUEUE_NAME_LEN, "%s%s", queue->log, end);
	return out;
}

int queue_file(const struct delete_queue *queue, const char *end, int flags, struct err *err)
{
	char path[QUEUE_PATH_LEN + QUEUE_NAME_LEN];
	int fd = disk->open(queue_name(queue, end, path), flags | O_CLOEXEC, FILE_MODE);

	if (fd < 0 && errno != ENOENT)
		err_errno(err, "cannot open %s", path);
	else if (fd < 0)
		err_set(err, ERR_NOT_FOUND, "there is no %s", path);
	else if (flags & O_CREAT)
		delete_log_give(fd, path);
	return fd;
}

bool queue_missing(const struct err *err)
{
	return err->code == ERR_NOT_FOUND;
}

/* ---- whole files ---- */

int queue_replace(
	const struct delete_queue *queue, const char *end, struct span bytes, struct err *err)
{
	char path[QUEUE_PATH_LEN + QUEUE_NAME_LEN], fresh[QUEUE_PATH_LEN + QUEUE_NAME_LEN];
	int fd, status = -1;

	queue_name(queue, ".new", fresh);
	queue_name(queue, end, path);
	fd = disk->open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return err_errno(err, "cannot open %s", fresh);
	errno = ENOSPC;
	if (disk->write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len || disk->fsync(fd) != 0 ||
		disk->rename(fresh, path) != 0)
		err_errno(err, "cannot write %s", path);
	else
		status = delete_log_sync_folder(path, err);
	disk->close(fd);
	return status;
}

int queue_remove(const struct delete_queue *queue, const char *end, struct err *err)
{
	char path[QUEUE_PATH_LEN + QUEUE_NAME_LEN];

	if (disk->unlink(queue_name(queue, end, path)) != 0)
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

/* One of another file is none: what is repeated does no harm. */
int queue_read_position(const struct delete_queue *queue, uint64_t inode, off_t size, off_t *offset,
	struct err *err)
{
	char text[80], again[80];
	uint64_t number, at;
	struct err why;
	ssize_t len;
	int fd = queue_file(queue, ".position", O_RDONLY, &why);

	*offset = 0;
	if (fd < 0 && queue_missing(&why))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	len = disk_pread(fd, text, sizeof text - 1, 0);
	disk->close(fd);
	if (len < 0)
		return err_errno(err, "cannot read %s.position", queue->log);
	text[len] = '\0';
	if (sscanf(text, "position %" SCNu64 " %" SCNu64, &number, &at) == 2 && number == inode &&
		at <= (uint64_t)size && format_position(number, (off_t)at, again) == (size_t)len &&
		memcmp(text, again, (size_t)len) == 0)
		*offset = (off_t)at;
	return 0;
}

int queue_save_position(const struct delete_queue *queue, struct err *err)
{
	char text[80];
	size_t len = format_position(queue->inode, queue->reader.offset, text);

	return queue_replace(queue, ".position", span_of(text, len), err);
}

/* ---- undeletes ---- */

static bool is_undelete(struct span text)
{
	static const char verb[] = " undelete ";
	enum { AT = 24 }; /* behind the time */

	return text.len > AT + sizeof verb && memcmp(text.data + AT, verb, sizeof verb - 1) == 0;
}

int queue_find_undeletes(
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

/* ---- lines ---- */

void queue_put_lines(struct buf *out, const struct delete_line *lines, int count)
{
	buf_init(out, LINES_LIMIT);
	for (int i = 0; i < count; i++)
		delete_line_put(out, &lines[i]);
}

int queue_set_aside(struct delete_queue *queue, struct span text, struct err *err)
{
	char path[QUEUE_PATH_LEN + QUEUE_NAME_LEN];
	struct delete_log *bad = delete_log_open(queue_name(queue, ".bad", path), err);
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
