#include "store/names_inside.h"
#include "store/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)NAMES_SPOT_END == (int)VOLUME_FIRST_SPOT, "names.db has no spots of records");

bool names_have(const struct file_id *id)
{
	return id->kind == FILE_ID_SLAVE || id->kind == FILE_ID_APPENDER ||
	       (id->kind == FILE_ID_NORMAL && id->random < NAMES_SPOT_END);
}

/* ---- files ---- */

static struct names_stat stat_of(struct sql_query *query)
{
	return (struct names_stat){
		.size = (uint64_t)sql_int(query, 1),
		.crc = (uint32_t)sql_int(query, 2),
		.is_appender = sql_is_null(query, 2),
		.changed = sql_int(query, 3),
	};
}

int names_find(struct names_link *link, const char *name, struct names_file *file, struct err *err)
{
	int got;

	sql_put_text(link->find, 1, span_str(name));
	got = sql_step(link->find, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name);
	if (got < 0)
		return -1;
	*file = (struct names_file){ sql_int(link->find, 0), stat_of(link->find) };
	sql_reset(link->find);
	if (file->stat.size > NAMES_SIZE_MAX)
		return err_set(err, ERR_CORRUPT, "names.db has a size for %s that none has", name);
	return 0;
}

int names_stat(struct names *names, const char *name, struct names_stat *out, struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	names_end_read(link);
	if (result == 0)
		*out = file.stat;
	return result;
}

int names_read(struct names *names, const char *name, uint64_t from, uint64_t len, struct buf *out,
	struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	if (result == 0)
		result = names_content_read(link, &file, from, len, out, err);
	names_end_read(link);
	return result == 0 ? 0 : err_prefix(err, "%s", name);
}

int names_crc(struct names *names, const char *name, uint32_t *crc, struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	if (result == 0)
		result = names_content_crc(link, &file, crc, err);
	names_end_read(link);
	return result;
}

/* The name in the first column. */
static int row_name(struct sql_query *query, char out[FILE_ID_NAME_MAX + 1], struct err *err)
{
	if (sql_copy(query, 0, out, FILE_ID_NAME_MAX + 1))
		return 0;
	sql_reset(query);
	return err_set(err, ERR_CORRUPT, "names.db has a name of more than %d characters",
		FILE_ID_NAME_MAX);
}

static int find_master(struct names_link *link, const char *name, char master[FILE_ID_NAME_MAX + 1],
	struct err *err)
{
	struct sql_query *query = link->master;
	int got;

	sql_put_text(query, 1, span_str(name));
	got = sql_step(query, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name);
	if (got < 0)
		return -1;
	*master = '\0';
	if (!sql_is_null(query, 0) && row_name(query, master, err) != 0)
		return -1;
	sql_reset(query);
	return 0;
}

int names_master(
	struct names *names, const char *name, char master[FILE_ID_NAME_MAX + 1], struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	int result;

	if (link == NULL)
		return -1;
	result = find_master(link, name, master, err);
	names_end_read(link);
	return result;
}

/* ---- lists ---- */

/* What they do is seen by whoever reads next. */
static int wait_for_writers(struct names *names, struct err *err)
{
	struct names_link *link;

	if (names->driver->lock == NULL) {
		pthread_mutex_lock(&names->writer.lock);
		pthread_mutex_unlock(&names->writer.lock);
		return 0;
	}
	link = names_begin_write(names, err);
	if (link == NULL)
		return -1;
	names_end_write(link, -1, err);
	return 0;
}

int names_slaves(struct names *names, const char *name,
	void (*found)(void *context, const char *slave), void *context, struct err *err)
{
	struct names_link *link;
	char slave[FILE_ID_NAME_MAX + 1];
	int got;

	if (names->missing)
		return 0;
	if (wait_for_writers(names, err) != 0)
		return -1;
	link = names_begin_read(names, err);
	if (link == NULL)
		return -1;
	sql_put_text(link->slaves, 1, span_str(name));
	while ((got = sql_step(link->slaves, err)) == 1) {
		if ((got = row_name(link->slaves, slave, err)) != 0)
			break;
		found(context, slave);
	}
	names_end_read(link);
	return got;
}

typedef bool walk_found(void *context, const char *name, const struct names_stat *stat);

/* Some rows at a time: a reader that stays keeps the log from being written over, and who
 * walks may wait for a person or a disk. */
enum { WALK_PAGE = 256 };

struct walked {
	char name[FILE_ID_NAME_MAX + 1];
	struct names_stat stat;
};

/* The rows behind the name `after`; how many, or -1 with err. */
static int read_rows(struct sql_query *query, bool files, const char *after,
	struct walked rows[WALK_PAGE], struct err *err)
{
	int count = 0, got;

	sql_put_text(query, 1, span_str(after));
	sql_put_int(query, 2, WALK_PAGE);
	while ((got = sql_step(query, err)) == 1) {
		if (row_name(query, rows[count].name, err) != 0)
			return -1;
		if (files)
			rows[count].stat = stat_of(query);
		count++;
	}
	return got < 0 ? -1 : count;
}

static int read_page(struct names *names, bool files, const char *after,
	struct walked rows[WALK_PAGE], struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	int count;

	if (link == NULL)
		return -1;
	count = read_rows(files ? link->files : link->metadata_names, files, after, rows, err);
	names_end_read(link);
	return count;
}

/* 1: stopped. */
static int walk(struct names *names, bool files, walk_found *found, void *context, struct err *err)
{
	struct walked *rows = calloc(WALK_PAGE, sizeof *rows);
	char after[FILE_ID_NAME_MAX + 1] = "";
	bool more = true;
	int count = 0;

	assert(rows != NULL);
	while (more && (count = read_page(names, files, after, rows, err)) > 0) {
		strcpy(after, rows[count - 1].name);
		for (int i = 0; i < count && more; i++)
			more = found(context, rows[i].name, files ? &rows[i].stat : NULL);
	}
	free(rows);
	return count < 0 ? -1 : !more;
}

int names_walk(struct names *names, walk_found *found, void *context, struct err *err)
{
	int result;

	if (names->missing)
		return 0;
	result = walk(names, true, found, context, err);
	if (result == 0)
		result = walk(names, false, found, context, err);
	return result < 0 ? -1 : 0;
}

static int ask_database(struct names_link *link, struct err *err)
{
	char text[160];
	int got = sql_step(link->sound, err);

	if (got != 1)
		return got < 0 ? -1 : err_set(err, ERR_CORRUPT, "names.db cannot be checked");
	sql_copy(link->sound, 0, text, sizeof text);
	sql_reset(link->sound);
	if (strcmp(text, "ok") == 0)
		return 0;
	return err_set(err, ERR_CORRUPT, "names.db: %s", text);
}

static int sound(struct names_link *link, struct err *err)
{
	int got;

	if (link->sound != NULL && ask_database(link, err) != 0)
		return -1;
	got = sql_step(link->lost, err);
	if (got == 1 && sql_int(link->lost, 0) != 0)
		err_set(err, ERR_CORRUPT, "names.db has %lld rows of no file",
			(long long)sql_int(link->lost, 0));
	else if (got == 1)
		got = 0;
	sql_reset(link->lost);
	return got == 0 ? 0 : -1;
}

int names_sound(struct names *names, struct err *err)
{
	struct names_link *link;
	int result;

	if (names->missing)
		return 0;
	link = names_begin_read(names, err);
	if (link == NULL)
		return -1;
	result = sound(link, err);
	names_end_read(link);
	return result;
}
