#include "store/fsck_names.h"

#include "core/clock.h"
#include "store/names.h"

#include <stdio.h>

struct check {
	const struct fsck *fsck;
	struct fsck_totals *totals;
	struct names *names;
	const char *file;
	bool (*gone)(void *context, const struct file_id *id);
	void *context;
};

static void tell(const struct check *check, const struct err *err)
{
	check->fsck->problem(check->fsck->context, check->file, err);
}

static void check_file(struct check *check, const char *name, const struct names_stat *stat)
{
	struct err err = { .code = ERR_NONE };
	uint32_t crc;

	if (!check->fsck->headers_only && names_crc(check->names, name, &crc, &err) == 0 &&
		!stat->is_appender && crc != stat->crc)
		err_set(&err, ERR_CORRUPT, "the content has another CRC than when it came");
	if (err.code == ERR_NOT_FOUND) /* deleted meanwhile */
		return;
	if (err.code == ERR_NONE) {
		check->totals->names++;
		check->totals->name_bytes += stat->size;
		return;
	}
	check->totals->corrupt++;
	err_prefix(&err, "%s", name);
	tell(check, &err);
}

/* Is the picture `name` gone? */
static bool is_gone(const struct check *check, const char *name)
{
	struct file_id id;

	return file_id_parse_name(span_str(check->fsck->group), span_str(name), &id) &&
	       id.kind == FILE_ID_NORMAL && !names_have(&id) && check->gone(check->context, &id);
}

static void check_metadata(struct check *check, const char *name)
{
	struct err err;

	check->totals->metadata++;
	if (!is_gone(check, name))
		return;
	check->totals->stray_metadata++;
	if (check->fsck->repair && names_drop_metadata(check->names, name, &err) != 0)
		tell(check, &err);
}

static bool check_one(void *context, const char *name, const struct names_stat *stat)
{
	struct check *check = context;

	if (stat != NULL)
		check_file(check, name, stat);
	else
		check_metadata(check, name);
	return check->fsck->progress == NULL ||
	       check->fsck->progress(check->fsck->context, check->totals);
}

void fsck_names_check(const struct fsck *fsck, struct names *names, const char *file,
	bool (*gone)(void *context, const struct file_id *id), void *context,
	struct fsck_totals *totals)
{
	struct check check = { fsck, totals, names, file, gone, context };
	struct err err;

	if (names_walk(names, check_one, &check, &err) == 0 &&
		(fsck->headers_only || names_sound(names, &err) == 0))
		return;
	totals->unreadable++;
	tell(&check, &err);
}

/* Known to be deleted: of what is not, this is no place to tell, as it may be the name that a
 * picture had elsewhere. */
static bool has_tombstone(void *context, const struct file_id *id)
{
	const struct volume_store *store = context;
	struct volume *volume;
	struct record record;
	struct err err = { .code = ERR_NONE };

	volume = volume_open(store, id->dir, &err);
	if (volume != NULL)
		volume_stat(volume, id, 0, &record, &err);
	volume_unref(volume);
	return err.code == ERR_GONE;
}

void fsck_names(
	const struct fsck *fsck, const struct volume_store *store, struct fsck_totals *totals)
{
	char file[VOLUME_PATH_MAX];
	struct names *names;
	struct err err;

	snprintf(file, sizeof file, "%s/names.db", store->folder);
	names = names_open(store->folder, !fsck->repair, clock_unix, &err);
	if (names == NULL) {
		totals->unreadable++;
		fsck->problem(fsck->context, file, &err);
		return;
	}
	fsck_names_check(fsck, names, file, has_tombstone, (void *)(uintptr_t)store, totals);
	names_close(names);
}
