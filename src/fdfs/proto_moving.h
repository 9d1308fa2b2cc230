/* proto_moving.h - commands of storage_server that FastDFS does not have: for what is moved
 * here, for the names that it answers to, and for pictures that move to the cold store behind
 * it and back.
 *
 *     FDFS_ADOPT: store a picture that had other names elsewhere
 *     u8    1, the version of this layout
 *     u8    flags: bit 0, "keep": the first name is of a picstore that called itself as
 *           this one does; store it under that name again if its place is free
 *     u8    store path, 255: any
 *     c6    extension
 *     u8    how many names, 1 to FDFS_NAMES_MAX
 *           for each: u8 length, 1 to 127, and the name without the group
 *     i64   size
 *           content
 *     reply c16 group, name: as of an upload
 *
 *     FDFS_NAMES: what a file is called
 *     c16   group, name
 *     reply for each name, that of the picture itself first: u8 length, name
 *
 *     FDFS_RESTORE: a file that a picstore had in its names.db, under its own name again
 *     u8    1, the version of this layout
 *     u8    what it is, enum fdfs_restored
 *     i64   when it was changed last, Unix seconds; 0: now
 *           three names, each: u8 length, 0 to 127, and the name without the group:
 *           its own; of a slave its master's, and if that is a slave too the first one's
 *     i64   size
 *           content
 *     reply c16 group, name: as of an upload
 *
 *     FDFS_MOVE: an order (store/mover.h), or with an empty body the question how it goes
 *     u8    1, the version of this layout
 *     u8    action: 0 rest, 1 out, 2 out and what comes later too, 3 back
 *     i64   before, Unix seconds: of 1, what was stored before that
 *     i64   rate, bytes a second; 0: no limit
 *     reply
 *     u8    1
 *     u8    action, of the order that stands
 *     u8    state: 0 idle, 1 working, 2 waiting, 3 settled, 4 done
 *     i64   before, rate
 *     i64   volumes, and how many of them this pass has been through
 *     i64   pictures looked at, moved; bytes moved; pictures too young, failed
 *           what was the trouble last, a sentence of up to 255 bytes */
#pragma once

#include "fdfs/proto.h"

enum {
	FDFS_NAMES_MAX = 17, /* 16 that one picture had elsewhere, and its own */
	FDFS_ADOPT_HEAD_MIN = 1 + 1 + 1 + FDFS_EXT_WIDTH + 1 + 2 + 8,
	FDFS_ADOPT_HEAD_MAX = FDFS_ADOPT_HEAD_MIN + FDFS_NAMES_MAX * (1 + FILE_ID_NAME_MAX),
	FDFS_NAMES_LEN_MAX = (FDFS_NAMES_MAX + 1) * (1 + FILE_ID_NAME_MAX),
};

/* All that FDFS_LIST_SLAVES tells of one file: a million slaves and more. */
enum { FDFS_SLAVES_LEN_MAX = 1 << 26 };

enum fdfs_restored {
	FDFS_RESTORED_SLAVE,
	FDFS_RESTORED_APPENDER,
	FDFS_RESTORED_FINISHED, /* an appender that was given its final name */
};

enum { FDFS_RESTORE_HEAD_MAX = 1 + 1 + 8 + 3 * (1 + FILE_ID_NAME_MAX) + 8 };

struct fdfs_restore_request {
	enum fdfs_restored what;
	int64_t changed;                 /* not negative */
	struct span name, master, first; /* borrowed; the latter two may be empty */
	uint64_t size;
	struct span content; /* borrowed from the body */
};

enum { FDFS_MOVE_LEN_MAX = 3 + 9 * 8 + 255 };

struct fdfs_move_order {
	uint8_t action;
	uint64_t before, rate; /* no more than INT64_MAX */
};

struct fdfs_move_report {
	struct fdfs_move_order order;
	uint8_t state;
	uint64_t volumes, volumes_done, looked, moved, bytes, young, failed;
	char trouble[256];
};

struct fdfs_names {
	size_t count;
	struct span names[FDFS_NAMES_MAX + 1]; /* borrowed from the body */
};

struct fdfs_adopt_request {
	bool keep;
	uint8_t path;
	char ext[FDFS_EXT_WIDTH + 1];
	struct fdfs_names names;
	uint64_t size;
	struct span content; /* borrowed from the body */
};

/* The encoder leaves the content to the caller. */
void fdfs_put_adopt_head(struct buf *out, const struct fdfs_adopt_request *request);
bool fdfs_get_adopt_request(struct span body, struct fdfs_adopt_request *request);

void fdfs_put_restore_head(struct buf *out, const struct fdfs_restore_request *request);
bool fdfs_get_restore_request(struct span body, struct fdfs_restore_request *request);
void fdfs_put_move_order(struct buf *out, const struct fdfs_move_order *order);
bool fdfs_get_move_order(struct span body, struct fdfs_move_order *order);
void fdfs_put_move_report(struct buf *out, const struct fdfs_move_report *report);
bool fdfs_get_move_report(struct span body, struct fdfs_move_report *report);

void fdfs_put_names(struct buf *out, const struct fdfs_names *names);
bool fdfs_get_names(struct span body, struct fdfs_names *names);
