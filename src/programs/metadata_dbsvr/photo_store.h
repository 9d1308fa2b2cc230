/* photo_store.h - photos and albums in a database.
 *
 *     photo  photoid, uid, albumid, channel, is_head, state, type, width, height, crc,
 *            length, time, ip, name, url (unique; NULL while pending)
 *     album  uid, albumid, name, made
 *
 * An album is a user's: number 3 of one is not number 3 of another.  It is made when the
 * first photo is put into it; album 0 stands for the user's first, 1.
 *
 * Reads may be done any time, changes between begin and commit.  A struct photo_store
 * belongs to one thread at a time; errors are those of meta/sql.h, and ERR_NOT_FOUND,
 * ERR_GONE (the photo was deleted), ERR_NOT_ALLOWED (it is another user's), ERR_EXISTS. */
#pragma once

#include "core/err.h"
#include "service/settings.h"
#include "wire/photo_body.h"

struct photo_store;

/* PostgreSQL if `postgres` is not empty, else a SQLite database in `folder`. */
struct photo_store *photo_store_open(const char *folder, const char *postgres, struct err *err);
void photo_store_close(struct photo_store *store); /* NULL is fine */

int photo_store_begin(struct photo_store *store, struct err *err);
int photo_store_commit(struct photo_store *store, struct err *err);
void photo_store_rollback(struct photo_store *store);

/* ---- changes; `user` 0 may change everybody's ---- */

/* Put a pending photo, or a stored one with its url; photoid and albumid are filled in.
 * ERR_EXISTS if another one has that url. */
int photo_store_put(struct photo_store *store, struct photo *photo, int64_t now, struct err *err);

/* See enum photo_settle.  Doing it twice is doing it once. */
int photo_store_settle(struct photo_store *store, uint64_t photoid, enum photo_settle what,
	const char *url, struct err *err);

int photo_store_rename(struct photo_store *store, uint64_t photoid, uint32_t user, const char *name,
	struct err *err);
int photo_store_move(struct photo_store *store, uint64_t photoid, uint32_t user, uint32_t *albumid,
	int64_t now, struct err *err);

/* Mark as deleted, by number or, if that is 0, by url.  Fine if it is already, or if no
 * photo has that url. */
int photo_store_delete(struct photo_store *store, uint64_t photoid, const char *url, uint32_t user,
	struct err *err);

/* ---- reads ---- */

int photo_store_get(
	struct photo_store *store, uint64_t photoid, struct photo *photo, struct err *err);
int photo_store_get_url(
	struct photo_store *store, const char *url, struct photo *photo, struct err *err);

/* Call `found` for each photo that LIST_ALBUM, LIST_USER, SEARCH or LIST_ALL asks for, one
 * more than its limit at most, until it returns false. */
int photo_store_list(struct photo_store *store, const struct photo_request *request,
	bool (*found)(void *context, const struct photo *photo), void *context, struct err *err);

/* Of an album, or with albumid 0 of all of the user's. */
int photo_store_count(struct photo_store *store, const struct photo_request *request,
	uint64_t *photos, uint64_t *bytes, struct err *err);

int photo_store_albums(struct photo_store *store, const struct photo_request *request,
	bool (*found)(void *context, const struct photo_album *album), void *context,
	struct err *err);

/* Pending photos that were put at `before` or earlier and have a number above `after`, the
 * lowest first, at most `max`: how many, or -1. */
int photo_store_pending(struct photo_store *store, int64_t before, uint64_t after,
	struct photo *out, int max, struct err *err);
