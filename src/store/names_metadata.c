/* names_metadata.c - FastDFS metadata, a text for a name. */
#include "store/names_inside.h"

int names_row_drop_metadata(struct names_link *link, const char *name, struct err *err)
{
	sql_put_text(link->drop_metadata, 1, span_str(name));
	return sql_run(link->drop_metadata, err);
}

static int get_metadata(struct names_link *link, const char *name, struct buf *out, struct err *err)
{
	int got;

	sql_put_text(link->metadata, 1, span_str(name));
	got = sql_step(link->metadata, err);
	if (got == 1) {
		buf_put_span(out, sql_blob(link->metadata, 0));
		sql_reset(link->metadata);
	}
	if (got >= 0 && !buf_ok(out))
		return err_set(err, ERR_TOO_LARGE, "the metadata of %s is too long", name);
	return got;
}

static int edit_metadata(struct names_link *link, const char *name, bool here, names_edit *edit,
	void *context, struct err *err)
{
	struct buf old, new;
	struct names_file file;
	int result = -1;

	buf_init(&old, NAMES_METADATA_MAX + 1); /* earlier versions allowed one more */
	buf_init(&new, NAMES_METADATA_MAX);
	if ((here && names_find(link, name, &file, err) != 0) ||
		get_metadata(link, name, &old, err) < 0 ||
		edit(context, buf_span(&old), &new, err) != 0)
		goto end;
	if (!buf_ok(&new)) {
		err_set(err, ERR_TOO_LARGE, "%s would have more than %d bytes of metadata", name,
			NAMES_METADATA_MAX);
	} else if (new.len == 0) {
		result = names_row_drop_metadata(link, name, err);
	} else {
		sql_put_text(link->put_metadata, 1, span_str(name));
		sql_put_blob(link->put_metadata, 2, buf_span(&new));
		result = sql_run(link->put_metadata, err);
	}
end:
	buf_fini(&old);
	buf_fini(&new);
	return result;
}

int names_edit_metadata(struct names *names, const char *name, bool here, names_edit *edit,
	void *context, struct err *err)
{
	struct names_link *link = names_begin_write(names, err);

	if (link == NULL)
		return -1;
	names->has_metadata = true;
	return names_end_write(link, edit_metadata(link, name, here, edit, context, err), err);
}

int names_metadata(struct names *names, const char *name, struct buf *out, struct err *err)
{
	struct names_link *link = names_begin_read(names, err);
	int got;

	if (link == NULL)
		return -1;
	got = get_metadata(link, name, out, err);
	names_end_read(link);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "%s has no metadata", name);
	return got < 0 ? -1 : 0;
}

int names_drop_metadata(struct names *names, const char *name, struct err *err)
{
	struct names_link *link = names_begin_write(names, err);

	if (link == NULL)
		return -1;
	return names_end_write(link, names_row_drop_metadata(link, name, err), err);
}

bool names_may_have_metadata(const struct names *names)
{
	return names->has_metadata;
}
