/* package.h - the framed protocol of admin_proxy and the services behind it.
 *
 * A package is a header of 18 bytes, packed, and a body that its command defines:
 *
 *     byte  size
 *     0     4     len: of the whole package, header included
 *     4     2     cmd
 *     6     4     id: user number; a reply repeats it
 *     10    4     seq: the caller's; a reply repeats it
 *     14    4     ret: 0 in requests; in replies one of ret.h
 *
 *     cmd     request body                      reply body
 *     3002    DELETE, into the delete log       empty
 *     3005    CUT                               CUT REPLY
 *     3030    DELETE, now                       empty
 *     0x10B0  empty                             empty: whoever answers lives
 *     0x10B5  SESSION                           SESSION REPLY
 *
 *     CUT, 92 bytes: hostid u32, url c64, clip_w u32, clip_h u32, start_x i32,
 *         start_y i32, thumb_w u32, thumb_h u32
 *     CUT REPLY, 68 bytes: hostid u32, url c64
 *     DELETE, 4 + count * 68 bytes: count u32, then count times hostid u32, url c64
 *     SESSION, 4 + len bytes: what u16 (0 count a use, 1 only look), len u16, the key
 *     SESSION REPLY, 8 bytes: used u32, left u32
 *
 * A reply whose ret is not 0 has no body.  c64 is NUL padded and may use all 64 bytes.
 * Integers are little endian; an installation whose callers are big endian says so in
 * its configuration, and then all of them are.
 *
 * Everything here is pure: bytes in, bytes out. */
#pragma once

#include "core/buf.h"

enum {
	PACKAGE_HEADER_LEN = 18,
	PACKAGE_URL_LEN = 64,
	PACKAGE_DELETE_MAX = 10000, /* pictures in one package */
	PACKAGE_KEY_MAX = 1024,     /* characters of a session key */
};

enum package_cmd {
	CMD_DELETE_LATER = 3002,
	CMD_CUT = 3005,
	CMD_DELETE_NOW = 3030,
	CMD_PING = 0x10B0,
	CMD_SESSION = 0x10B5,
};

enum byte_order { ORDER_LITTLE, ORDER_BIG };

struct package {
	uint32_t len;
	uint16_t cmd;
	uint32_t id, seq, ret;
};

/* A url as it stands in a package, always with a NUL here. */
struct package_url {
	char text[PACKAGE_URL_LEN + 1];
};

struct package_cut {
	uint32_t hostid;
	struct package_url url;
	uint32_t clip_w, clip_h; /* 0: no clipping */
	int32_t start_x, start_y;
	uint32_t thumb_w, thumb_h;
};

struct package_item {
	uint32_t hostid;
	struct package_url url;
};

struct package_session {
	uint16_t what;
	struct span key; /* borrowed from the body */
};

enum { SESSION_USE = 0, SESSION_LOOK = 1 };

/* Read 18 bytes.  Returns false if `len` in it is below 18: nothing behind such a
 * header can be trusted. */
bool package_header_decode(
	const uint8_t in[PACKAGE_HEADER_LEN], enum byte_order order, struct package *package);

void package_header_encode(
	const struct package *package, enum byte_order order, uint8_t out[PACKAGE_HEADER_LEN]);

/* Begin a package in `out`, and set its length when its body is complete; `at` is what
 * package_begin returned. */
size_t package_begin(struct buf *out, const struct package *package, enum byte_order order);
void package_end(struct buf *out, size_t at, enum byte_order order);

/* Bodies.  Decoding returns false unless `body` is exactly such a body. */
bool package_cut_decode(struct span body, enum byte_order order, struct package_cut *cut);
void package_cut_encode(struct buf *out, enum byte_order order, const struct package_cut *cut);

/* CUT REPLY, and each picture of a DELETE. */
bool package_item_decode(struct span body, enum byte_order order, struct package_item *item);
void package_item_encode(struct buf *out, enum byte_order order, const struct package_item *item);

/* The number of pictures in a DELETE, which may be 0; package_delete_at gives each. */
bool package_delete_decode(struct span body, enum byte_order order, uint32_t *count);
void package_delete_at(
	struct span body, enum byte_order order, uint32_t index, struct package_item *item);

bool package_session_decode(
	struct span body, enum byte_order order, struct package_session *session);
void package_session_encode(
	struct buf *out, enum byte_order order, const struct package_session *session);
bool package_session_reply_decode(
	struct span body, enum byte_order order, uint32_t *used, uint32_t *left);
void package_session_reply_encode(
	struct buf *out, enum byte_order order, uint32_t used, uint32_t left);

/* Integers in either order, for bodies that are defined elsewhere. */
void package_put_u16(struct buf *out, enum byte_order order, uint16_t value);
void package_put_u32(struct buf *out, enum byte_order order, uint32_t value);
void package_put_u64(struct buf *out, enum byte_order order, uint64_t value);
uint16_t package_get_u16(struct cursor *cursor, enum byte_order order);
uint32_t package_get_u32(struct cursor *cursor, enum byte_order order);
uint64_t package_get_u64(struct cursor *cursor, enum byte_order order);
