#include "programs/cut_svr/cut_settler.h"

#include "core/clock.h"
#include "core/log.h"
#include "image/picture_mark.h"
#include "photo/local_pictures.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	PENDING_MAX = 256, /* of a look */
	CLOCKS_S = 60,     /* by which the clocks of two machines may differ */
	MS_PER_S = 1000,
};

/* A picture that may be the one. */
struct candidate {
	int pending; /* number in the list */
	struct file_id id;
};

struct cut_settler {
	const struct settings *settings;
	struct fdfs_client *client;
	struct cut_memory *memory;
	bool looked; /* those that were searched for in vain before too */

	/* of one look */
	struct cut_storing pending[PENDING_MAX];
	bool all[PENDING_MAX];  /* its group is on this machine */
	bool open[PENDING_MAX]; /* it could not be told whether it is there */
	bool found[PENDING_MAX];
	int count;
	struct candidate *candidates;
	size_t candidate_count, candidate_room;
};

struct cut_settler *cut_settler_new(
	const struct settings *settings, struct fdfs_client *client, struct cut_memory *memory)
{
	struct cut_settler *settler = calloc(1, sizeof *settler);

	assert(settler != NULL);
	settler->settings = settings;
	settler->client = client;
	settler->memory = memory;
	return settler;
}

void cut_settler_free(struct cut_settler *settler)
{
	if (settler == NULL)
		return;
	free(settler->candidates);
	free(settler);
}

static void add_candidate(struct cut_settler *settler, int pending, const struct file_id *id)
{
	if (settler->candidate_count == settler->candidate_room) {
		settler->candidate_room = settler->candidate_room * 2 + 16;
		settler->candidates = reallocarray(
			settler->candidates, settler->candidate_room, sizeof *settler->candidates);
		assert(settler->candidates != NULL);
	}
	settler->candidates[settler->candidate_count++] = (struct candidate){ pending, *id };
}

static bool look_at(void *context, const struct engine_found *found)
{
	struct cut_settler *settler = context;

	if (found->what != ENGINE_FOUND_PICTURE)
		return true;
	for (int i = 0; i < settler->count; i++) {
		const struct cut_storing *one = &settler->pending[i];

		if (one->length == found->id.size && one->crc == found->id.crc &&
			found->id.time + CLOCKS_S >= one->time &&
			strcmp(one->group, found->id.group) == 0)
			add_candidate(settler, i, &found->id);
	}
	return true;
}

/* 1: it has the mark.  0: it has not, or is gone. */
static int is_the_one(
	struct cut_settler *settler, const struct candidate *candidate, struct err *err)
{
	struct buf picture;
	int result;

	buf_init(&picture, (size_t)candidate->id.size);
	result = fdfs_download(settler->client, &candidate->id, &picture, err);
	if (result == 0)
		result = picture_has_mark(
			buf_span(&picture), settler->pending[candidate->pending].number);
	else if (err->code == ERR_NOT_FOUND || err->code == ERR_GONE)
		result = 0;
	buf_fini(&picture);
	return result;
}

static int check(struct cut_settler *settler, const struct candidate *candidate, struct err *err)
{
	const struct cut_storing *one = &settler->pending[candidate->pending];
	char text[FILE_ID_TEXT_MAX + 1];
	struct err why = { 0 };
	int is = is_the_one(settler, candidate, &why);

	if (is < 0) {
		settler->open[candidate->pending] = true;
		log_warn("a picture that may be a lost cut cannot be looked at now: %s", why.text);
	}
	if (is <= 0)
		return 0;
	file_id_format(&candidate->id, text);
	if (cut_memory_settle(settler->memory, one->number, text, err) != 0)
		return -1;
	settler->found[candidate->pending] = true;
	log_warn("%s is a cut whose storing was cut off: it is removed", text);
	return 0;
}

/* What was not found, when everything was searched that can be. */
static int give_up(struct cut_settler *settler, int at, struct err *err)
{
	const struct cut_storing *one = &settler->pending[at];

	if (settler->all[at])
		return cut_memory_settle(settler->memory, one->number, NULL, err);
	log_warn("a cut of %" PRIu64 " bytes, CRC-32 %08" PRIx32
		 ", whose storing was cut off may be in group %s, not all of which is on this "
		 "machine",
		one->length, one->crc, one->group);
	return cut_memory_in_vain(settler->memory, one->number, err);
}

static int ask_whether_all(struct cut_settler *settler, int at, struct err *err)
{
	const struct cut_storing *one = &settler->pending[at];

	if (at > 0 && strcmp(one->group, one[-1].group) == 0) {
		/* cppcheck-suppress arrayIndexOutOfBoundsCond ; `at` is one of `count` */
		settler->all[at] = settler->all[at - 1];
		return 0;
	}
	return local_pictures_are_all(
		settler->settings, false, settler->client, one->group, &settler->all[at], err);
}

int cut_settler_look(struct cut_settler *settler, struct err *err)
{
	int64_t before = clock_unix() - settler->settings->cut_pending / MS_PER_S;
	size_t skipped; /* has none of a group that is all here */

	settler->count = cut_memory_pending(
		settler->memory, before, !settler->looked, settler->pending, PENDING_MAX, err);
	if (settler->count <= 0) {
		settler->looked = settler->looked || settler->count == 0;
		return settler->count;
	}
	/* Asked first: a storage that joins later has nothing that old. */
	for (int i = 0; i < settler->count; i++)
		if (ask_whether_all(settler, i, err) != 0)
			return -1;
	memset(settler->open, 0, sizeof settler->open);
	memset(settler->found, 0, sizeof settler->found);
	settler->candidate_count = 0;
	if (local_pictures_walk(settler->settings, false, look_at, settler, &skipped, err) != 0)
		return -1;
	for (size_t i = 0; i < settler->candidate_count; i++)
		if (check(settler, &settler->candidates[i], err) != 0)
			return -1;
	for (int i = 0; i < settler->count; i++)
		if (!settler->found[i] && !settler->open[i] && give_up(settler, i, err) != 0)
			return -1;
	settler->looked = true;
	return 0;
}
