#include "store/fsck_names.h"

#include "core/clock.h"
#include "store/names.h"

#include <stdio.h>

struct check {
	const struct fsck *fsck;
	const struct volume_store *store;
	struct fsck_totals *totals;
	struct names *names;
	char file[VOLUME_PATH_MAX];
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

/* Has the picture `name` been deleted?  Of what is not known to be, this is no place to
 * tell: it may be the name that a picture had elsewhere. */
static bool is_deleted(const struct check *check, const char *name)
{
	struct volume *volume;
	struct record record;
	struct file_id id;
	struct err err = { .code = ERR_NONE };

	if (!file_id_parse_name(span_str(check->fsck->group), span_str(name), &id) ||
		id.kind != FILE_ID_NORMAL || names_have(&id))
		return false;
	volume = volume_open(check->store, id.dir, &err);
	if (volume != NULL)
		volume_stat(volume, &id, 0, &record, &err);
	volume_unref(volume);
	return err.code == ERR_GONE;
}

static void check_metadata(struct check *check, const char *name)
{
	struct err err;

	check->totals->metadata++;
	if (!is_deleted(check, name))
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

void fsck_names(
	const struct fsck *fsck, const struct volume_store *store, struct fsck_totals *totals)
{
	struct check check = { .fsck = fsck, .store = store, .totals = totals };
	struct err err;

	snprintf(check.file, sizeof check.file, "%s/names.db", store->folder);
	check.names = names_open(store->folder, !fsck->repair, clock_unix, &err);
	if (check.names == NULL || names_walk(check.names, check_one, &check, &err) != 0 ||
		(!fsck->headers_only && names_sound(check.names, &err) != 0)) {
		totals->unreadable++;
		tell(&check, &err);
	}
	names_close(check.names);
}
