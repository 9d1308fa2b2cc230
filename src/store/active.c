#include "store/active.h"

#include "core/disk.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_walk.h"

#include <errno.h>
#include <string.h>

enum {
	GROW_UNIT = 64 << 10,
	/* Measured, see docs/volume-format.md: worth it up to such a batch, then not. */
	ZERO_BELOW = 256 << 10,
	ZERO_AHEAD = 1 << 20,
	/* A volume that was closed in order has so many bytes behind its last record.  After
	 * a crash it cannot: sizes are whole blocks while there are records to be flushed. */
	CLOSED = 16,
	RECORD_SEAL_AT = 120, /* see record.h */
	RECORD_SEAL_LEN = 8,
};

#define FIRST ((uint64_t)VOLUME_FIRST_SPOT * RECORD_BLOCK)

static bool usable(const struct active *active)
{
	return active->volume != NULL && active->volume->flush_errno == 0;
}

/* Give back what was allocated and not used, and note that the volume is closed.  To be
 * called when all records are flushed.  Failing does no harm. */
static void trim(struct active *active)
{
	uint64_t size = active->tail + CLOSED;

	if (!usable(active) || (active->volume->size == size && active->allocated <= active->tail))
		return;
	if (disk->ftruncate(active->volume->fd, (off_t)size) != 0)
		return;
	active->allocated = active->tail;
	active->zeroed = active->tail;
	active->volume->size = size;
	active->volume->dirty = true;
}

static void leave(struct active *active)
{
	if (active->volume == NULL)
		return;
	active->next_number = active->volume->number + 1U;
	volume_unref(active->volume);
	active->volume = NULL;
}

struct recovery {
	struct active *active;
	struct err *err;
	int rc;
};

/* A picture that lacks nothing but its end mark gets it: it may end behind what looked
 * like the tail, if zeros are the last of it. */
static int finish_picture(struct recovery *recovery, const struct walk_found *found)
{
	struct active *active = recovery->active;
	uint64_t end = found->offset + found->len;

	if (volume_write_end(active->volume, &found->record, recovery->err) != 0)
		return -1;
	if (end > active->tail)
		active->tail = end;
	return 0;
}

/* A header without a seal is the front of one: the rest was never written.  It was not
 * acknowledged, and no other damage leaves just zeros there. */
static int forget_half_header(struct volume *volume, uint64_t offset, struct err *err)
{
	static const uint8_t zeros[RECORD_HEADER_LEN];
	uint8_t header[RECORD_HEADER_LEN];
	ssize_t len = volume_read(volume, offset, header, sizeof header, err);

	if (len < 0)
		return -1;
	if (len < RECORD_HEADER_LEN || memcmp(header + RECORD_SEAL_AT, zeros, RECORD_SEAL_LEN) != 0)
		return 0;
	return volume_write(volume, offset, zeros, sizeof zeros, err);
}

static bool recover_record(void *context, const struct walk_found *found)
{
	struct recovery *recovery = context;
	struct active *active = recovery->active;

	if (found->what == WALK_CORRUPT && !found->has_record)
		recovery->rc = forget_half_header(active->volume, found->offset, recovery->err);
	if (!found->has_record || found->record.kind != RECORD_PICTURE)
		return recovery->rc == 0;
	if (found->what == WALK_PICTURE && found->no_end)
		recovery->rc = finish_picture(recovery, found);
	else if (found->what != WALK_PICTURE)
		recovery->rc = volume_set_torn(
			active->volume, &found->record, active->tail, recovery->err);
	return recovery->rc == 0;
}

/* The last batch may have been cut off in the middle of its flush: any of its blocks may
 * be missing.  All before it was flushed. */
static int recover(struct active *active, struct err *err)
{
	struct recovery recovery = { active, err, 0 };
	uint32_t spot;

	if (volume_last_batch(active->volume, active->tail, &spot, err) != 0 ||
		volume_walk(active->volume, spot, true, recover_record, &recovery, err) != 0)
		return -1;
	/* Not only what this has written: the records may be those of a process that was
	 * killed, and in memory alone. */
	return recovery.rc == 0 ? volume_flush(active->volume, err) : -1;
}

/* What stands behind the last whole block was never flushed: a crash kept the size of when
 * the volume was closed, and a piece of what came then. */
static int cut_off_piece(struct active *active, struct err *err)
{
	uint64_t whole = active->volume->size - active->volume->size % RECORD_BLOCK;

	if (active->tail <= whole || active->tail == FIRST)
		return 0;
	active->tail = whole;
	if (disk->ftruncate(active->volume->fd, (off_t)whole) != 0)
		return err_errno(err, "cannot cut %s", active->volume->file);
	active->volume->size = whole;
	return 0;
}

/* A volume that was closed in order has nothing to recover, and its last records are not
 * to be taken for torn ones if they have rotted since. */
static int find_tail(struct active *active, struct err *err)
{
	if (volume_tail(active->volume, &active->tail, err) != 0)
		return -1;
	if (active->volume->size == active->tail + CLOSED)
		return 0;
	return cut_off_piece(active, err) == 0 ? recover(active, err) : -1;
}

int active_open(struct active *active, struct err *err)
{
	struct err why;
	int number;

	if (volume_list_check(active->store.folder, err) != 0)
		return -1;
	number = volume_list_newest(active->store.folder);
	active->next_number = (uint32_t)(number + 1);
	if (number < 0)
		return 0;
	active->volume = volume_open(&active->store, (uint16_t)number, &why);
	if (active->volume == NULL && why.code != ERR_CORRUPT)
		return err_set(err, why.code, "%s", why.text);
	if (active->volume != NULL && volume_keep(&active->store, (uint16_t)number, err) != 0) {
		leave(active);
		return -1;
	}
	/* Behind what is damaged nothing is put; the next volume is sound. */
	if (active->volume == NULL || find_tail(active, &why) != 0) {
		leave(active);
		return 0;
	}
	active->allocated = active->tail; /* recovery may have moved it */
	active->zeroed = active->tail;
	trim(active);
	return 0;
}

/* Only the newest volume may have records that are not flushed. */
static int finish(struct active *active, struct err *err)
{
	if (usable(active) && active->volume->dirty && volume_flush(active->volume, err) != 0)
		return -1;
	trim(active);
	return 0;
}

void active_close(struct active *active)
{
	if (finish(active, NULL) == 0 && usable(active) && active->volume->dirty)
		volume_flush(active->volume, NULL); /* the size */
	leave(active);
}

bool active_fits(const struct active *active, uint64_t len)
{
	return usable(active) && active->tail + len <= active->volume_size;
}

/* A number may be taken already: by an empty volume that was made and not known to be on the
 * disk, or by one that was brought here meanwhile. */
static struct volume *create_next(struct active *active, struct err *err)
{
	struct volume *volume = volume_create(
		&active->store, (uint16_t)active->next_number, active->now(), err);
	int newest;

	if (volume != NULL || err->code != ERR_EXISTS)
		return volume;
	newest = volume_list_newest(active->store.folder);
	if (newest < (int)active->next_number || newest >= VOLUME_NUMBER_MAX)
		return NULL;
	active->next_number = (uint32_t)newest + 1;
	return volume_create(&active->store, (uint16_t)active->next_number, active->now(), err);
}

static int next_volume(struct active *active, struct err *err)
{
	bool after_failure = active->volume != NULL && active->volume->flush_errno != 0;
	struct err why;

	leave(active);
	if (active->next_number > VOLUME_NUMBER_MAX)
		return err_set(err, ERR_FULL, "store path %s has used all its %d volumes",
			active->store.folder, VOLUME_NUMBER_MAX + 1);
	active->volume = create_next(active, &why);
	if (active->volume == NULL) {
		active->dead = after_failure && why.code != ERR_FULL;
		return err_set(err, why.code, "%s", why.text);
	}
	active->tail = FIRST;
	active->allocated = active->volume->size;
	active->zeroed = active->tail;
	return 0;
}

/* May the file grow by `len` bytes without touching the reserve? */
static int check_reserve(struct active *active, uint64_t len, struct err *err)
{
	const char *folder = active->store.folder;
	struct statvfs fs;

	if (disk->statvfs(folder, &fs) != 0)
		return err_errno(err, "cannot ask %s for its space", folder);
	if ((uint64_t)fs.f_bavail * fs.f_frsize < len + active->reserved_space)
		return err_set(err, ERR_FULL, "store path %s has only its reserve left", folder);
	return 0;
}

static int grow_to(struct active *active, uint64_t size, struct err *err)
{
	uint64_t from = active->allocated;
	struct volume *volume = active->volume;

	if (check_reserve(active, size - from, err) != 0)
		return -1;
	if (disk->fallocate(volume->fd, 0, (off_t)from, (off_t)(size - from)) != 0) {
		if (errno != EOPNOTSUPP) {
			err_errno(err, "cannot allocate space for %s", volume->file);
			/* It may have taken all that was left before it failed. */
			disk->ftruncate(volume->fd, (off_t)from);
			return -1;
		}
		if (disk->ftruncate(volume->fd, (off_t)size) != 0)
			return err_errno(err, "cannot grow %s", volume->file);
	}
	volume->dirty = true;
	active->allocated = size;
	return 0;
}

/* Have the file reach to `end` at least: by a whole step, or by what is needed when the
 * disk has no room for a step. */
static int allocate(struct active *active, uint64_t end, struct err *err)
{
	uint64_t step = active->allocated + active->preallocate;

	if (end <= active->allocated)
		return 0;
	if (step > active->volume_size)
		step = active->volume_size;
	step -= step % RECORD_BLOCK; /* or it could look closed */
	if (step > end && grow_to(active, step, NULL) == 0)
		return 0;
	step = (end + GROW_UNIT - 1) / GROW_UNIT * GROW_UNIT;
	if (grow_to(active, step, NULL) == 0)
		return 0;
	return grow_to(active, end, err);
}

int active_place(struct active *active, uint64_t len, struct err *err)
{
	if (active->dead)
		return err_set(err, ERR_IO, "store path %s is out of use since a flush failed",
			active->store.folder);
	if (FIRST + len > active->volume_size)
		return err_set(err, ERR_TOO_LARGE, "a picture of that size fits no volume");
	if (!active_fits(active, len)) {
		if (finish(active, err) != 0 || next_volume(active, err) != 0)
			return -1;
	}
	return allocate(active, active->tail + len, err);
}

void active_advance(struct active *active, uint64_t len)
{
	active->tail += len;
}

void active_prepare(struct active *active, uint64_t len)
{
	static uint8_t zeros[ZERO_AHEAD]; /* not const: a megabyte that is in no file */
	uint64_t end = active->tail, to = end + ZERO_AHEAD;

	if (end <= active->zeroed)
		return;
	active->zeroed = end;
	if (len >= ZERO_BELOW)
		return;
	if (to > active->allocated)
		to = active->allocated;
	if (to > end && volume_write(active->volume, end, zeros, (size_t)(to - end), NULL) == 0)
		active->zeroed = to;
}

static void add_gap(struct active *active, uint16_t number, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	if (active->gap_count == ACTIVE_GAPS) /* the oldest is forgotten */
		memmove(active->gaps, active->gaps + 1,
			--active->gap_count * sizeof active->gaps[0]);
	active->gaps[active->gap_count++] = (struct active_gap){ number, from, to };
}

static bool take_gap(struct active *active, uint16_t number, uint64_t from, uint64_t to)
{
	for (size_t i = active->gap_count; i-- > 0;) {
		struct active_gap gap = active->gaps[i];

		if (gap.number != number || from < gap.from || to > gap.to)
			continue;
		active->gap_count--;
		memmove(active->gaps + i, active->gaps + i + 1,
			(active->gap_count - i) * sizeof active->gaps[0]);
		add_gap(active, number, gap.from, from);
		add_gap(active, number, to, gap.to);
		return true;
	}
	return false;
}

/* Make volume `number`, which is above the one in use. */
static int go_on_with(struct active *active, uint16_t number, struct err *err)
{
	if (finish(active, err) != 0)
		return -1;
	leave(active);
	active->next_number = number;
	if (next_volume(active, err) != 0)
		return -1;
	return active->volume->number == number
		       ? 0
		       : err_set(err, ERR_EXISTS, "volume %u is there already", number);
}

int active_claim(
	struct active *active, uint16_t number, uint64_t offset, uint64_t len, struct err *err)
{
	uint64_t end = offset + len;
	bool newer = active->volume == NULL ? number >= active->next_number
					    : number > active->volume->number;

	if (active->dead)
		return err_set(err, ERR_IO, "store path %s is out of use since a flush failed",
			active->store.folder);
	if (offset < FIRST || end > (uint64_t)RECORD_SPOT_END * RECORD_BLOCK)
		return err_set(err, ERR_EXISTS, "no record lies there");
	if (number > active->next_number + ACTIVE_AHEAD)
		return err_set(err, ERR_EXISTS, "volume %u is too far ahead", number);
	if (take_gap(active, number, offset, end))
		return check_reserve(active, len, err);
	if (newer && go_on_with(active, number, err) != 0)
		return -1;
	if (!usable(active) || active->volume->number != number || offset < active->tail)
		return err_set(err, ERR_EXISTS, "something may lie there");
	/* The gap is to take no room on the disk. */
	if (check_reserve(active, len, err) != 0)
		return -1;
	if (end > active->allocated) {
		if (disk->ftruncate(active->volume->fd, (off_t)end) != 0)
			return err_errno(err, "cannot grow %s", active->volume->file);
		active->volume->dirty = true;
		active->allocated = end;
	}
	add_gap(active, number, active->tail, offset);
	active->tail = end;
	if (active->zeroed < active->tail)
		active->zeroed = active->tail;
	return 0;
}
