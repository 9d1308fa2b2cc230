/* photo_body.h - the bodies of metadata_dbsvr's commands.
 *
 *     command                    request                                  reply
 *     0x10C0  put a photo        PHOTO                                    albumid u32, photoid u64
 *     0x10C1  get by number      photoid u64                              PHOTO
 *     0x10C2  get by url         url text                                 PHOTO
 *     0x10C3  photos of an album QUERY                                    PAGE
 *     0x10C4  photos of a user   QUERY                                    PAGE
 *     0x10C5  rename             photoid u64, name text                   none
 *     0x10C6  move               photoid u64, albumid u32                 albumid u32
 *     0x10C7  delete             photoid u64 (0: by url), url text        none
 *     0x10C8  count              QUERY                                    photos u64, bytes u64
 *     0x10C9  search by name     QUERY                                    PAGE
 *     0x10CA  settle             photoid u64, what u16, url text          none
 *     0x10CB  albums of a user   QUERY                                    ALBUMS
 *     0x10CC  all photos         QUERY                                    PAGE
 *
 *     text    len u16, that many bytes of UTF-8 without a NUL, at most 255
 *     PHOTO   photoid u64, uid u32, albumid u32, channel u32, is_head u16, state u16,
 *             type u16, width u32, height u32, crc u32, length u64, time u64, ip 4 bytes
 *             (network order), name text, url text
 *     QUERY   uid u32, albumid u32, after u64, limit u16, flags u16, states u16, text
 *     PAGE    more u16, count u16, count times PHOTO
 *     ALBUMS  more u16, count u16, count times albumid u32, made u64, photos u64, name text
 *
 * Everything here is pure: bytes in, bytes out.  Decoders return false unless `body` is
 * exactly such a body. */
#pragma once

#include "wire/package.h"

enum photo_cmd {
	CMD_PHOTO_PUT = 0x10C0,
	CMD_PHOTO_GET = 0x10C1,
	CMD_PHOTO_GET_URL = 0x10C2,
	CMD_PHOTO_LIST_ALBUM = 0x10C3,
	CMD_PHOTO_LIST_USER = 0x10C4,
	CMD_PHOTO_RENAME = 0x10C5,
	CMD_PHOTO_MOVE = 0x10C6,
	CMD_PHOTO_DELETE = 0x10C7,
	CMD_PHOTO_COUNT = 0x10C8,
	CMD_PHOTO_SEARCH = 0x10C9,
	CMD_PHOTO_SETTLE = 0x10CA,
	CMD_PHOTO_ALBUMS = 0x10CB,
	CMD_PHOTO_LIST_ALL = 0x10CC,
};

enum { PHOTO_TEXT_MAX = 255, PHOTO_LIMIT_MAX = 1000, PHOTO_ENCODED_MAX = 580 };

enum photo_state {
	PHOTO_PENDING = 0, /* its picture is on its way into the store */
	PHOTO_STORED = 1,
	PHOTO_DELETED = 2,
	PHOTO_LOST = 3, /* the store has no such picture, and nobody deleted it */
	PHOTO_STATES
};

/* What a SETTLE does. */
enum photo_settle {
	PHOTO_SETTLE_FORGET = 0, /* a pending one: there is no picture, the row goes */
	PHOTO_SETTLE_STORED = 1, /* a pending one is stored as `url`; one that was lost is back */
	PHOTO_SETTLE_DELETED = 2,
	PHOTO_SETTLE_LOST = 3,
};

enum { PHOTO_NEWEST_FIRST = 1 }; /* flag of a QUERY; `after` 0 then is the newest */

struct photo {
	uint64_t photoid; /* 0 in a PUT */
	uint32_t uid, albumid, channel;
	bool is_head;
	enum photo_state state;
	uint16_t type; /* enum picture_format; 0: unknown */
	uint32_t width, height, crc;
	uint64_t length, time; /* bytes; Unix seconds */
	uint8_t ip[4];         /* of who uploaded it */
	char name[PHOTO_TEXT_MAX + 1];
	char url[PHOTO_TEXT_MAX + 1]; /* its id in the store; empty while pending */
};

void photo_encode(struct buf *out, enum byte_order order, const struct photo *photo);
bool photo_decode(struct span body, enum byte_order order, struct photo *photo);

/* One PHOTO of several; false if there is none. */
bool photo_take(struct cursor *cursor, enum byte_order order, struct photo *photo);

/* Any request but PUT.  Which fields count, the table above says; others are 0. */
struct photo_request {
	uint16_t cmd;
	uint64_t photoid; /* or `after` */
	uint32_t uid, albumid;
	uint16_t what, limit, flags, states;
	char text[PHOTO_TEXT_MAX + 1]; /* url, name, or what is searched for */
};

void photo_request_encode(
	struct buf *out, enum byte_order order, const struct photo_request *request);
bool photo_request_decode(
	uint16_t cmd, struct span body, enum byte_order order, struct photo_request *request);

struct photo_album {
	uint32_t albumid;
	uint64_t made, photos;
	char name[PHOTO_TEXT_MAX + 1];
};

void photo_album_encode(struct buf *out, enum byte_order order, const struct photo_album *album);
bool photo_album_take(struct cursor *cursor, enum byte_order order, struct photo_album *album);

/* Valid UTF-8, without NUL, and not longer than a text may be? */
bool photo_text_ok(struct span text);

/* The same text with what is not valid replaced by ?, and cut at a whole character. */
void photo_text_clean(struct span text, char out[PHOTO_TEXT_MAX + 1]);
