/* play.h - servers that answer as FastDFS's do, by a script. */
#pragma once

#include "core/crc32.h"
#include "fake_server.h"
#include "fdfs/client.h"
#include "fdfs/proto.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static const char picture[] = "not really a picture, but bytes all the same";
enum { PICTURE_LEN = sizeof picture - 1, CLEAR = 4096 };

static inline size_t whole(const uint8_t *bytes, size_t len)
{
	size_t all;

	if (len < FDFS_HEADER_LEN)
		return 0;
	all = FDFS_HEADER_LEN + (size_t)fdfs_header_read(bytes).len;
	return len < all ? 0 : all;
}

static inline struct file_id id_of(const void *content, size_t len, uint32_t crc)
{
	struct file_id id = {
		.group = "g01",
		.source = { 127, 0, 0, 1 },
		.time = 1548816825,
		.size = len,
		.crc = crc,
		.ext = "jpg",
	};

	if (crc == 0)
		id.crc = crc32_add(0, span_of(content, len));
	assert_true(file_id_make(&id, 7));
	return id;
}

static inline struct file_id picture_id(void)
{
	return id_of(picture, PICTURE_LEN, 0);
}

/* Answers, kept until the test ends. */
struct play {
	struct fake_answer answers[8];
	struct buf bytes[8];
	size_t count;
	struct fake_server *server;
};

static inline struct fake_answer *add(struct play *play, uint8_t status, struct buf *body)
{
	struct buf *bytes = &play->bytes[play->count];
	size_t begun;

	buf_init(bytes, CLEAR);
	begun = fdfs_begin(bytes, FDFS_REPLY, status);
	if (body != NULL) {
		buf_put_span(bytes, buf_span(body));
		buf_fini(body);
	}
	fdfs_end(bytes, begun, 0);
	play->answers[play->count] = (struct fake_answer){ .data = bytes->data, .len = bytes->len };
	return &play->answers[play->count++];
}

static inline void start(struct play *play)
{
	play->server = fake_server_start(whole, play->answers, play->count);
}

static inline void end(struct play *play)
{
	if (play->server != NULL)
		fake_server_stop(play->server);
	for (size_t i = 0; i < play->count; i++)
		buf_fini(&play->bytes[i]);
	*play = (struct play){ 0 };
}

static int64_t patience_ms; /* of the clients that are made */
static bool repeat_uploads;

static inline struct fdfs_client *client_of(
	const char *first, const char *second, int64_t network_ms)
{
	char *trackers[] = { (char *)(uintptr_t)first, (char *)(uintptr_t)second };
	struct fdfs_client_conf conf = {
		.trackers = trackers,
		.tracker_count = second == NULL ? 1 : 2,
		.connect_timeout_ms = 2000,
		.network_timeout_ms = network_ms,
		.patience_ms = patience_ms,
		.repeat_uploads = repeat_uploads,
		.max_file_size = 100000,
		.idle_connections = 4,
	};
	struct err err;
	struct fdfs_client *client = fdfs_client_new(&conf, &err);

	assert_non_null(client);
	return client;
}

struct play_storage {
	const char *id;
	uint8_t state;
	const char *sync_source;
	uint16_t port;
};

/* The tracker's list of the storages of a group. */
static inline void add_storages(
	struct play *play, const struct play_storage *storages, size_t count)
{
	struct buf body;

	buf_init(&body, CLEAR);
	for (size_t i = 0; i < count; i++) {
		struct fdfs_storage_record record = {
			.state = storages[i].state,
			.ip = "127.0.0.1",
			.port = storages[i].port,
		};

		snprintf(record.id, sizeof record.id, "%s", storages[i].id);
		if (storages[i].sync_source != NULL)
			snprintf(record.sync_source, sizeof record.sync_source, "%s",
				storages[i].sync_source);
		fdfs_put_storage_record(&body, FDFS_LAYOUT_CURRENT, FDFS_IP_16, &record);
	}
	add(play, 0, &body);
}
