/* picstore.h - a client of picstore's services: libpicstore.
 *
 *     picstore *store = picstore_open("127.0.0.1:6998", NULL, NULL);
 *     char thumb[PICSTORE_URL_SIZE];
 *     picstore_cut_request cut = { .url = "g01/M00/00/00/...768.jpg",
 *             .thumb_w = 200, .thumb_h = 200 };
 *     picstore_error error;
 *
 *     if (picstore_cut(store, &cut, thumb, &error) != PICSTORE_OK)
 *             fprintf(stderr, "%s\n", error.text);
 *     picstore_close(store);
 *
 * A picstore is for any number of threads; it keeps connections and makes new ones when
 * they are needed.  Calls block, at most for the time that its options say.  They return
 * PICSTORE_OK or another picstore_code and then fill `error`, which may be NULL. */
#ifndef PICSTORE_H
#define PICSTORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PICSTORE_API
#define PICSTORE_API
#endif

/* What the field `ret` of a reply says; docs/protocol.md has the list.  Codes may be
 * added, so take any other number for a failure too. */
typedef enum picstore_code {
	PICSTORE_OK = 0,
	PICSTORE_BAD_REQUEST = 1,
	PICSTORE_BAD_ID = 2,
	PICSTORE_NOT_FOUND = 3,
	PICSTORE_GONE = 4,
	PICSTORE_EXISTS = 5,
	PICSTORE_TOO_LARGE = 6,
	PICSTORE_FULL = 7,
	PICSTORE_BUSY = 8,
	PICSTORE_NOT_ALLOWED = 9,
	PICSTORE_CORRUPT = 10,
	PICSTORE_UNKNOWN = 11,     /* it may or may not have been done */
	PICSTORE_UNREACHABLE = 12, /* the store does not answer */
	PICSTORE_TIMEOUT = 13,     /* nothing was done in time */
	PICSTORE_IO = 14,
	PICSTORE_UNSUPPORTED = 15,
	PICSTORE_INTERNAL = 16,
	PICSTORE_NO_KEY = 17,
	PICSTORE_BAD_KEY = 18,
	PICSTORE_KEY_EXPIRED = 19, /* too old, or used too often */
	PICSTORE_KEY_NOT_YET = 20,
	PICSTORE_EMPTY_FILE = 21,
	PICSTORE_NOT_A_PICTURE = 22,
	PICSTORE_PIXEL_BOMB = 23,
	PICSTORE_TRUNCATED = 24,
	PICSTORE_SERVICE_DOWN = 25 /* nobody answers, or who is needed does not */
} picstore_code;

typedef struct picstore_error {
	int code;
	char text[256]; /* a sentence */
} picstore_error;

typedef struct picstore picstore;

/* Set `size` to sizeof(picstore_options) and the rest to 0, then what is wanted. */
typedef struct picstore_options {
	size_t size;
	int big_endian;   /* byte_order = big in the configuration of the services */
	int connect_ms;   /* longest wait for a connection; 0: 2000 */
	int timeout_ms;   /* longest time of a call; 0: 10000 */
	uint32_t user;    /* user number that requests carry */
	uint32_t maximum; /* longest reply that is taken, in bytes; 0: 1 MB */
} picstore_options;

enum {
	PICSTORE_URL_SIZE = 65,      /* of an id, with its final NUL */
	PICSTORE_DELETE_MAX = 10000, /* pictures of one call */
	PICSTORE_TEXT_SIZE = 256,    /* of a name or url of a photo, with its final NUL */
	PICSTORE_PAGE_MAX = 1000     /* photos or albums of one call */
};

/* A picture by its id, "g01/M00/00/00/...768.jpg". */
typedef struct picstore_picture {
	uint32_t hostid;
	const char *url;
} picstore_picture;

/* The rectangle of clip_w x clip_h pixels at (start_x, start_y) is scaled to exactly
 * thumb_w x thumb_h; what of it is outside the picture is white.  With clip_w or clip_h 0
 * the whole picture is fitted into that box and never enlarged. */
typedef struct picstore_cut_request {
	uint32_t hostid;
	const char *url;
	uint32_t clip_w, clip_h;
	int32_t start_x, start_y;
	uint32_t thumb_w, thumb_h;
} picstore_cut_request;

typedef enum picstore_photo_state {
	PICSTORE_PHOTO_PENDING = 0, /* its picture is on its way into the store */
	PICSTORE_PHOTO_STORED = 1,
	PICSTORE_PHOTO_DELETED = 2,
	PICSTORE_PHOTO_LOST = 3 /* the store has no such picture, and nobody deleted it */
} picstore_photo_state;

/* What metadata_dbsvr knows of a picture.  Texts are UTF-8 with a final NUL. */
typedef struct picstore_photo {
	uint64_t photoid; /* 0 when it is put */
	uint64_t length;  /* bytes of the picture */
	uint64_t time;    /* Unix seconds */
	uint32_t uid, albumid, channel;
	uint32_t width, height, crc;
	int is_head;   /* 0 or 1 */
	int state;     /* a picstore_photo_state */
	int type;      /* 0 unknown, 1 jpeg, 2 png, 3 gif, 4 webp, 5 avif, 6 heic */
	uint8_t ip[4]; /* of who uploaded it, as it is written */
	char name[PICSTORE_TEXT_SIZE];
	char url[PICSTORE_TEXT_SIZE]; /* id of the picture; empty while pending */
} picstore_photo;

typedef struct picstore_album {
	uint64_t made;   /* Unix seconds */
	uint64_t photos; /* stored ones */
	uint32_t albumid;
	char name[PICSTORE_TEXT_SIZE];
} picstore_album;

typedef enum picstore_list {
	PICSTORE_LIST_ALBUM = 0,  /* of uid and albumid */
	PICSTORE_LIST_USER = 1,   /* of uid */
	PICSTORE_LIST_SEARCH = 2, /* of uid, with `text` anywhere in the name */
	PICSTORE_LIST_ALL = 3
} picstore_list;

/* What is asked for; set the rest to 0. */
typedef struct picstore_query {
	uint64_t after; /* the last photoid, or albumid, of the page before; 0 begins */
	uint32_t uid, albumid;
	int newest_first; /* 1: from the newest on */
	unsigned states;  /* 1 << picstore_photo_state for each that is wanted; 0: stored ones */
	const char *text; /* of a search; NULL: empty */
} picstore_query;

typedef enum picstore_settle {
	PICSTORE_SETTLE_FORGET = 0, /* a pending photo */
	PICSTORE_SETTLE_STORED = 1, /* a pending photo is stored as `url` */
	PICSTORE_SETTLE_DELETED = 2,
	PICSTORE_SETTLE_LOST = 3
} picstore_settle;

/* A client of admin_proxy, or of a service itself, at "host:port", "[v6]:port" or
 * "unix:/path".  It connects with the first call.  NULL if the address is none. */
PICSTORE_API picstore *picstore_open(
	const char *address, const picstore_options *options, picstore_error *error);

/* No call may be under way.  NULL is fine. */
PICSTORE_API void picstore_close(picstore *store);

/* Does anybody answer? */
PICSTORE_API int picstore_ping(picstore *store, picstore_error *error);

/* Make a new picture of a rectangle of one that is stored; its id goes to `url`. */
PICSTORE_API int picstore_cut(picstore *store, const picstore_cut_request *cut,
	char url[PICSTORE_URL_SIZE], picstore_error *error);

/* Note pictures that are to be deleted; they are, in their time. */
PICSTORE_API int picstore_delete_later(
	picstore *store, const picstore_picture *pictures, size_t count, picstore_error *error);

/* Delete pictures, and all that was made of them, from the store and every cache. */
PICSTORE_API int picstore_delete_now(
	picstore *store, const picstore_picture *pictures, size_t count, picstore_error *error);

/* Count a use of a session key; PICSTORE_KEY_EXPIRED when it was one too many.  `used`
 * and `left` are the uses so far and those that may follow; either may be NULL. */
PICSTORE_API int picstore_session_use(
	picstore *store, const char *key, uint32_t *used, uint32_t *left, picstore_error *error);

/* The same without counting. */
PICSTORE_API int picstore_session_look(
	picstore *store, const char *key, uint32_t *used, uint32_t *left, picstore_error *error);

/* ---- photos and albums ---- */

/* Put a photo, pending or stored with its url; photoid and the real albumid are filled in.
 * PICSTORE_EXISTS if another one has that url. */
PICSTORE_API int picstore_photo_put(picstore *store, picstore_photo *photo, picstore_error *error);

PICSTORE_API int picstore_photo_get(
	picstore *store, uint64_t photoid, picstore_photo *photo, picstore_error *error);
PICSTORE_API int picstore_photo_get_url(
	picstore *store, const char *url, picstore_photo *photo, picstore_error *error);

/* The next photos of a list, at most `max`, into `photos`; how many goes to `count`.
 * query->after is moved on; `more` says whether to call again. */
PICSTORE_API int picstore_photo_list(picstore *store, picstore_list list, picstore_query *query,
	picstore_photo *photos, size_t max, size_t *count, int *more, picstore_error *error);

/* How many photos an album of a user has, or with albumid 0 the user, and of how many
 * bytes; either may be NULL. */
PICSTORE_API int picstore_photo_count(picstore *store, const picstore_query *query,
	uint64_t *photos, uint64_t *bytes, picstore_error *error);

/* These three are for the photo's owner, options.user, or for all if that is 0;
 * PICSTORE_NOT_ALLOWED otherwise. */
PICSTORE_API int picstore_photo_rename(
	picstore *store, uint64_t photoid, const char *name, picstore_error *error);

/* Into another album of its owner, which is made if need be; 0 is the first, and is
 * replaced by its number. */
PICSTORE_API int picstore_photo_move(
	picstore *store, uint64_t photoid, uint32_t *albumid, picstore_error *error);

/* Mark a photo as deleted, by number, or with photoid 0 by `url` (else NULL).  Its picture
 * stays: picstore_delete_now deletes both. */
PICSTORE_API int picstore_photo_delete(
	picstore *store, uint64_t photoid, const char *url, picstore_error *error);

/* Say what became of a photo that is pending, or of its picture.  `url` for
 * PICSTORE_SETTLE_STORED, else NULL. */
PICSTORE_API int picstore_photo_settle(picstore *store, uint64_t photoid, picstore_settle what,
	const char *url, picstore_error *error);

/* The next albums of query->uid, as picstore_photo_list. */
PICSTORE_API int picstore_albums(picstore *store, picstore_query *query, picstore_album *albums,
	size_t max, size_t *count, int *more, picstore_error *error);

/* A short word for a code: "not_found". */
PICSTORE_API const char *picstore_word(int code);

/* The version of the library: "0.1.0". */
PICSTORE_API const char *picstore_version(void);

#ifdef __cplusplus
}
#endif

#endif
