/* play.h - servers that answer as FastDFS's do, by a script, and a client that asks them. */
#pragma once

#include "fake_server.h"
#include "fdfs/client.h"
#include "fdfs/proto.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define PLAY_PICTURE "not really a picture, but bytes all the same"

enum { PLAY_PICTURE_LEN = sizeof PLAY_PICTURE - 1, PLAY_ANSWERS = 8 };

/* Of an ordinary picture with this content; crc 0: the content's own. */
struct file_id play_id(const void *content, size_t len, uint32_t crc);
struct file_id play_picture_id(void);

/* A server, and what it will answer; kept until play_end. */
struct play {
	struct fake_answer answers[PLAY_ANSWERS];
	struct buf bytes[PLAY_ANSWERS];
	size_t count;
	struct fake_server *server;
};

/* Add an answer; what is returned may be changed before play_start. */
struct fake_answer *play_raw(struct play *play, struct fake_answer answer);
struct fake_answer *play_status(struct play *play, uint8_t status);
struct fake_answer *play_bytes(struct play *play, const void *data, size_t len);
struct fake_answer *play_body(struct play *play, struct buf *body); /* which is freed */

/* A tracker's: one storage to read from, two of them, one to upload to (store path 3). */
struct fake_answer *play_fetch(struct play *play, uint16_t port, enum fdfs_ip_width width);
void play_fetch_both(struct play *play, uint16_t first, uint16_t second);
void play_store(struct play *play, uint16_t port, enum fdfs_ip_width width);

struct play_storage {
	const char *id;
	uint8_t state;
	const char *sync_source;
	uint16_t port;
};

/* A tracker's: the storages of a group. */
void play_storages(struct play *play, const struct play_storage *storages, size_t count);

/* A storage's: figures of a file (5 bytes, time 9, CRC fedcba98, from ::1), and an id. */
void play_info(struct play *play);
void play_new_id(struct play *play, const struct file_id *id);

/* Start the server; returns its port. */
uint16_t play_start(struct play *play);
void play_end(struct play *play);

/* A client, its tracker, a storage, and another server that may be anything. */
struct stage {
	struct play tracker, storage, other;
	const char *first_tracker; /* the client's, before `tracker`; NULL: none */
	int64_t patience_ms;
	bool repeat_uploads;
	struct fdfs_client *client;
	struct err err;
};

/* Start the tracker, and have the client that knows it. */
void stage_meet(struct stage *stage, int64_t network_ms);

/* The same with a tracker that always names the storage, which is started before. */
void stage_up(struct stage *stage);

/* End all that was started. */
void stage_down(struct stage *stage);

/* The body of the latest request that the storage had. */
struct span stage_last_body(struct stage *stage, uint8_t bytes[4096]);
