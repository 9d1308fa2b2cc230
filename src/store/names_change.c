/* names_change.c - files in names.db that come, change and go: one transaction each. */
#include "core/crc32.h"
#include "store/names_inside.h"

enum { NAMES_TRIES = 10 };

static int create(
	struct names *names, struct names_link *link, const struct names_new *new, struct err *err)
{
	struct names_file file = { 0 };
	struct sql_query *add = link->add;
	int got;

	sql_put_text(add, 1, span_str(new->name));
	sql_put_null(add, 2);
	sql_put_null(add, 4);
	if (new->master != NULL)
		sql_put_text(add, 2, span_str(new->master));
	if (new->master != NULL || new->finished)
		sql_put_int(add, 4, crc32_add(0, new->content));
	sql_put_int(add, 3, (int64_t) new->content.len);
	sql_put_int(add, 5, new->changed != 0 ? new->changed : names->now());
	got = sql_step(add, err);
	if (got == 0)
		return err_set(err, ERR_EXISTS, "there is a %s already", new->name);
	if (got < 0)
		return -1;
	file.number = sql_int(add, 0);
	sql_reset(add);
	if (names_content_write(link, &file, 0, new->content, err) != 0)
		return -1;
	return new->wanted == NULL ? 0 : new->wanted(new->context, err);
}

int names_create(struct names *names, const struct names_new *new, struct err *err)
{
	struct names_link *link;

	if (new->content.len > NAMES_SIZE_MAX)
		return err_set(err, ERR_TOO_LARGE, "no file may be that large");
	link = names_begin_write(names, err);
	if (link == NULL)
		return -1;
	return names_end_write(link, create(names, link, new, err), err);
}

/* Some pages at a time, lest a large file hold up everybody. */
static void give_back_space(struct names_link *link)
{
	if (link->vacuum != NULL)
		sql_run(link->vacuum, NULL);
}

int names_remove(struct names *names, const char *name, struct err *err)
{
	struct names_link *link = names_begin_write(names, err);
	struct names_file file;
	int result;

	if (link == NULL)
		return -1;
	result = names_find(link, name, &file, err);
	if (result == 0)
		result = names_content_cut(link, &file, 0, err);
	if (result == 0) {
		sql_put_int(link->remove, 1, file.number);
		result = sql_run(link->remove, err);
	}
	if (result == 0)
		result = names_row_drop_metadata(link, name, err);
	if (result == 0)
		give_back_space(link);
	return names_end_write(link, result, err);
}

/* ---- appenders ---- */

/* `writing` bytes at `offset`, the end if `at_end`; then the file has at least `size`. */
struct change {
	bool at_end, cut;
	uint64_t offset;
	struct span content;
	uint64_t size; /* with cut */
	uint64_t max;
};

static int change(struct names *names, struct names_link *link, const char *name,
	const struct change *want, struct err *err)
{
	struct names_file file;
	uint64_t offset, size, max = want->max < NAMES_SIZE_MAX ? want->max : NAMES_SIZE_MAX;

	if (names_find(link, name, &file, err) != 0)
		return -1;
	if (!file.stat.is_appender)
		return err_set(err, ERR_BAD_REQUEST, "%s is no appender file", name);
	offset = want->at_end ? file.stat.size : want->offset;
	if (offset > file.stat.size)
		return err_set(err, ERR_BAD_REQUEST, "%s ends before byte %llu", name,
			(unsigned long long)offset);
	size = file.stat.size;
	if (want->cut)
		size = want->size;
	else if (want->content.len > max || offset > max - want->content.len)
		size = UINT64_MAX;
	else if (offset + want->content.len > size)
		size = offset + want->content.len;
	if (size > max && size > file.stat.size)
		return err_set(err, ERR_TOO_LARGE, "%s would have more than %llu bytes", name,
			(unsigned long long)max);
	if (!want->cut && want->content.len == 0)
		return 0;
	if (want->cut && size < file.stat.size && names_content_cut(link, &file, size, err) != 0)
		return -1;
	if (names_content_write(link, &file, offset, want->content, err) != 0)
		return -1;
	sql_put_int(link->resize, 1, (int64_t)size);
	sql_put_int(link->resize, 2, names->now());
	sql_put_int(link->resize, 3, file.number);
	return sql_run(link->resize, err);
}

static int change_in_one(
	struct names *names, const char *name, const struct change *want, struct err *err)
{
	struct names_link *link = names_begin_write(names, err);

	if (link == NULL)
		return -1;
	return names_end_write(link, change(names, link, name, want, err), err);
}

int names_append(
	struct names *names, const char *name, struct span content, uint64_t max, struct err *err)
{
	struct change want = { .at_end = true, .content = content, .max = max };

	return change_in_one(names, name, &want, err);
}

int names_modify(struct names *names, const char *name, uint64_t offset, struct span content,
	uint64_t max, struct err *err)
{
	struct change want = { .offset = offset, .content = content, .max = max };

	return change_in_one(names, name, &want, err);
}

int names_truncate(
	struct names *names, const char *name, uint64_t size, uint64_t max, struct err *err)
{
	struct change want = { .cut = true, .size = size, .max = max };

	return change_in_one(names, name, &want, err);
}

static int rename_rows(struct sql_query *query, const char *from, const char *to, struct err *err)
{
	sql_put_text(query, 1, span_str(to));
	sql_put_text(query, 2, span_str(from));
	return sql_run(query, err);
}

/* 1: the name is taken. */
static int rename_file(struct names *names, struct names_link *link, const struct names_file *file,
	const char *to, uint32_t crc, struct err *err)
{
	struct names_file there;
	struct err failure;

	/* Looked for first: after a statement that failed PostgreSQL takes no other. */
	if (names_find(link, to, &there, &failure) == 0)
		return 1;
	if (failure.code != ERR_NOT_FOUND) {
		if (err != NULL)
			*err = failure;
		return -1;
	}
	sql_put_text(link->rename, 1, span_str(to));
	sql_put_int(link->rename, 2, crc);
	sql_put_int(link->rename, 3, names->now());
	sql_put_int(link->rename, 4, file->number);
	return sql_run(link->rename, err);
}

static int finish(struct names *names, struct names_link *link, const char *name, names_make *make,
	void *context, struct err *err)
{
	char to[FILE_ID_NAME_MAX + 1];
	struct names_file file;
	uint32_t crc;
	int taken = 1;

	if (names_find(link, name, &file, err) != 0)
		return -1;
	if (!file.stat.is_appender)
		return err_set(err, ERR_BAD_REQUEST, "%s is no appender file", name);
	if (names_content_crc(link, &file, &crc, err) != 0)
		return -1;
	for (int i = 0; i < NAMES_TRIES && taken == 1; i++) {
		make(context, file.stat.size, crc, to);
		taken = rename_file(names, link, &file, to, crc, err);
	}
	if (taken == 1)
		return err_set(err, ERR_EXISTS, "no name is left for %s", name);
	if (taken != 0 || rename_rows(link->rename_masters, name, to, err) != 0)
		return -1;
	return rename_rows(link->rename_metadata, name, to, err);
}

int names_finish(
	struct names *names, const char *name, names_make *make, void *context, struct err *err)
{
	struct names_link *link = names_begin_write(names, err);

	if (link == NULL)
		return -1;
	return names_end_write(link, finish(names, link, name, make, context, err), err);
}
