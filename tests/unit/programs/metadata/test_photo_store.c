#include "programs/metadata_dbsvr/photo_store.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum { NOW = 1549867346 };

#define URL(n) "g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c66" #n ".jpg"

static struct err err;

static struct photo_store *open_store(void)
{
	struct photo_store *store = photo_store_open(unit_scratch(), "", &err);

	if (store == NULL)
		fail_msg("%s", err.text);
	return store;
}

#define DO(store, call)                                                                            \
	do {                                                                                       \
		assert_int_equal(photo_store_begin(store, &err), 0);                               \
		if ((call) != 0)                                                                   \
			fail_msg("%s", err.text);                                                  \
		assert_int_equal(photo_store_commit(store, &err), 0);                              \
	} while (0)

#define REFUSED(store, call, why)                                                                  \
	do {                                                                                       \
		assert_int_equal(photo_store_begin(store, &err), 0);                               \
		assert_int_equal(call, -1);                                                        \
		assert_int_equal(err.code, why);                                                   \
		assert_int_equal(photo_store_commit(store, &err), 0);                              \
	} while (0)

static uint64_t put(struct photo_store *store, uint32_t uid, uint32_t albumid, const char *name,
	const char *url)
{
	struct photo photo = { .uid = uid,
		.albumid = albumid,
		.length = 10,
		.time = NOW,
		.state = url[0] == '\0' ? PHOTO_PENDING : PHOTO_STORED,
		.ip = { 255, 1, 2, 3 } };

	snprintf(photo.name, sizeof photo.name, "%s", name);
	snprintf(photo.url, sizeof photo.url, "%s", url);
	DO(store, photo_store_put(store, &photo, NOW, &err));
	assert_true(photo.albumid != 0);
	return photo.photoid;
}

struct seen {
	uint64_t ids[8];
	int count;
};

static bool see(void *context, const struct photo *photo)
{
	struct seen *seen = context;

	assert_true(seen->count < 8);
	seen->ids[seen->count++] = photo->photoid;
	return true;
}

static struct seen list(struct photo_store *store, const struct photo_request *request)
{
	struct seen seen = { .count = 0 };

	assert_int_equal(photo_store_list(store, request, see, &seen, &err), 0);
	return seen;
}

TEST(a_photo_is_pending_until_it_is_settled)
{
	struct photo_store *store = open_store();
	uint64_t id = put(store, 7, 0, "a", "");
	struct photo photo;

	assert_int_equal(photo_store_get(store, id, &photo, &err), 0);
	assert_int_equal(photo.state, PHOTO_PENDING);
	assert_int_equal(photo.albumid, 1);
	assert_int_equal(photo.ip[0], 255);
	assert_int_equal(
		list(store, &(struct photo_request){ .cmd = CMD_PHOTO_LIST_USER, .uid = 7 }).count,
		0);
	for (int twice = 0; twice < 2; twice++)
		DO(store, photo_store_settle(store, id, PHOTO_SETTLE_STORED, URL(1), &err));
	assert_int_equal(photo_store_get_url(store, URL(1), &photo, &err), 0);
	assert_int_equal(photo.photoid, id);
	assert_int_equal(photo.state, PHOTO_STORED);
	REFUSED(store, photo_store_settle(store, id, PHOTO_SETTLE_STORED, URL(2), &err),
		ERR_EXISTS);
	/* What is stored is not forgotten. */
	DO(store, photo_store_settle(store, id, PHOTO_SETTLE_FORGET, "", &err));
	assert_int_equal(photo_store_get(store, id, &photo, &err), 0);
	photo_store_close(store);
}

TEST(a_forgotten_photo_is_gone)
{
	struct photo_store *store = open_store();
	uint64_t id = put(store, 7, 0, "a", "");
	struct photo photo;

	for (int twice = 0; twice < 2; twice++)
		DO(store, photo_store_settle(store, id, PHOTO_SETTLE_FORGET, "", &err));
	assert_int_equal(photo_store_get(store, id, &photo, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	REFUSED(store, photo_store_settle(store, id, PHOTO_SETTLE_STORED, URL(1), &err),
		ERR_NOT_FOUND);
	photo_store_close(store);
}

TEST(a_url_belongs_to_one_photo)
{
	struct photo_store *store = open_store();
	struct photo photo = { .uid = 1, .state = PHOTO_STORED, .url = URL(1) };
	uint64_t pending = put(store, 7, 0, "b", "");

	put(store, 7, 0, "a", URL(1));
	REFUSED(store, photo_store_put(store, &photo, NOW, &err), ERR_EXISTS);
	REFUSED(store, photo_store_settle(store, pending, PHOTO_SETTLE_STORED, URL(1), &err),
		ERR_EXISTS);
	photo_store_close(store);
}

TEST(lists_come_in_pages_and_in_both_directions)
{
	struct photo_store *store = open_store();
	struct photo_request ask = {
		.cmd = CMD_PHOTO_LIST_ALBUM, .uid = 7, .albumid = 3, .limit = 1
	};
	struct seen seen;

	put(store, 7, 3, "a", URL(1));
	put(store, 8, 3, "b", URL(2));
	put(store, 7, 4, "c", URL(3));
	put(store, 7, 3, "d", URL(4));
	seen = list(store, &ask);
	assert_int_equal(seen.count, 2); /* one more than the limit: there is more */
	assert_int_equal(seen.ids[0], 1);
	ask.photoid = 1;
	seen = list(store, &ask);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.ids[0], 4);
	ask.photoid = 0;
	ask.flags = PHOTO_NEWEST_FIRST;
	assert_int_equal(list(store, &ask).ids[0], 4);
	ask.cmd = CMD_PHOTO_LIST_USER;
	ask.limit = 100;
	assert_int_equal(list(store, &ask).count, 3);
	ask.cmd = CMD_PHOTO_LIST_ALL;
	assert_int_equal(list(store, &ask).count, 4);
	photo_store_close(store);
}

TEST(a_search_takes_its_text_literally)
{
	struct photo_store *store = open_store();
	struct photo_request ask = { .cmd = CMD_PHOTO_SEARCH, .uid = 7 };

	put(store, 7, 0, "Beach 50%.jpg", URL(1));
	put(store, 7, 0, "beach 50.jpg", URL(2));
	put(store, 7, 0, "a_b!c", URL(3));
	strcpy(ask.text, "BEACH");
	assert_int_equal(list(store, &ask).count, 2);
	strcpy(ask.text, "50%");
	assert_int_equal(list(store, &ask).count, 1);
	strcpy(ask.text, "_b!");
	assert_int_equal(list(store, &ask).ids[0], 3);
	strcpy(ask.text, "'; --");
	assert_int_equal(list(store, &ask).count, 0);
	photo_store_close(store);
}

TEST(only_its_user_changes_a_photo)
{
	struct photo_store *store = open_store();
	uint64_t id = put(store, 7, 0, "a", URL(1));
	uint32_t albumid = 9;
	struct photo photo;

	REFUSED(store, photo_store_rename(store, id, 8, "b", &err), ERR_NOT_ALLOWED);
	REFUSED(store, photo_store_move(store, id, 8, &albumid, NOW, &err), ERR_NOT_ALLOWED);
	REFUSED(store, photo_store_delete(store, id, "", 8, &err), ERR_NOT_ALLOWED);
	DO(store, photo_store_rename(store, id, 7, "b", &err));
	DO(store, photo_store_move(store, id, 0, &albumid, NOW, &err));
	assert_int_equal(photo_store_get(store, id, &photo, &err), 0);
	assert_string_equal(photo.name, "b");
	assert_int_equal(photo.albumid, 9);
	photo_store_close(store);
}

TEST(a_deleted_photo_is_known_to_be)
{
	struct photo_store *store = open_store();
	uint64_t id = put(store, 7, 0, "a", URL(1));
	struct photo photo;

	for (int twice = 0; twice < 2; twice++)
		DO(store, photo_store_delete(store, 0, URL(1), 7, &err));
	assert_int_equal(photo_store_get(store, id, &photo, &err), 0);
	assert_int_equal(photo.state, PHOTO_DELETED);
	REFUSED(store, photo_store_rename(store, id, 7, "b", &err), ERR_GONE);
	DO(store, photo_store_delete(store, 0, URL(2), 7, &err)); /* nothing to mark */
	REFUSED(store, photo_store_delete(store, 99, "", 7, &err), ERR_NOT_FOUND);
	photo_store_close(store);
}

static bool see_album(void *context, const struct photo_album *album)
{
	struct photo_album *albums = context;

	while (albums->albumid != 0)
		albums++;
	*albums = *album;
	return true;
}

TEST(albums_are_made_on_demand_and_counted)
{
	struct photo_store *store = open_store();
	struct photo_request ask = { .cmd = CMD_PHOTO_ALBUMS, .uid = 7 };
	struct photo_album albums[4] = { { 0 } };
	uint64_t photos, bytes;

	put(store, 7, 3, "a", URL(1));
	put(store, 7, 3, "b", URL(2));
	put(store, 7, 0, "c", "");
	put(store, 8, 5, "d", URL(3));
	assert_int_equal(photo_store_albums(store, &ask, see_album, albums, &err), 0);
	assert_int_equal(albums[0].albumid, 1);
	assert_int_equal(albums[0].photos, 0); /* pending */
	assert_int_equal(albums[1].albumid, 3);
	assert_int_equal(albums[1].photos, 2);
	assert_int_equal(albums[1].made, NOW);
	assert_int_equal(albums[2].albumid, 0);
	assert_int_equal(photo_store_count(store, &ask, &photos, &bytes, &err), 0);
	assert_int_equal(photos, 2);
	assert_int_equal(bytes, 20);
	ask.albumid = 1;
	ask.states = 1 << PHOTO_PENDING;
	assert_int_equal(photo_store_count(store, &ask, &photos, &bytes, &err), 0);
	assert_int_equal(photos, 1);
	photo_store_close(store);
}

TEST(pending_ones_are_found_by_age)
{
	struct photo_store *store = open_store();
	struct photo pending[2];

	put(store, 7, 0, "a", "");
	put(store, 7, 0, "b", "");
	put(store, 7, 0, "c", "");
	put(store, 7, 0, "d", URL(1));
	assert_int_equal(photo_store_pending(store, NOW - 1, 0, pending, 2, &err), 0);
	assert_int_equal(photo_store_pending(store, NOW, 0, pending, 2, &err), 2);
	assert_int_equal(pending[1].photoid, 2);
	assert_int_equal(photo_store_pending(store, NOW, 0, pending, 2, &err), 2);
	assert_int_equal(photo_store_pending(store, NOW, 1, pending, 2, &err), 2);
	assert_int_equal(pending[0].photoid, 2);
	assert_int_equal(photo_store_pending(store, NOW, 4, pending, 2, &err), 0);
	photo_store_close(store);
}

TEST(numbers_are_never_given_twice)
{
	struct photo_store *store = open_store();
	uint64_t first = put(store, 7, 0, "a", "");

	DO(store, photo_store_settle(store, first, PHOTO_SETTLE_FORGET, "", &err));
	assert_true(put(store, 7, 0, "b", "") > first);
	photo_store_close(store);
}
