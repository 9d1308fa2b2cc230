#include "store/volume_walk.h"

#include "core/disk.h"
#include "store/volume_change.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { WINDOW_LEN = 16384 };

struct walk {
	struct volume *volume;
	bool content;
	bool (*found)(void *context, const struct walk_found *found);
	void *context;
	bool stop;

	uint64_t at;               /* what is looked at */
	uint64_t from;             /* the window's offset in the file */
	size_t len;                /* bytes in the window */
	struct walk_found unknown; /* blocks of no record since the last one */
	uint8_t window[WINDOW_LEN];
};

static void report(struct walk *walk, const struct walk_found *found)
{
	if (!walk->stop)
		walk->stop = !walk->found(walk->context, found);
}

static void report_unknown(struct walk *walk)
{
	if (walk->unknown.len > 0)
		report(walk, &walk->unknown);
	walk->unknown = (struct walk_found){ .what = WALK_UNKNOWN };
}

/* Have the block at walk->at in the window.  Returns 1, 0 at the end of the file, -1. */
static int look(struct walk *walk, struct err *err)
{
	ssize_t len;

	if (walk->at >= walk->from && walk->at + RECORD_BLOCK <= walk->from + walk->len)
		return 1;
	len = volume_read(walk->volume, walk->at, walk->window, WINDOW_LEN, err);
	if (len < 0)
		return -1;
	walk->from = walk->at;
	walk->len = (size_t)len;
	return len >= RECORD_BLOCK;
}

static bool is_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, RECORD_BLOCK - 1) == 0;
}

/* Pass over a block of no record, and over the hole behind it. */
static void pass_block(struct walk *walk, const uint8_t *block)
{
	off_t data;

	walk->at += RECORD_BLOCK;
	if (!is_zero(block)) {
		if (walk->unknown.len == 0)
			walk->unknown.offset = walk->at - RECORD_BLOCK;
		walk->unknown.len += RECORD_BLOCK;
		return;
	}
	if (walk->at < walk->from + walk->len) /* ask once a window, not once a block */
		return;
	data = disk->lseek(walk->volume->fd, (off_t)walk->at, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		walk->at = UINT64_MAX - WINDOW_LEN; /* nothing but a hole up to the end */
	else if (data > (off_t)walk->at)
		walk->at = (uint64_t)data / RECORD_BLOCK * RECORD_BLOCK;
}

static int end_mark(struct walk *walk, const struct record *record, bool *there, struct err *err)
{
	uint64_t end = (uint64_t)(record->spot + record->room) * RECORD_BLOCK;
	uint8_t mark[RECORD_END_LEN];
	ssize_t len = volume_read(walk->volume, end - sizeof mark, mark, sizeof mark, err);

	*there = len == sizeof mark && record_end_ok(record, &walk->volume->key, mark);
	return len < 0 ? -1 : 0;
}

static void take_unmade(struct walk_found *found)
{
	found->what = WALK_TOMBSTONE;
	if (found->record.kind != RECORD_TORN)
		return;
	found->what = WALK_TORN;
	err_set(&found->err, ERR_NOT_FOUND, "%s was never finished", found->record.name);
}

/* The header as it is now: the picture may have been deleted, or its bytes may have gone to
 * a cold store, while it was read. */
static bool gone_meanwhile(struct walk *walk, struct walk_found *found)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record now;

	if (volume_read(walk->volume, found->offset, header, sizeof header, NULL) !=
			sizeof header ||
		record_decode(header, &walk->volume->key, found->record.spot, &now) !=
			RECORD_GOOD ||
		(now.kind == RECORD_PICTURE && record_is_here(&now)))
		return false;
	found->record = now;
	found->len = (uint64_t)now.room * RECORD_BLOCK;
	found->no_end = false;
	if (now.kind != RECORD_PICTURE)
		take_unmade(found);
	return true;
}

/* The content is right and the end mark is not there.  In a last block that holds nothing
 * but the mark, the next record may stand: then there is no place for one. */
static int judge_whole(struct walk *walk, struct walk_found *found, struct err *err)
{
	uint32_t room;
	enum volume_end end;

	if (volume_own_room(walk->volume, &found->record, &room, &end, err) != 0)
		return -1;
	found->len = (uint64_t)room * RECORD_BLOCK;
	found->no_end = room == found->record.room;
	return 0;
}

/* The content is wrong and the end mark is not there.  An upload that was cut off left
 * zeros there, or has made room for the next record; anything else is damage. */
static int judge_endless(struct walk *walk, struct walk_found *found, struct err *err)
{
	uint32_t room;
	enum volume_end end;

	if (volume_own_room(walk->volume, &found->record, &room, &end, err) != 0)
		return -1;
	if (room < found->record.room || end == VOLUME_END_BLANK) {
		found->what = WALK_TORN;
		err_set(&found->err, ERR_NOT_FOUND, "%s was never finished", found->record.name);
	} else {
		found->what = WALK_CORRUPT;
		err_set(&found->err, ERR_CORRUPT, "the content of %s does not match its id",
			found->record.name);
	}
	return 0;
}

static int judge_picture(struct walk *walk, struct walk_found *found, struct err *err)
{
	const struct record *record = &found->record;
	uint32_t crc = 0;
	bool ended;

	found->what = WALK_PICTURE;
	if (end_mark(walk, record, &ended, err) != 0)
		return -1;
	if (ended && !walk->content)
		return 0;
	if (!record_is_here(record))
		return ended ? 0 : judge_whole(walk, found, err);
	if (volume_crc(walk->volume, found->offset + RECORD_HEADER_LEN, record->len, 0, &crc,
		    err) != 0)
		return -1;
	if (crc == record->crc)
		return ended ? 0 : judge_whole(walk, found, err);
	found->no_end = !ended;
	if (gone_meanwhile(walk, found))
		return 0;
	if (!ended)
		return judge_endless(walk, found, err);
	found->what = WALK_CORRUPT;
	err_set(&found->err, ERR_CORRUPT, "the content of %s does not match its id", record->name);
	return 0;
}

static int take_record(struct walk *walk, const struct record *record, struct err *err)
{
	struct walk_found found = {
		.offset = walk->at,
		.len = (uint64_t)record->room * RECORD_BLOCK,
		.has_record = true,
		.record = *record,
	};

	if (record->kind != RECORD_PICTURE)
		take_unmade(&found);
	else if (judge_picture(walk, &found, err) != 0)
		return -1;
	report_unknown(walk);
	report(walk, &found);
	/* Of a record without an end, only the header is surely its own. */
	if (found.no_end && found.what != WALK_PICTURE)
		walk->at += RECORD_BLOCK;
	else
		walk->at += found.len;
	return 0;
}

static void take_damaged(struct walk *walk)
{
	struct walk_found found = {
		.what = WALK_CORRUPT,
		.offset = walk->at,
		.len = RECORD_BLOCK,
	};

	err_set(&found.err, ERR_CORRUPT, "the header in block %" PRIu64 " of %s is damaged",
		walk->at / RECORD_BLOCK, walk->volume->file);
	report_unknown(walk);
	report(walk, &found);
	walk->at += RECORD_BLOCK;
}

int volume_walk(struct volume *volume, uint32_t spot, bool content,
	bool (*found)(void *context, const struct walk_found *found), void *context,
	struct err *err)
{
	struct walk walk = {
		.volume = volume,
		.content = content,
		.found = found,
		.context = context,
		.at = (uint64_t)spot * RECORD_BLOCK,
		.unknown.what = WALK_UNKNOWN,
	};
	struct record record;
	int more = 0;

	while (!walk.stop && walk.at / RECORD_BLOCK < RECORD_SPOT_END &&
		(more = look(&walk, err)) == 1) {
		const uint8_t *block = walk.window + (walk.at - walk.from);

		switch (record_decode(
			block, &volume->key, (uint32_t)(walk.at / RECORD_BLOCK), &record)) {
		case RECORD_GOOD:
			if (take_record(&walk, &record, err) != 0)
				return -1;
			break;
		case RECORD_DAMAGED:
			take_damaged(&walk);
			break;
		case RECORD_NONE:
			pass_block(&walk, block);
			break;
		}
	}
	if (more < 0)
		return -1;
	report_unknown(&walk);
	return 0;
}
