/* sim_replay.c - what a disk may have after a power cut. */
#include "dice.h"
#include "sim_event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Something that was done and is not flushed. */
struct pending {
	struct sim_event event; /* its bytes are the record's */
	bool limbo;             /* a failed flush was to flush it; one sector */
};

struct sim_replay {
	const struct sim *sim;
	size_t at;
	struct sim_image base; /* what is flushed */
	struct pending *pending;
	size_t count, cap;
};

struct sim_replay *sim_replay_new(const struct sim *sim)
{
	struct sim_replay *replay = calloc(1, sizeof *replay);

	assert(replay != NULL);
	replay->sim = sim;
	sim_image_copy(&replay->base, &sim->start);
	return replay;
}

void sim_replay_free(struct sim_replay *replay)
{
	sim_image_fini(&replay->base);
	free(replay->pending);
	free(replay);
}

size_t sim_replay_pending(const struct sim_replay *replay)
{
	return replay->count;
}

static bool of_folder(const struct sim_event *event)
{
	return event->what == SIM_NAME || event->what == SIM_RENAME || event->what == SIM_UNNAME;
}

static bool is_of(const struct pending *pending, const struct sim_event *flush)
{
	if (of_folder(&pending->event))
		return flush->is_folder && pending->event.folder == flush->folder;
	return !flush->is_folder && pending->event.node == flush->node;
}

static void add(struct sim_replay *replay, const struct sim_event *event, bool limbo)
{
	if (replay->count == replay->cap) {
		replay->cap = replay->cap == 0 ? 64 : replay->cap * 2;
		replay->pending = realloc(replay->pending, replay->cap * sizeof replay->pending[0]);
		assert(replay->pending != NULL);
	}
	replay->pending[replay->count++] = (struct pending){ *event, limbo };
}

/* Is any byte of the sector at `offset` written again by what a good flush will write? */
static bool is_written_again(const struct sim_replay *replay, const struct sim_event *limbo)
{
	size_t sector = limbo->offset / SIM_SECTOR;

	for (size_t i = 0; i < replay->count; i++) {
		const struct sim_event *event = &replay->pending[i].event;

		if (replay->pending[i].limbo || event->what != SIM_WRITE ||
			event->node != limbo->node)
			continue;
		if (event->offset / SIM_SECTOR <= sector &&
			(event->offset + event->len - 1) / SIM_SECTOR >= sector)
			return true;
	}
	return false;
}

static void flush(struct sim_replay *replay, const struct sim_event *event)
{
	bool *stays = calloc(replay->count + 1, sizeof *stays);
	size_t kept = 0;

	assert(stays != NULL);
	for (size_t i = 0; i < replay->count; i++)
		stays[i] = !is_of(&replay->pending[i], event) ||
			   (replay->pending[i].limbo &&
				   !is_written_again(replay, &replay->pending[i].event));
	for (size_t i = 0; i < replay->count; i++) {
		if (stays[i])
			replay->pending[kept++] = replay->pending[i];
		else
			sim_apply(&replay->base, &replay->pending[i].event);
	}
	replay->count = kept;
	free(stays);
}

/* What was to be flushed is marked as flushed in memory, and is not: each sector of it may
 * be on the disk or not, for ever.  Sizes and names are in a journal, and wait for the
 * next flush. */
static void fail_flush(struct sim_replay *replay, const struct sim_event *flush)
{
	struct pending *before = replay->pending;
	size_t count = replay->count;

	replay->pending = NULL;
	replay->count = replay->cap = 0;
	for (size_t i = 0; i < count; i++) {
		struct sim_event event = before[i].event;
		size_t end = event.offset + event.len;

		if (event.what != SIM_WRITE || before[i].limbo || !is_of(&before[i], flush)) {
			add(replay, &event, before[i].limbo);
			continue;
		}
		while (event.offset < end) {
			size_t len = SIM_SECTOR - event.offset % SIM_SECTOR;

			event.len = len < end - event.offset ? len : end - event.offset;
			add(replay, &event, true);
			event.offset += event.len;
			event.bytes += event.len;
		}
		event.what = SIM_GROW;
		event.offset = end;
		add(replay, &event, false);
	}
	free(before);
}

void sim_replay_to(struct sim_replay *replay, size_t until)
{
	assert(until >= replay->at && until <= replay->sim->count);
	for (; replay->at < until; replay->at++) {
		const struct sim_event *event = &replay->sim->events[replay->at];

		switch (event->what) {
		case SIM_CREATE:
			sim_apply(&replay->base, event);
			break;
		case SIM_FLUSH:
			flush(replay, event);
			break;
		case SIM_FLUSH_FAIL:
			fail_flush(replay, event);
			break;
		case SIM_MARK:
			break;
		default:
			add(replay, event, false);
		}
	}
}

/* --- the choice --- */

/* How one file or folder fares. */
enum fate {
	FATE_LOST,
	FATE_KEPT,
	FATE_PREFIX,  /* all up to some event */
	FATE_SECTORS, /* each sector as it was at some time */
	FATE_HALVES,  /* each sector as it was or as it is */
	FATE_ONE_LOST,
	FATE_ONE_KEPT,
	FATES
};

struct choice {
	uint64_t seed;
	enum fate fate;
	size_t events;     /* of this file that are pending */
	size_t some;       /* one of 0 to `events` */
	size_t meta;       /* how many of them count for sizes and holes */
	size_t one_sector; /* for ONE_LOST and ONE_KEPT: one of those that are written */
};

static uint64_t roll_for(const struct choice *choice, uint64_t about)
{
	struct dice dice = { choice->seed ^ about * UINT64_C(0xd1342543de82ef95) };

	return dice_bits(&dice);
}

/* The version of a sector: what the first so many events made of it. */
static size_t version(const struct choice *choice, size_t sector)
{
	switch (choice->fate) {
	case FATE_LOST:
		return 0;
	case FATE_PREFIX:
		return choice->some;
	case FATE_SECTORS:
		return (size_t)(roll_for(choice, sector) % (choice->events + 1));
	case FATE_HALVES:
		return roll_for(choice, sector) & 1 ? choice->events : 0;
	case FATE_ONE_LOST:
		return sector == choice->one_sector ? choice->some : choice->events;
	case FATE_ONE_KEPT:
		return sector == choice->one_sector ? choice->events : choice->some;
	default:
		return choice->events;
	}
}

/* A file's events, numbered in their order. */
struct story {
	const struct sim_event *event;
	bool limbo;
};

/* Sectors that truncation or a hole takes as a whole go with it. */
static size_t clamp(
	const struct choice *choice, const struct story *story, size_t sector, size_t cut)
{
	for (size_t i = 0; i < choice->events; i++) {
		const struct sim_event *event = story[i].event;
		size_t start = sector * SIM_SECTOR;

		if (event->what == SIM_TRUNCATE ? start < event->offset
			: event->what == SIM_PUNCH
				? start < event->offset ||
					  start + SIM_SECTOR > event->offset + event->len
				: true)
			continue;
		if (i < choice->meta && cut < i + 1)
			cut = i + 1;
		if (i >= choice->meta && cut > i)
			cut = i;
	}
	return cut;
}

/* Put those sectors of `len` bytes at `offset` into the image that the choice keeps;
 * `bytes` NULL: zeros. */
static void put_sectors(uint8_t *image, const struct choice *choice, const struct story *story,
	bool has_meta, size_t number, size_t offset, size_t len, const uint8_t *bytes)
{
	size_t end = offset + len, n;

	for (size_t at = offset; at < end; at += n) {
		size_t sector = at / SIM_SECTOR, cut = version(choice, sector);

		n = SIM_SECTOR - at % SIM_SECTOR;
		if (n > end - at)
			n = end - at;
		if (has_meta)
			cut = clamp(choice, story, sector, cut);
		if (number >= cut)
			continue;
		if (bytes != NULL)
			memcpy(image + at, bytes + (at - offset), n);
		else
			memset(image + at, 0, n);
	}
}

static size_t written_end(const struct story *story, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		const struct sim_event *event = story[i].event;
		size_t end = event->what == SIM_WRITE   ? event->offset + event->len
			     : event->what == SIM_PUNCH ? 0
							: event->offset;

		if (end > size)
			size = end;
	}
	return size;
}

/* A sector that some pending write touches. */
static size_t some_sector(const struct choice *choice, const struct story *story)
{
	uint64_t roll = roll_for(choice, UINT64_MAX);

	for (size_t tries = 0; tries < 8; tries++) {
		const struct sim_event *event = story[(roll >> tries) % choice->events].event;

		if (event->what == SIM_WRITE)
			return (event->offset + (size_t)(roll >> 16) % event->len) / SIM_SECTOR;
	}
	return 0;
}

static void choose_file(struct sim_image *image, int node, const struct story *story, size_t count,
	struct dice *dice)
{
	struct choice choice = {
		.seed = dice_bits(dice),
		.fate = (enum fate)dice_roll(dice, FATES),
		.events = count,
		.some = dice_roll(dice, count + 1),
	};
	size_t size = image->nodes[node].size, end = written_end(story, count, size);
	bool has_meta = false;
	uint8_t *bytes;

	choice.one_sector = some_sector(&choice, story);
	choice.meta = choice.fate == FATE_LOST     ? 0
		      : choice.fate == FATE_KEPT   ? count
		      : choice.fate == FATE_PREFIX ? choice.some
		      : dice_roll(dice, 2) == 0    ? count
						   : dice_roll(dice, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct sim_event *event = story[i].event;
		size_t to = event->what == SIM_WRITE ? event->offset + event->len : event->offset;

		has_meta |= event->what == SIM_PUNCH || event->what == SIM_TRUNCATE;
		if (i >= choice.meta)
			continue;
		if (event->what == SIM_TRUNCATE)
			size = to;
		else if (event->what != SIM_PUNCH && !story[i].limbo && to > size)
			size = to;
	}
	bytes = sim_image_bytes(image, node, end);
	for (size_t i = 0; i < count; i++) {
		const struct sim_event *event = story[i].event;

		if (event->what == SIM_WRITE)
			put_sectors(bytes, &choice, story, has_meta, i, event->offset, event->len,
				event->bytes);
		else if (event->what == SIM_PUNCH)
			put_sectors(bytes, &choice, story, has_meta, i, event->offset, event->len,
				NULL);
		else if (event->what == SIM_TRUNCATE && event->offset < end)
			put_sectors(bytes, &choice, story, has_meta, i, event->offset,
				end - event->offset, NULL);
	}
	if (size < end)
		memset(bytes + size, 0, end - size);
	image->nodes[node].size = size;
}

static void choose_folder(
	struct sim_image *image, const struct story *story, size_t count, struct dice *dice)
{
	uint32_t fate = dice_roll(dice, 4);
	size_t some = dice_roll(dice, count + 1);

	for (size_t i = 0; i < count; i++)
		if (fate == 0 || (fate == 1 ? i < some : fate == 2 && dice_roll(dice, 2) == 0))
			sim_apply(image, story[i].event);
}

static void choose_all(const struct sim_replay *replay, struct sim_image *image, struct dice *dice)
{
	struct story *story = malloc((replay->count + 1) * sizeof *story);
	bool *done = calloc(replay->count + 1, sizeof *done);

	assert(story != NULL && done != NULL);
	for (size_t first = 0; first < replay->count; first++) {
		const struct sim_event *event = &replay->pending[first].event;
		bool folder = of_folder(event);
		struct sim_event same = {
			.is_folder = folder, .folder = event->folder, .node = event->node
		};
		size_t count = 0;

		if (done[first])
			continue;
		for (size_t i = first; i < replay->count; i++) {
			if (done[i] || !is_of(&replay->pending[i], &same))
				continue;
			done[i] = true;
			story[count++] = (struct story){ &replay->pending[i].event,
				replay->pending[i].limbo };
		}
		if (folder)
			choose_folder(image, story, count, dice);
		else
			choose_file(image, event->node, story, count, dice);
	}
	free(story);
	free(done);
}

/* Copy what can be reached, with new node numbers that leave nothing out. */
static void copy_folder(
	struct sim_image *to, int folder, const struct sim_image *from, int of, int *numbers)
{
	for (size_t i = 0; i < from->nodes[of].entry_count; i++) {
		const struct sim_entry *entry = &from->nodes[of].entries[i];
		const struct sim_node *node = &from->nodes[entry->node];
		int child = numbers[entry->node];

		if (child == SIM_NONE) {
			child = numbers[entry->node] = sim_image_add(
				to, node->is_folder, node->number);
			if (node->is_folder)
				copy_folder(to, child, from, entry->node, numbers);
			else
				sim_image_share(to, child, from, entry->node);
		}
		sim_image_set(to, folder, entry->name, child);
	}
}

struct sim *sim_replay_crash(const struct sim_replay *replay, uint64_t seed)
{
	struct sim *after = sim_new();
	struct dice dice = { seed };
	struct sim_image image;
	int *numbers;

	sim_image_copy(&image, &replay->base);
	choose_all(replay, &image, &dice);
	numbers = malloc(image.count * sizeof *numbers);
	assert(numbers != NULL);
	for (size_t i = 0; i < image.count; i++)
		numbers[i] = SIM_NONE;
	copy_folder(&after->now, SIM_ROOT, &image, SIM_ROOT, numbers);
	free(numbers);
	sim_image_fini(&image);
	sim_image_fini(&after->start);
	sim_image_copy(&after->start, &after->now);
	return after;
}
