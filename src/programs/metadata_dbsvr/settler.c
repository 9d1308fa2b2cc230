#include "programs/metadata_dbsvr/settler.h"

#include "core/clock.h"
#include "core/log.h"
#include "photo/local_pictures.h"
#include "programs/metadata_dbsvr/photo_store.h"
#include "service/store_client.h"
#include "service/ticker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	PENDING_MAX = 256, /* of a page */
	LOOKS_PER_AGE = 4, /* so much later than its age a photo is settled at most */
	LOOK_MIN_MS = 250,
	LOOK_MAX_MS = 15000,
	BACK_OFF_MAX = 40, /* looks that are left out when a round could settle nothing */
	CLOCKS_S = 2,      /* by which the clocks of two programs may differ */
	MS_PER_S = 1000,
};

struct settler {
	const struct settings *settings;
	void (*told)(void *context, size_t done, size_t left);
	void *context;
	struct photo_store *store;
	struct fdfs_client *client;
	struct search *search; /* room for one */
	struct ticker *ticker;
	int leave_out, left_out;
	/* A round takes all that is pending, a page at a look. */
	uint64_t after; /* where the next page begins; 0: the round is over */
	struct settler_round {
		size_t done, left;
	} round, last_round;
};

struct search {
	struct settler *settler;
	struct photo pending[PENDING_MAX];
	char found[PENDING_MAX][PHOTO_TEXT_MAX + 1];
	bool wait[PENDING_MAX]; /* a picture that may be its own is too young to be given to it */
	int count;
	int64_t before; /* younger pictures may still be on their way to a photo of their own */
	struct err err; /* the database failed */
};

static bool is_taken(const struct search *search, const char *url)
{
	for (int i = 0; i < search->count; i++)
		if (strcmp(search->found[i], url) == 0)
			return true;
	return false;
}

static bool look_at(void *context, const struct engine_found *found)
{
	struct search *search = context;
	char url[FILE_ID_TEXT_MAX + 1];
	struct photo other;

	if (found->what != ENGINE_FOUND_PICTURE)
		return true;
	for (int i = 0; i < search->count; i++) {
		const struct photo *photo = &search->pending[i];

		if (search->found[i][0] != '\0' || photo->length != found->id.size ||
			photo->crc != found->id.crc || found->id.time + CLOCKS_S < photo->time)
			continue;
		if (found->id.time > search->before) {
			search->wait[i] = true;
			continue;
		}
		file_id_format(&found->id, url);
		if (is_taken(search, url))
			continue;
		if (photo_store_get_url(search->settler->store, url, &other, &search->err) == 0)
			continue;
		if (search->err.code != ERR_NOT_FOUND)
			return false;
		strcpy(search->found[i], url);
	}
	return true;
}

static int settle_one(
	struct settler *settler, const struct photo *photo, const char *url, struct err *err)
{
	enum photo_settle what = url[0] == '\0' ? PHOTO_SETTLE_FORGET : PHOTO_SETTLE_STORED;

	if (photo_store_begin(settler->store, err) != 0)
		return -1;
	if (photo_store_settle(settler->store, photo->photoid, what, url, err) != 0) {
		photo_store_rollback(settler->store);
		return -1;
	}
	if (photo_store_commit(settler->store, err) != 0)
		return -1;
	if (url[0] == '\0')
		log_warn("photo %llu of user %u is forgotten: its upload was cut off",
			(unsigned long long)photo->photoid, photo->uid);
	else
		log_warn("photo %llu of user %u is settled as %s: its upload was cut off",
			(unsigned long long)photo->photoid, photo->uid, url);
	return 0;
}

/* Look at the next page.  Returns 0 or -1; what was settled and what was not is added to
 * the round. */
static int look(struct settler *settler, struct search *search, struct err *err)
{
	const struct settings *settings = settler->settings;
	const char *group = settings->upload_group[0] == '\0' ? NULL : settings->upload_group;
	size_t skipped = 0;
	bool all = false;

	search->before = clock_unix() - settings->metadata_pending / MS_PER_S;
	search->count = photo_store_pending(
		settler->store, search->before, settler->after, search->pending, PENDING_MAX, err);
	/* Those that cannot be settled, for whatever reason, do not keep others waiting. */
	settler->after = search->count == PENDING_MAX ? search->pending[PENDING_MAX - 1].photoid
						      : 0;
	if (search->count <= 0)
		return search->count;
	settler->round.left += (size_t)search->count;
	/* Whether the store is all here is asked first: a storage that joins later has
	 * nothing that old. */
	if (local_pictures_are_all(settings, false, settler->client, group, &all, err) != 0)
		return -1;
	memset(search->found, 0, sizeof search->found);
	memset(search->wait, 0, sizeof search->wait);
	search->err.code = ERR_NONE;
	if (local_pictures_walk(settings, false, look_at, search, &skipped, err) != 0)
		return -1;
	if (search->err.code != ERR_NONE && search->err.code != ERR_NOT_FOUND) {
		*err = search->err;
		return -1;
	}
	for (int i = 0; i < search->count; i++) {
		if (search->found[i][0] == '\0' && (!all || skipped > 0 || search->wait[i]))
			continue;
		if (settle_one(settler, &search->pending[i], search->found[i], err) != 0)
			return -1;
		settler->round.done++;
		settler->round.left--;
	}
	return 0;
}

static int64_t pause_ms(const struct settler *settler)
{
	int64_t ms = settler->settings->metadata_pending / LOOKS_PER_AGE;

	return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

/* A walk of a large store is not for every few seconds: the next round comes the later
 * the longer nothing could be settled. */
static void end_round(struct settler *settler)
{
	const struct settler_round *round = &settler->round;

	if (round->left == 0 || round->done > 0)
		settler->leave_out = 0;
	else if (settler->leave_out < BACK_OFF_MAX)
		settler->leave_out = 2 * settler->leave_out + 1;
	settler->left_out = 0;
	settler->last_round = *round;
	settler->round = (struct settler_round){ 0 };
}

static void tick(void *context)
{
	struct settler *settler = context;
	size_t before = settler->round.done, left;
	struct err err;

	if (settler->after == 0 && settler->left_out < settler->leave_out) {
		settler->left_out++;
		return;
	}
	if (look(settler, settler->search, &err) != 0)
		log_warn("unfinished uploads cannot be settled now: %s", err.text);
	left = settler->round.left;
	if (settler->after != 0 && left < settler->last_round.left)
		left = settler->last_round.left; /* until it is known better */
	settler->told(settler->context, settler->round.done - before, left);
	if (settler->after == 0)
		end_round(settler);
}

struct settler *settler_new(const struct settings *settings,
	void (*told)(void *context, size_t done, size_t left), void *context, struct err *err)
{
	struct settler *settler = calloc(1, sizeof *settler);
	struct fdfs_client_conf conf;

	assert(settler != NULL);
	settler->settings = settings;
	settler->told = told;
	settler->context = context;
	settler->search = calloc(1, sizeof *settler->search);
	assert(settler->search != NULL);
	settler->search->settler = settler;
	settler->store = photo_store_open(
		settings->metadata_folder, settings->metadata_postgres, err);
	if (settler->store == NULL)
		goto fail;
	conf = store_client_conf(settings, 1, 1);
	settler->client = fdfs_client_new(&conf, err);
	if (settler->client == NULL)
		goto fail;
	settler->ticker = ticker_new(pause_ms(settler), tick, settler, err);
	if (settler->ticker == NULL)
		goto fail;
	return settler;
fail:
	settler_free(settler);
	return NULL;
}

void settler_free(struct settler *settler)
{
	if (settler == NULL)
		return;
	ticker_free(settler->ticker);
	fdfs_client_free(settler->client);
	photo_store_close(settler->store);
	free(settler->search);
	free(settler);
}
