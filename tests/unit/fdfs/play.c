#include "play.h"

#include "core/crc32.h"

#include <stdio.h>

enum { BODY_MAX = 4096 };

struct file_id play_id(const void *content, size_t len, uint32_t crc)
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

struct file_id play_picture_id(void)
{
	return play_id(PLAY_PICTURE, PLAY_PICTURE_LEN, 0);
}

/* ---- answers ---- */

struct fake_answer *play_raw(struct play *play, struct fake_answer answer)
{
	assert_true(play->count < PLAY_ANSWERS);
	play->answers[play->count] = answer;
	return &play->answers[play->count++];
}

static struct fake_answer *reply(struct play *play, uint8_t status, struct span body)
{
	struct buf *bytes = &play->bytes[play->count];
	size_t begun;

	buf_init(bytes, BODY_MAX);
	begun = fdfs_begin(bytes, FDFS_REPLY, status);
	buf_put_span(bytes, body);
	fdfs_end(bytes, begun, 0);
	return play_raw(play, (struct fake_answer){ .data = bytes->data, .len = bytes->len });
}

struct fake_answer *play_status(struct play *play, uint8_t status)
{
	return reply(play, status, span_of(NULL, 0));
}

struct fake_answer *play_bytes(struct play *play, const void *data, size_t len)
{
	return reply(play, 0, span_of(data, len));
}

struct fake_answer *play_body(struct play *play, struct buf *body)
{
	struct fake_answer *answer = reply(play, 0, buf_span(body));

	buf_fini(body);
	return answer;
}

static struct fdfs_route route_to(uint16_t port)
{
	return (struct fdfs_route){
		.group = "g01",
		.count = 1,
		.to = { { "127.0.0.1", port } },
		.path = 3,
	};
}

struct fake_answer *play_fetch(struct play *play, uint16_t port, enum fdfs_ip_width width)
{
	struct fdfs_route route = route_to(port);
	struct buf body;

	buf_init(&body, BODY_MAX);
	fdfs_put_fetch(&body, width, &route);
	return play_body(play, &body);
}

void play_fetch_both(struct play *play, uint16_t first, uint16_t second)
{
	struct fdfs_route route = route_to(first);
	struct buf body;

	route.to[1] = route_to(second).to[0];
	route.count = 2;
	buf_init(&body, BODY_MAX);
	fdfs_put_fetch(&body, FDFS_IP_16, &route);
	play_body(play, &body);
}

void play_store(struct play *play, uint16_t port, enum fdfs_ip_width width)
{
	struct fdfs_route route = route_to(port);
	struct buf body;

	buf_init(&body, BODY_MAX);
	fdfs_put_store(&body, width, &route);
	play_body(play, &body);
}

void play_storages(struct play *play, const struct play_storage *storages, size_t count)
{
	struct buf body;

	buf_init(&body, BODY_MAX);
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
	play_body(play, &body);
}

void play_info(struct play *play)
{
	struct fdfs_info_reply info = { .size = 5, .time = 9, .crc = 0xfedcba98, .source = "::1" };
	struct buf body;

	buf_init(&body, BODY_MAX);
	fdfs_put_info_reply(&body, FDFS_IP_46, &info);
	play_body(play, &body);
}

void play_new_id(struct play *play, const struct file_id *id)
{
	struct fdfs_file_request file = { .name = span_of(id->name, id->name_len) };
	struct buf body;

	memcpy(file.group, id->group, sizeof file.group);
	buf_init(&body, BODY_MAX);
	fdfs_put_upload_reply(&body, &file);
	play_body(play, &body);
}

/* ---- servers and the client ---- */

static size_t whole(const uint8_t *bytes, size_t len)
{
	size_t all;

	if (len < FDFS_HEADER_LEN)
		return 0;
	all = FDFS_HEADER_LEN + (size_t)fdfs_header_read(bytes).len;
	return len < all ? 0 : all;
}

uint16_t play_start(struct play *play)
{
	play->server = fake_server_start(whole, play->answers, play->count);
	return fake_server_port(play->server);
}

void play_end(struct play *play)
{
	if (play->server != NULL)
		fake_server_stop(play->server);
	for (size_t i = 0; i < play->count; i++)
		buf_fini(&play->bytes[i]);
	*play = (struct play){ 0 };
}

void stage_meet(struct stage *stage, int64_t network_ms)
{
	char *trackers[2] = { (char *)(uintptr_t)stage->first_tracker };
	size_t count = stage->first_tracker == NULL ? 0 : 1;
	struct fdfs_client_conf conf = {
		.trackers = trackers,
		.tracker_count = count + 1,
		.connect_timeout_ms = 2000,
		.network_timeout_ms = network_ms,
		.patience_ms = stage->patience_ms,
		.repeat_uploads = stage->repeat_uploads,
		.max_file_size = 100000,
		.idle_connections = 4,
	};

	play_start(&stage->tracker);
	trackers[count] = (char *)(uintptr_t)fake_server_address(stage->tracker.server);
	stage->client = fdfs_client_new(&conf, &stage->err);
	assert_non_null(stage->client);
}

void stage_up(struct stage *stage)
{
	play_fetch(&stage->tracker, play_start(&stage->storage), FDFS_IP_16);
	stage_meet(stage, 5000);
}

void stage_down(struct stage *stage)
{
	fdfs_client_free(stage->client);
	play_end(&stage->tracker);
	play_end(&stage->storage);
	play_end(&stage->other);
	*stage = (struct stage){ 0 };
}

struct span stage_last_body(struct stage *stage, uint8_t bytes[4096])
{
	size_t len = fake_server_last(stage->storage.server, bytes);

	assert_true(len >= FDFS_HEADER_LEN);
	return span_of(bytes + FDFS_HEADER_LEN, len - FDFS_HEADER_LEN);
}
