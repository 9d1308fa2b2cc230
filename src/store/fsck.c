#include "store/fsck.h"

#include "core/clock.h"
#include "core/disk.h"
#include "store/engine.h"
#include "store/fsck_names.h"
#include "store/quarantine.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_walk.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

enum { ERASE_AT_ONCE = 256 };

struct run {
	const struct fsck *fsck;
	struct fsck_totals *totals;
	struct volume *volume;
	uint64_t volume_start; /* bytes_read before this volume */
	bool stop;
	struct quarantine list;              /* of the store path */
	struct record erased[ERASE_AT_ONCE]; /* not noted as erased yet */
	size_t erased_count;
};

static void tell(struct run *run, const char *file, const struct err *err)
{
	run->fsck->problem(run->fsck->context, file, err);
}

static void tell_failure(struct run *run, const struct err *err)
{
	tell(run, run->volume->file, err);
}

/* Flush the erasing, then note it: "erased" must not reach the disk before. */
static void finish_erasing(struct run *run)
{
	struct err err;

	if (run->erased_count == 0)
		return;
	if (volume_flush(run->volume, &err) != 0) {
		tell_failure(run, &err);
		run->erased_count = 0;
		return;
	}
	for (size_t i = 0; i < run->erased_count; i++) {
		if (volume_set_erased(run->volume, &run->erased[i], &err) == 0)
			run->totals->erased++;
		else
			tell_failure(run, &err);
	}
	run->erased_count = 0;
}

static void erase(struct run *run, const struct walk_found *found)
{
	struct err err;

	run->totals->unerased++;
	run->totals->unerased_bytes += found->record.len;
	if (!run->fsck->repair)
		return;
	if (volume_erase(run->volume, &found->record, &err) != 0) {
		tell_failure(run, &err);
		return;
	}
	run->erased[run->erased_count++] = found->record;
	if (run->erased_count == ERASE_AT_ONCE)
		finish_erasing(run);
}

static void take_tombstone(struct run *run, const struct walk_found *found)
{
	run->totals->deleted++;
	if (record_is_to_erase(&found->record))
		erase(run, found);
}

/* Its bytes are in a cold store, which is not asked. */
static void take_moved(struct run *run, const struct walk_found *found)
{
	run->totals->cold++;
	run->totals->cold_bytes += found->record.len;
	if (record_is_to_erase(&found->record))
		erase(run, found);
}

static void take_no_end(struct run *run, const struct walk_found *found)
{
	struct err err;

	run->totals->ends++;
	err_set(&err, ERR_CORRUPT, "the end mark of %s is damaged, its content is right",
		found->record.name);
	tell_failure(run, &err);
	if (!run->fsck->repair)
		return;
	if (volume_write_end(run->volume, &found->record, &err) == 0)
		run->totals->repaired++;
	else
		tell_failure(run, &err);
}

static bool take(void *context, const struct walk_found *found)
{
	struct run *run = context;
	struct fsck_totals *totals = run->totals;
	char where[QUARANTINE_WHERE_MAX];

	switch (found->what) {
	case WALK_PICTURE:
		totals->pictures++;
		totals->picture_bytes += found->record.len;
		if (found->no_end)
			take_no_end(run, found);
		if (!record_is_here(&found->record))
			take_moved(run, found);
		break;
	case WALK_TOMBSTONE:
		take_tombstone(run, found);
		break;
	case WALK_CORRUPT:
		totals->corrupt++;
		tell_failure(run, &found->err);
		quarantine_where(run->volume->number, found->offset, where);
		quarantine_note(&run->list, clock_unix(), where, found->err.text);
		break;
	case WALK_TORN:
		totals->torn++;
		break;
	case WALK_UNKNOWN:
		totals->unknown_bytes += found->len;
		break;
	}
	totals->bytes_read = run->volume_start + found->offset;
	if (run->fsck->progress != NULL)
		run->stop = !run->fsck->progress(run->fsck->context, totals);
	return !run->stop;
}

static void check_heads(struct run *run)
{
	bool head_ok, copy_ok;
	struct err err;

	if (volume_check_heads(run->volume, &head_ok, &copy_ok, &err) != 0) {
		tell_failure(run, &err);
		return;
	}
	if (head_ok && copy_ok)
		return;
	run->totals->heads++;
	err_set(&err, ERR_CORRUPT, "%s is damaged", head_ok ? "the copy of the head" : "the head");
	tell_failure(run, &err);
	if (!run->fsck->repair)
		return;
	if (volume_repair_heads(run->volume, &err) == 0)
		run->totals->repaired++;
	else
		tell_failure(run, &err);
}

static void check_volume(struct run *run, const struct volume_store *store, uint16_t number)
{
	struct err err;
	char file[VOLUME_PATH_MAX];

	run->volume = volume_open(store, number, &err);
	if (run->volume == NULL) {
		run->totals->unreadable++;
		tell(run, volume_file(store->folder, number, file) ? file : store->folder, &err);
		return;
	}
	run->volume_start = run->totals->bytes_read;
	run->totals->volumes++;
	check_heads(run);
	if (volume_walk(run->volume, VOLUME_FIRST_SPOT, !run->fsck->headers_only, take, run,
		    &err) != 0) {
		run->totals->unreadable++;
		tell_failure(run, &err);
	}
	finish_erasing(run);
	if (run->volume->dirty && volume_flush(run->volume, &err) != 0)
		tell_failure(run, &err);
	run->totals->bytes_read = run->volume_start + run->volume->size;
	volume_unref(run->volume);
}

static void add_up(const struct volume_store *store, struct fsck_totals *totals)
{
	char file[VOLUME_PATH_MAX];
	struct stat st;

	for (int number = -1; (number = volume_list_next(store->folder, number)) >= 0;)
		if (volume_file(store->folder, (uint16_t)number, file) &&
			disk->stat(file, &st) == 0)
			totals->bytes += (uint64_t)st.st_size;
}

static int check_store(struct run *run, const struct volume_store *store, struct err *err)
{
	struct err why;
	int lock = -1;

	if (volume_list_check(store->folder, &why) != 0) {
		run->totals->unreadable++;
		tell(run, store->folder, &why);
	}
	if (run->fsck->repair) {
		lock = volume_list_lock(store->folder, err);
		if (lock < 0)
			return -1;
	}
	if (quarantine_read(&run->list, store->folder, &why) != 0)
		tell(run, store->folder, &why);
	for (int number = -1;
		!run->stop && (number = volume_list_next(store->folder, number)) >= 0;)
		check_volume(run, store, (uint16_t)number);
	if (!run->stop)
		fsck_names(run->fsck, store, run->totals);
	run->totals->quarantined += run->list.count;
	if (run->fsck->repair && quarantine_write(&run->list, store->folder, &why) != 0)
		tell(run, store->folder, &why);
	quarantine_fini(&run->list);
	if (lock >= 0)
		disk->close(lock);
	return 0;
}

int fsck_run(const struct fsck *fsck, struct fsck_totals *totals, struct err *err)
{
	struct run run = { .fsck = fsck, .totals = totals };
	struct stat st;

	*totals = (struct fsck_totals){ 0 };
	if (sodium_init() < 0)
		return err_set(err, ERR_INTERNAL, "libsodium does not start");
	if (fsck->path_count > ENGINE_ANY_PATH)
		return err_set(err, ERR_CONFIG, "there are too many store paths");
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < fsck->path_count && !run.stop; i++) {
			struct volume_store store = {
				.folder = fsck->paths[i],
				.path = (uint8_t)i,
				.group = fsck->group,
				.writable = fsck->repair,
			};

			if (disk->stat(store.folder, &st) != 0)
				return err_errno(err, "store path %s cannot be used", store.folder);
			if (pass == 0)
				add_up(&store, totals);
			else if (check_store(&run, &store, err) != 0)
				return -1;
		}
	return 0;
}

bool fsck_clean(const struct fsck_totals *totals)
{
	return totals->corrupt == 0 && totals->unreadable == 0 &&
	       totals->heads + totals->ends == totals->repaired;
}
