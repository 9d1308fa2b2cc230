/* scenario_photos.c - photos and albums of metadata_dbsvr, in SQLite. */
#include "chain.h"

#include "programs/metadata_dbsvr/photo_store.h"

#include <stdio.h>
#include <string.h>

enum { USERS = 3, PHOTOS_MAX = 30 };

struct state {
	uint64_t ids[PHOTOS_MAX];
	unsigned count;
};

static void *open_photos(struct err *err)
{
	return photo_store_open("/store", "", err);
}

static void close_photos(void *store)
{
	photo_store_close(store);
}

static int put(struct photo_store *store, struct photo *photo, struct dice *dice, struct err *err)
{
	*photo = (struct photo){
		.uid = 1 + dice_roll(dice, USERS),
		.albumid = dice_roll(dice, 4),
		.state = dice_roll(dice, 2) == 0 ? PHOTO_PENDING : PHOTO_STORED,
		.length = dice_roll(dice, 100000),
		.time = 1000,
	};
	snprintf(photo->name, sizeof photo->name, "photo %u", dice_roll(dice, 1000));
	if (photo->state == PHOTO_STORED)
		snprintf(photo->url, sizeof photo->url, "g01/%016llx",
			(unsigned long long)dice_bits(dice));
	return photo_store_put(store, photo, 1000, err);
}

static int settle(struct photo_store *store, uint64_t photoid, struct dice *dice, struct err *err)
{
	char url[60];

	snprintf(url, sizeof url, "g01/%016llx", (unsigned long long)dice_bits(dice));
	return photo_store_settle(store, photoid, PHOTO_SETTLE_STORED, url, err);
}

static int change(struct photo_store *store, uint64_t photoid, struct dice *dice, struct err *err)
{
	uint32_t album = dice_roll(dice, 6);
	struct photo photo;
	int result;

	if (photo_store_get(store, photoid, &photo, err) != 0)
		return -1;
	if (photo.state == PHOTO_PENDING)
		return settle(store, photoid, dice, err);
	if (photo.state != PHOTO_STORED)
		return 0;
	switch (dice_roll(dice, 3)) {
	case 0:
		result = photo_store_rename(store, photoid, 0, "renamed", err);
		break;
	case 1:
		result = photo_store_move(store, photoid, 0, &album, 2000, err);
		break;
	default:
		result = photo_store_delete(store, photoid, "", 0, err);
	}
	return result;
}

static int step(void *store, void *context, unsigned number, struct dice dice, struct err *err)
{
	struct state *state = context;
	struct photo photo = { 0 };
	int result;

	(void)number;
	if (photo_store_begin(store, err) != 0)
		return -1;
	if (state->count == 0 || (state->count < PHOTOS_MAX && dice_roll(&dice, 2) == 0))
		result = put(store, &photo, &dice, err);
	else
		result = change(store, state->ids[dice_roll(&dice, state->count)], &dice, err);
	if (result != 0) {
		photo_store_rollback(store);
		return -1;
	}
	if (photo_store_commit(store, err) != 0)
		return -1;
	if (photo.photoid != 0)
		state->ids[state->count++] = photo.photoid;
	return 0;
}

static bool add_photo(void *context, const struct photo *photo)
{
	uint64_t *sum = context;

	*sum = sum_number(*sum, photo->photoid);
	*sum = sum_number(*sum, photo->albumid);
	*sum = sum_number(*sum, photo->state);
	*sum = sum_bytes(*sum, photo->name, strlen(photo->name));
	*sum = sum_bytes(*sum, photo->url, strlen(photo->url));
	return true;
}

static bool add_album(void *context, const struct photo_album *album)
{
	uint64_t *sum = context;

	*sum = sum_number(*sum, album->albumid);
	*sum = sum_number(*sum, album->photos);
	return true;
}

static int sum_photos(void *store, const void *state, uint64_t *sum, struct err *err)
{
	struct photo_request request = {
		.cmd = CMD_PHOTO_LIST_ALL, .states = 0xf, .limit = PHOTOS_MAX * 2
	};

	(void)state;
	*sum = 1;
	if (photo_store_list(store, &request, add_photo, sum, err) != 0)
		return -1;
	for (uint32_t user = 1; user <= USERS; user++) {
		struct photo_request albums = {
			.cmd = CMD_PHOTO_ALBUMS, .uid = user, .limit = 100
		};

		if (photo_store_albums(store, &albums, add_album, sum, err) != 0)
			return -1;
	}
	return 0;
}

static const struct chain_ops ops = {
	.file = "metadata.db",
	.open = open_photos,
	.close = close_photos,
	.step = step,
	.sum = sum_photos,
	.state_size = sizeof(struct state),
};

static void *photos_world(uint64_t seed)
{
	return chain_begin(&ops, seed);
}

const struct scenario scenario_photos = {
	.name = "photos",
	.share = 10,
	.begin = photos_world,
	.live = chain_live,
	.end = chain_end,
	.recover = chain_recover,
	.check = chain_check,
};
