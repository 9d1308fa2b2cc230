#include "programs/metadata_dbsvr/photo_store.h"

#include "meta/sql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_LEN = 4096, FIRST_ALBUM = 1, LIMIT = 100, PATTERN_MAX = 2 * PHOTO_TEXT_MAX + 3 };

/* The same tables in the words of each; a list only grows. */
#define TABLES(number)                                                                             \
	"CREATE TABLE album (uid BIGINT NOT NULL, albumid BIGINT NOT NULL, name TEXT NOT NULL,"    \
	"  made BIGINT NOT NULL, PRIMARY KEY (uid, albumid));"                                     \
	"CREATE TABLE photo (photoid " number ", uid BIGINT NOT NULL, albumid BIGINT NOT NULL,"    \
	"  channel BIGINT NOT NULL, is_head INTEGER NOT NULL, state INTEGER NOT NULL,"             \
	"  type INTEGER NOT NULL, width BIGINT NOT NULL, height BIGINT NOT NULL,"                  \
	"  crc BIGINT NOT NULL, length BIGINT NOT NULL, time BIGINT NOT NULL,"                     \
	"  ip BIGINT NOT NULL, name TEXT NOT NULL, url TEXT UNIQUE);"                              \
	"CREATE INDEX photo_user ON photo (uid, photoid);"                                         \
	"CREATE INDEX photo_album ON photo (uid, albumid, photoid);"                               \
	"CREATE INDEX photo_pending ON photo (photoid) WHERE state = 0"

static const char *const sqlite_steps[] = {
	TABLES("INTEGER PRIMARY KEY AUTOINCREMENT"),
	NULL,
};
static const char *const postgres_steps[] = {
	TABLES("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
	NULL,
};

#define COLUMNS                                                                                    \
	"photoid, uid, albumid, channel, is_head, state, type, width, height, crc, length, "       \
	"time, ip, name, url"

enum query {
	MAKE_ALBUM,
	PUT,
	SETTLE,
	SET_STATE,
	FORGET,
	RENAME,
	MOVE,
	GET,
	GET_URL,
	LIST_ALL, /* of these four each has the one from the newest on behind it */
	LIST_ALL_DOWN,
	LIST_USER,
	LIST_USER_DOWN,
	LIST_ALBUM,
	LIST_ALBUM_DOWN,
	SEARCH,
	SEARCH_DOWN,
	COUNT_USER,
	COUNT_ALBUM,
	ALBUMS,
	PENDING,
	QUERIES
};

/* Values stand in a text in the order of their numbers: so SQLite numbers them. */
static const char *const texts[QUERIES] = {
	[MAKE_ALBUM] = "INSERT INTO album (uid, albumid, name, made) VALUES ($1, $2, '', $3) "
		       "ON CONFLICT DO NOTHING",
	[PUT] = "INSERT INTO photo (uid, albumid, channel, is_head, state, type, width, height, "
		"crc, length, time, ip, name, url) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
		"$10, "
		"$11, $12, $13, $14) ON CONFLICT DO NOTHING RETURNING photoid",
	[SETTLE] =
		"UPDATE photo SET state = 1, url = $1 WHERE photoid = $2 AND state IN (0, 3) AND "
		"NOT EXISTS (SELECT 1 FROM photo p WHERE p.url = $1 AND p.photoid <> $2)",
	[SET_STATE] = "UPDATE photo SET state = $1 WHERE photoid = $2",
	[FORGET] = "DELETE FROM photo WHERE photoid = $1 AND state = 0",
	[RENAME] = "UPDATE photo SET name = $1 WHERE photoid = $2",
	[MOVE] = "UPDATE photo SET albumid = $1 WHERE photoid = $2",
	[GET] = "SELECT " COLUMNS " FROM photo WHERE photoid = $1",
	[GET_URL] = "SELECT " COLUMNS " FROM photo WHERE url = $1",
#define SELECT "SELECT " COLUMNS " FROM photo WHERE (CAST($1 AS BIGINT) & (1 << state)) <> 0"
	[LIST_ALL] = SELECT " AND photoid > $2 ORDER BY photoid LIMIT $3",
	[LIST_ALL_DOWN] = SELECT " AND photoid < $2 ORDER BY photoid DESC LIMIT $3",
	[LIST_USER] = SELECT " AND photoid > $2 AND uid = $3 ORDER BY photoid LIMIT $4",
	[LIST_USER_DOWN] = SELECT " AND photoid < $2 AND uid = $3 ORDER BY photoid DESC LIMIT $4",
	[LIST_ALBUM] = SELECT
	" AND photoid > $2 AND uid = $3 AND albumid = $4 ORDER BY photoid LIMIT $5",
	[LIST_ALBUM_DOWN] = SELECT " AND photoid < $2 AND uid = $3 AND albumid = $4 ORDER BY "
				   "photoid DESC LIMIT $5",
	[SEARCH] = SELECT
	" AND photoid > $2 AND uid = $3 AND lower(name) LIKE lower($4) ESCAPE '!' "
	"ORDER BY photoid LIMIT $5",
	[SEARCH_DOWN] = SELECT " AND photoid < $2 AND uid = $3 AND lower(name) LIKE lower($4) "
			       "ESCAPE '!' ORDER BY photoid DESC LIMIT $5",
#undef SELECT
	[COUNT_USER] = "SELECT count(*), CAST(COALESCE(sum(length), 0) AS BIGINT) FROM photo WHERE "
		       "(CAST($1 AS BIGINT) & (1 << state)) <> 0 AND uid = $2",
	[COUNT_ALBUM] =
		"SELECT count(*), CAST(COALESCE(sum(length), 0) AS BIGINT) FROM photo "
		"WHERE (CAST($1 AS BIGINT) & (1 << state)) <> 0 AND uid = $2 AND albumid = $3",
	[ALBUMS] = "SELECT albumid, made, (SELECT count(*) FROM photo p WHERE p.uid = a.uid AND "
		   "p.albumid = a.albumid AND p.state = 1), name FROM album a WHERE uid = $1 AND "
		   "albumid > $2 ORDER BY albumid LIMIT $3",
	[PENDING] = "SELECT " COLUMNS " FROM photo WHERE state = 0 AND time <= $1 AND photoid > $2 "
		    "ORDER BY photoid LIMIT $3",
};

struct photo_store {
	struct sql *sql;
	struct sql_query *queries[QUERIES];
};

struct photo_store *photo_store_open(const char *folder, const char *postgres, struct err *err)
{
	struct photo_store *store = calloc(1, sizeof *store);
	char path[PATH_MAX_LEN];

	assert(store != NULL);
	if (postgres[0] != '\0') {
		store->sql = sql_open_postgres(postgres, NULL, postgres_steps, err);
	} else if ((size_t)snprintf(path, sizeof path, "%s/metadata.db", folder) >= sizeof path) {
		err_set(err, ERR_CONFIG, "[metadata_dbsvr] folder is too long");
	} else {
		store->sql = sql_open_sqlite(
			&(struct db_conf){ .path = path, .steps = sqlite_steps }, err);
	}
	for (int i = 0; i < QUERIES && store->sql != NULL; i++) {
		store->queries[i] = sql_prepare(store->sql, texts[i], err);
		if (store->queries[i] == NULL) {
			sql_close(store->sql);
			store->sql = NULL;
		}
	}
	if (store->sql == NULL) {
		free(store);
		return NULL;
	}
	return store;
}

void photo_store_close(struct photo_store *store)
{
	if (store == NULL)
		return;
	sql_close(store->sql);
	free(store);
}

int photo_store_begin(struct photo_store *store, struct err *err)
{
	return sql_begin(store->sql, err);
}

int photo_store_commit(struct photo_store *store, struct err *err)
{
	return sql_commit(store->sql, err);
}

void photo_store_rollback(struct photo_store *store)
{
	sql_rollback(store->sql);
}

/* ---- rows ---- */

static void text_of(struct sql_query *query, int at, char out[PHOTO_TEXT_MAX + 1])
{
	photo_text_clean(sql_text(query, at), out);
}

static void read_photo(struct sql_query *query, struct photo *photo)
{
	uint32_t ip = (uint32_t)sql_int(query, 12);

	*photo = (struct photo){
		.photoid = (uint64_t)sql_int(query, 0),
		.uid = (uint32_t)sql_int(query, 1),
		.albumid = (uint32_t)sql_int(query, 2),
		.channel = (uint32_t)sql_int(query, 3),
		.is_head = sql_int(query, 4) != 0,
		.state = (enum photo_state)(sql_int(query, 5) & (PHOTO_STATES - 1)),
		.type = (uint16_t)sql_int(query, 6),
		.width = (uint32_t)sql_int(query, 7),
		.height = (uint32_t)sql_int(query, 8),
		.crc = (uint32_t)sql_int(query, 9),
		.length = (uint64_t)sql_int(query, 10),
		.time = (uint64_t)sql_int(query, 11),
	};
	store_be32(photo->ip, ip);
	text_of(query, 13, photo->name);
	text_of(query, 14, photo->url);
}

/* The first row, or ERR_NOT_FOUND; the query is ready to be used again. */
static int one_photo(struct sql_query *query, struct photo *photo, struct err *err)
{
	int got = sql_step(query, err);

	if (got < 0)
		return -1;
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such photo");
	read_photo(query, photo);
	sql_reset(query);
	return 0;
}

int photo_store_get(
	struct photo_store *store, uint64_t photoid, struct photo *photo, struct err *err)
{
	sql_put_int(store->queries[GET], 1, (int64_t)photoid);
	return one_photo(store->queries[GET], photo, err);
}

int photo_store_get_url(
	struct photo_store *store, const char *url, struct photo *photo, struct err *err)
{
	sql_put_text(store->queries[GET_URL], 1, span_str(url));
	return one_photo(store->queries[GET_URL], photo, err);
}

/* ---- changes ---- */

static int make_album(
	struct photo_store *store, uint32_t uid, uint32_t albumid, int64_t now, struct err *err)
{
	struct sql_query *query = store->queries[MAKE_ALBUM];

	sql_put_int(query, 1, uid);
	sql_put_int(query, 2, albumid);
	sql_put_int(query, 3, now);
	return sql_run(query, err);
}

int photo_store_put(struct photo_store *store, struct photo *photo, int64_t now, struct err *err)
{
	struct sql_query *query = store->queries[PUT];
	int got;

	if (photo->albumid == 0)
		photo->albumid = FIRST_ALBUM;
	if (make_album(store, photo->uid, photo->albumid, now, err) != 0)
		return -1;
	sql_put_int(query, 1, photo->uid);
	sql_put_int(query, 2, photo->albumid);
	sql_put_int(query, 3, photo->channel);
	sql_put_int(query, 4, photo->is_head);
	sql_put_int(query, 5, photo->state);
	sql_put_int(query, 6, photo->type);
	sql_put_int(query, 7, photo->width);
	sql_put_int(query, 8, photo->height);
	sql_put_int(query, 9, photo->crc);
	sql_put_int(query, 10, (int64_t)photo->length);
	sql_put_int(query, 11, (int64_t)photo->time);
	sql_put_int(query, 12, load_be32(photo->ip));
	sql_put_text(query, 13, span_str(photo->name));
	if (photo->url[0] == '\0')
		sql_put_null(query, 14);
	else
		sql_put_text(query, 14, span_str(photo->url));
	got = sql_step(query, err);
	if (got < 0)
		return -1;
	if (got == 0)
		return err_set(err, ERR_EXISTS, "there is a photo with that url");
	photo->photoid = (uint64_t)sql_int(query, 0);
	return sql_run(query, err);
}

static int set_state(
	struct photo_store *store, uint64_t photoid, enum photo_state state, struct err *err)
{
	struct sql_query *query = store->queries[SET_STATE];

	sql_put_int(query, 1, state);
	sql_put_int(query, 2, (int64_t)photoid);
	return sql_run(query, err);
}

static int settle_stored(
	struct photo_store *store, uint64_t photoid, const char *url, struct err *err)
{
	struct sql_query *query = store->queries[SETTLE];
	struct photo photo;

	sql_put_text(query, 1, span_str(url));
	sql_put_int(query, 2, (int64_t)photoid);
	if (sql_run(query, err) != 0)
		return -1;
	if (sql_changes(query) > 0)
		return 0;
	if (photo_store_get(store, photoid, &photo, err) != 0)
		return -1;
	if (photo.state == PHOTO_DELETED)
		return err_set(err, ERR_GONE, "the photo was deleted");
	if (photo.state == PHOTO_STORED && strcmp(photo.url, url) == 0)
		return 0;
	return err_set(err, ERR_EXISTS, "the photo has another url, or the url another photo");
}

int photo_store_settle(struct photo_store *store, uint64_t photoid, enum photo_settle what,
	const char *url, struct err *err)
{
	struct photo photo;

	switch (what) {
	case PHOTO_SETTLE_STORED:
		return settle_stored(store, photoid, url, err);
	case PHOTO_SETTLE_FORGET:
		sql_put_int(store->queries[FORGET], 1, (int64_t)photoid);
		return sql_run(store->queries[FORGET], err);
	default:
		if (photo_store_get(store, photoid, &photo, err) != 0)
			return -1;
		return set_state(store, photoid,
			what == PHOTO_SETTLE_LOST ? PHOTO_LOST : PHOTO_DELETED, err);
	}
}

/* A photo that `user` may change. */
static int get_to_change(struct photo_store *store, uint64_t photoid, uint32_t user,
	struct photo *photo, struct err *err)
{
	if (photo_store_get(store, photoid, photo, err) != 0)
		return -1;
	if (user != 0 && photo->uid != user)
		return err_set(err, ERR_NOT_ALLOWED, "the photo belongs to another user");
	if (photo->state == PHOTO_DELETED)
		return err_set(err, ERR_GONE, "the photo was deleted");
	if (photo->state == PHOTO_PENDING)
		return err_set(err, ERR_NOT_FOUND, "the photo is not stored yet");
	return 0;
}

int photo_store_rename(struct photo_store *store, uint64_t photoid, uint32_t user, const char *name,
	struct err *err)
{
	struct sql_query *query = store->queries[RENAME];
	struct photo photo;

	if (get_to_change(store, photoid, user, &photo, err) != 0)
		return -1;
	sql_put_text(query, 1, span_str(name));
	sql_put_int(query, 2, (int64_t)photoid);
	return sql_run(query, err);
}

int photo_store_move(struct photo_store *store, uint64_t photoid, uint32_t user, uint32_t *albumid,
	int64_t now, struct err *err)
{
	struct sql_query *query = store->queries[MOVE];
	struct photo photo;

	if (*albumid == 0)
		*albumid = FIRST_ALBUM;
	if (get_to_change(store, photoid, user, &photo, err) != 0 ||
		make_album(store, photo.uid, *albumid, now, err) != 0)
		return -1;
	sql_put_int(query, 1, *albumid);
	sql_put_int(query, 2, (int64_t)photoid);
	return sql_run(query, err);
}

int photo_store_delete(struct photo_store *store, uint64_t photoid, const char *url, uint32_t user,
	struct err *err)
{
	struct photo photo;

	if (photoid == 0 && photo_store_get_url(store, url, &photo, err) != 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (photoid == 0)
		photoid = photo.photoid;
	if (get_to_change(store, photoid, user, &photo, err) != 0)
		return err->code == ERR_GONE ? 0 : -1;
	return set_state(store, photoid, PHOTO_DELETED, err);
}

/* ---- lists ---- */

static int64_t states_of(const struct photo_request *request)
{
	return request->states == 0 ? 1 << PHOTO_STORED : request->states;
}

static int64_t limit_of(const struct photo_request *request)
{
	return (request->limit == 0 ? LIMIT : request->limit) + 1;
}

/* "%50!%%" for "50%": what is searched for, anywhere in a name. */
static void make_pattern(const char *text, char out[PATTERN_MAX])
{
	size_t at = 0;

	out[at++] = '%';
	for (; *text != '\0'; text++) {
		if (*text == '%' || *text == '_' || *text == '!')
			out[at++] = '!';
		out[at++] = *text;
	}
	out[at++] = '%';
	out[at] = '\0';
}

int photo_store_list(struct photo_store *store, const struct photo_request *request,
	bool (*found)(void *context, const struct photo *photo), void *context, struct err *err)
{
	bool down = (request->flags & PHOTO_NEWEST_FIRST) != 0;
	enum query which = request->cmd == CMD_PHOTO_LIST_ALBUM  ? LIST_ALBUM
			   : request->cmd == CMD_PHOTO_LIST_USER ? LIST_USER
			   : request->cmd == CMD_PHOTO_SEARCH    ? SEARCH
								 : LIST_ALL;
	struct sql_query *query = store->queries[which + down];
	char pattern[PATTERN_MAX];
	struct photo photo;
	int at = 1, got;

	sql_put_int(query, at++, states_of(request));
	sql_put_int(
		query, at++, down && request->photoid == 0 ? INT64_MAX : (int64_t)request->photoid);
	if (which != LIST_ALL)
		sql_put_int(query, at++, request->uid);
	if (which == LIST_ALBUM)
		sql_put_int(query, at++, request->albumid == 0 ? FIRST_ALBUM : request->albumid);
	if (which == SEARCH) {
		make_pattern(request->text, pattern);
		sql_put_text(query, at++, span_str(pattern));
	}
	sql_put_int(query, at, limit_of(request));
	while ((got = sql_step(query, err)) > 0) {
		read_photo(query, &photo);
		if (!found(context, &photo)) {
			sql_reset(query);
			return 0;
		}
	}
	return got;
}

int photo_store_count(struct photo_store *store, const struct photo_request *request,
	uint64_t *photos, uint64_t *bytes, struct err *err)
{
	struct sql_query *query = store->queries[request->albumid == 0 ? COUNT_USER : COUNT_ALBUM];
	int got;

	sql_put_int(query, 1, states_of(request));
	sql_put_int(query, 2, request->uid);
	if (request->albumid != 0)
		sql_put_int(query, 3, request->albumid);
	got = sql_step(query, err);
	if (got <= 0)
		return got < 0 ? -1 : err_set(err, ERR_INTERNAL, "nothing was counted");
	*photos = (uint64_t)sql_int(query, 0);
	*bytes = (uint64_t)sql_int(query, 1);
	sql_reset(query);
	return 0;
}

int photo_store_albums(struct photo_store *store, const struct photo_request *request,
	bool (*found)(void *context, const struct photo_album *album), void *context,
	struct err *err)
{
	struct sql_query *query = store->queries[ALBUMS];
	struct photo_album album;
	int got;

	sql_put_int(query, 1, request->uid);
	sql_put_int(query, 2, (int64_t)request->photoid);
	sql_put_int(query, 3, limit_of(request));
	while ((got = sql_step(query, err)) > 0) {
		album = (struct photo_album){
			.albumid = (uint32_t)sql_int(query, 0),
			.made = (uint64_t)sql_int(query, 1),
			.photos = (uint64_t)sql_int(query, 2),
		};
		text_of(query, 3, album.name);
		if (!found(context, &album)) {
			sql_reset(query);
			return 0;
		}
	}
	return got;
}

int photo_store_pending(struct photo_store *store, int64_t before, uint64_t after,
	struct photo *out, int max, struct err *err)
{
	struct sql_query *query = store->queries[PENDING];
	int count = 0, got;

	sql_put_int(query, 1, before);
	sql_put_int(query, 2, (int64_t)after);
	sql_put_int(query, 3, max);
	while (count < max && (got = sql_step(query, err)) != 0) {
		if (got < 0)
			return -1;
		read_photo(query, &out[count++]);
	}
	if (count == max)
		sql_reset(query);
	return count;
}
