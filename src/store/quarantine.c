#include "store/quarantine.h"

#include "core/durable_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096, FILE_MODE = 0640, DIGITS_MAX = 18 };

#define TEXT_MAX ((size_t)QUARANTINE_MAX * (QUARANTINE_WHERE_MAX + QUARANTINE_REASON_MAX + 24))

static bool path_of(const char *folder, char out[PATH_LEN])
{
	return snprintf(out, PATH_LEN, "%s/quarantine", folder) < PATH_LEN;
}

static struct quarantine_entry *add(struct quarantine *list)
{
	struct quarantine_entry *more = realloc(
		list->entries, (list->count + 1) * sizeof *list->entries);

	assert(more != NULL);
	list->entries = more;
	more[list->count] = (struct quarantine_entry){ 0 };
	return &more[list->count++];
}

/* Bytes that can stand in a field: no control characters. */
static bool is_text(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return text.len > 0;
}

/* Decimal without leading zeros. */
static bool number(struct span text, int64_t *out)
{
	int64_t value = 0;

	if (text.len == 0 || text.len > DIGITS_MAX || (text.len > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (text.data[i] - '0');
	}
	*out = value;
	return true;
}

/* What stands in front of the next `end`, which is passed over too. */
static struct span take(struct span *text, char end)
{
	const uint8_t *at = text->len == 0 ? NULL : memchr(text->data, end, text->len);
	size_t len = at == NULL ? text->len : (size_t)(at - text->data);
	struct span taken = span_of(text->data, len);

	text->data += at == NULL ? len : len + 1;
	text->len -= at == NULL ? len : len + 1;
	return taken;
}

static void parse_line(struct quarantine *list, struct span line)
{
	struct span seconds = take(&line, '\t'), where = take(&line, '\t');
	struct quarantine_entry *entry;
	int64_t seen;

	if (list->count == QUARANTINE_MAX || !number(seconds, &seen) || !is_text(where) ||
		!is_text(line) || where.len >= QUARANTINE_WHERE_MAX ||
		line.len >= QUARANTINE_REASON_MAX)
		return;
	entry = add(list);
	entry->seen = seen;
	memcpy(entry->where, where.data, where.len);
	memcpy(entry->reason, line.data, line.len);
}

void quarantine_parse(struct quarantine *list, struct span text)
{
	*list = (struct quarantine){ 0 };
	while (text.len > 0)
		parse_line(list, take(&text, '\n'));
}

void quarantine_put(const struct quarantine *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++)
		buf_printf(out, "%" PRId64 "\t%s\t%s\n", list->entries[i].seen,
			list->entries[i].where, list->entries[i].reason);
}

int quarantine_read(struct quarantine *list, const char *folder, struct err *err)
{
	char path[PATH_LEN];
	struct buf text;
	ssize_t len = 0;
	int fd;

	*list = (struct quarantine){ 0 };
	if (!path_of(folder, path))
		return err_set(err, ERR_CONFIG, "the store path %s is too long", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot open %s", path);
	buf_init(&text, TEXT_MAX);
	for (;;) {
		uint8_t *room = buf_reserve(&text, 4096);

		if (room == NULL) /* longer than any that we write: the front will do */
			break;
		len = read(fd, room, 4096);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		text.len += (size_t)len;
	}
	if (len < 0)
		err_errno(err, "cannot read %s", path);
	else
		quarantine_parse(list, span_of(text.data, text.len));
	close(fd);
	buf_fini(&text);
	return len < 0 ? -1 : 0;
}

void quarantine_fini(struct quarantine *list)
{
	free(list->entries);
	*list = (struct quarantine){ 0 };
}

int quarantine_write(struct quarantine *list, const char *folder, struct err *err)
{
	char path[PATH_LEN];
	struct buf text;
	int result;

	if (!list->changed)
		return 0;
	if (!path_of(folder, path))
		return err_set(err, ERR_CONFIG, "the store path %s is too long", folder);
	if (list->count == 0) {
		list->changed = false;
		if (unlink(path) == 0 || errno == ENOENT)
			return 0;
		return err_errno(err, "cannot remove %s", path);
	}
	buf_init(&text, TEXT_MAX);
	quarantine_put(list, &text);
	assert(buf_ok(&text));
	result = durable_file_write(path, buf_span(&text), FILE_MODE, err);
	buf_fini(&text);
	list->changed = result != 0;
	return result;
}

bool quarantine_note(struct quarantine *list, int64_t now, const char *where, const char *reason)
{
	struct quarantine_entry *entry = NULL;
	bool fresh;

	for (size_t i = 0; entry == NULL && i < list->count; i++)
		if (strcmp(list->entries[i].where, where) == 0)
			entry = &list->entries[i];
	fresh = entry == NULL;
	if (fresh && list->count == QUARANTINE_MAX)
		return false;
	if (fresh)
		entry = add(list);
	entry->seen = now;
	snprintf(entry->where, sizeof entry->where, "%s", where);
	snprintf(entry->reason, sizeof entry->reason, "%s", reason);
	for (char *c = entry->reason; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	list->changed = true;
	return fresh;
}

void quarantine_forget_before(struct quarantine *list, int64_t then)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->entries[i].seen >= then)
			list->entries[kept++] = list->entries[i];
	list->changed |= kept != list->count;
	list->count = kept;
}

void quarantine_where(uint16_t volume, uint64_t offset, char out[QUARANTINE_WHERE_MAX])
{
	snprintf(out, QUARANTINE_WHERE_MAX, "data/%02X/%02X.vol@%" PRIu64, volume >> 8,
		volume & 255, offset);
}
