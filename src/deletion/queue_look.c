/* queue_look.c - looking at what waits in a delete queue, and taking it back. */
#include "core/disk.h"
#include "deletion/delete_log.h"
#include "deletion/queue_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	int taken = queue_file(queue, ".taken", O_RDONLY, &why[0]);
	int log = queue_file(queue, "", O_RDONLY, &why[1]);
	off_t from = 0, scanned, log_scanned = 0;
	struct stat st;
	int result = 0;

	for (int i = 0; i < 2 && result == 0; i++) {
		if ((i == 0 ? taken : log) < 0 && !queue_missing(&why[i])) {
			*err = why[i];
			result = -1;
		}
	}
	if (result == 0 && taken >= 0)
		result = disk->fstat(taken, &st) != 0
				 ? err_errno(err, "cannot look at %s", queue->taken)
				 : queue_read_position(queue, st.st_ino, st.st_size, &from, err);
	scanned = from;
	if (result == 0 && taken >= 0)
		result = queue_find_undeletes(&look.back, taken, 0, &scanned, err);
	if (result == 0 && log >= 0)
		result = queue_find_undeletes(&look.back, log, IN_LOG, &log_scanned, err);
	if (result == 0 && taken >= 0)
		result = visit_file(&look, taken, 0, from, err);
	if (result == 0 && log >= 0)
		result = visit_file(&look, log, IN_LOG, 0, err);
	taken_back_fini(&look.back);
	if (taken >= 0)
		disk->close(taken);
	if (log >= 0)
		disk->close(log);
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
	queue_put_lines(&text, &line, 1);
	result = delete_log_append(log, buf_span(&text), err);
	buf_fini(&text);
	delete_log_close(log);
	return result;
}
