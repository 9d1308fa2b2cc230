#include "core/clock.h"
#include "core/crc32.h"
#include "fake_server.h"
#include "fdfs/client.h"
#include "fdfs/proto.h"
#include "play.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_answer *add_bytes(struct play *play, const void *data, size_t len)
{
	struct buf body;

	buf_init(&body, CLEAR);
	buf_put(&body, data, len);
	return add(play, 0, &body);
}

static struct fake_answer *add_fetch(struct play *play, uint16_t port, enum fdfs_ip_width width)
{
	struct fdfs_route route = { .group = "g01", .count = 1 };
	struct buf body;

	strcpy(route.to[0].ip, "127.0.0.1");
	route.to[0].port = port;
	buf_init(&body, CLEAR);
	fdfs_put_fetch(&body, width, &route);
	return add(play, 0, &body);
}

static struct fake_answer *add_store(struct play *play, uint16_t port, enum fdfs_ip_width width)
{
	struct fdfs_route route = { .group = "g01", .count = 1, .path = 3 };
	struct buf body;

	strcpy(route.to[0].ip, "127.0.0.1");
	route.to[0].port = port;
	buf_init(&body, CLEAR);
	fdfs_put_store(&body, width, &route);
	return add(play, 0, &body);
}

static void add_info(struct play *play)
{
	struct fdfs_info_reply info = { .size = 5, .time = 9, .crc = 0xfedcba98, .source = "::1" };
	struct buf body;

	buf_init(&body, CLEAR);
	fdfs_put_info_reply(&body, FDFS_IP_46, &info);
	add(play, 0, &body);
}

static void add_id(struct play *play, const struct file_id *id)
{
	struct fdfs_file_request file = { .name = span_of(id->name, id->name_len) };
	struct buf body;

	memcpy(file.group, id->group, sizeof file.group);
	buf_init(&body, CLEAR);
	fdfs_put_upload_reply(&body, &file);
	add(play, 0, &body);
}

/* Fetches from both, the first one first. */
static void add_fetch_both(struct play *play, uint16_t first, uint16_t second)
{
	struct fdfs_route route = { .group = "g01", .count = 2 };
	struct buf body;

	for (size_t i = 0; i < 2; i++)
		strcpy(route.to[i].ip, "127.0.0.1");
	route.to[0].port = first;
	route.to[1].port = second;
	buf_init(&body, CLEAR);
	fdfs_put_fetch(&body, FDFS_IP_16, &route);
	add(play, 0, &body);
}

static void add_storage(struct play *play, uint16_t port, enum fdfs_state state)
{
	add_storages(play, &(const struct play_storage){ "127.0.0.1", state, NULL, port }, 1);
}

/* A tracker that always names one storage, that storage, and a client. */
struct stage {
	struct play tracker, storage;
	struct fdfs_client *client;
};

static void stage_up(struct stage *stage)
{
	start(&stage->storage);
	add_fetch(&stage->tracker, fake_server_port(stage->storage.server), FDFS_IP_16);
	start(&stage->tracker);
	stage->client = client_of(fake_server_address(stage->tracker.server), NULL, 5000);
}

static void stage_down(struct stage *stage)
{
	fdfs_client_free(stage->client);
	end(&stage->tracker);
	end(&stage->storage);
}

/* Download `id` from a storage with the answers of `stage`; what comes is in `out`. */
static enum err_code download(struct stage *stage, const struct file_id *id, struct buf *out)
{
	struct err err = { 0 };

	stage_up(stage);
	if (fdfs_download(stage->client, id, out, &err) == 0)
		err.code = ERR_NONE;
	else
		assert_true(err.text[0] != '\0');
	stage_down(stage);
	return err.code;
}

TEST(a_download_is_what_the_id_says)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct buf out;

	buf_init(&out, CLEAR);
	buf_put_str(&out, ">");
	add_bytes(&stage.storage, picture, PICTURE_LEN);
	assert_int_equal(download(&stage, &id, &out), ERR_NONE);
	assert_true(span_is(span_of(out.data, 1), ">"));
	assert_true(span_is(span_of(out.data + 1, out.len - 1), picture));
	buf_fini(&out);
}

TEST(answers_may_come_in_pieces_and_addresses_in_either_width)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct err err;
	struct buf out;

	buf_init(&out, CLEAR);
	add_bytes(&stage.storage, picture, PICTURE_LEN)->bytewise = true;
	start(&stage.storage);
	add_fetch(&stage.tracker, fake_server_port(stage.storage.server), FDFS_IP_46)->bytewise =
		true;
	start(&stage.tracker);
	stage.client = client_of(fake_server_address(stage.tracker.server), NULL, 5000);
	assert_int_equal(fdfs_download(stage.client, &id, &out, &err), 0);
	assert_true(span_is(buf_span(&out), picture));
	buf_fini(&out);
	stage_down(&stage);
}

TEST(bytes_that_do_not_match_their_id_are_refused)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	char wrong[PICTURE_LEN];
	struct buf out;

	buf_init(&out, CLEAR);
	memcpy(wrong, picture, PICTURE_LEN);
	wrong[7] ^= 1;
	add_bytes(&stage.storage, wrong, PICTURE_LEN);
	assert_int_equal(download(&stage, &id, &out), ERR_CORRUPT);
	assert_int_equal(out.len, 0);
	add_bytes(&stage.storage, picture, PICTURE_LEN - 1); /* too short */
	assert_int_equal(download(&stage, &id, &out), ERR_CORRUPT);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

TEST(the_crc_of_old_servers_is_accepted)
{
	struct file_id id = id_of(
		picture, PICTURE_LEN, crc32_fastdfs_old(span_of(picture, PICTURE_LEN)));
	struct stage stage = { 0 };
	struct buf out;

	buf_init(&out, CLEAR);
	add_bytes(&stage.storage, picture, PICTURE_LEN);
	assert_int_equal(download(&stage, &id, &out), ERR_NONE);
	buf_fini(&out);
}

TEST(an_answer_that_is_none_is_refused)
{
	static const uint8_t bad[][FDFS_HEADER_LEN] = {
		{ 0, 0, 0, 0, 0, 0, 0, PICTURE_LEN, 99, 0 },                /* no reply */
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 100, 0 }, /* negative */
		{ 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 100, 0 }, /* absurd */
		{ 0, 0, 0, 0, 0, 1, 0x86, 0xa1, 100, 0 },                   /* over the limit */
	};
	struct file_id id = picture_id();
	struct buf out;

	buf_init(&out, CLEAR);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct stage stage = { 0 };

		stage.storage.answers[0] = (struct fake_answer){ .data = bad[i], .len = 10 };
		stage.storage.count = 1;
		assert_int_equal(download(&stage, &id, &out), ERR_UNREACHABLE);
	}
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

TEST(statuses_become_codes)
{
	static const struct {
		uint8_t status;
		enum err_code code;
	} cases[] = {
		{ ENOENT, ERR_NOT_FOUND },
		{ FDFS_STATUS_GONE, ERR_GONE },
		{ EINVAL, ERR_NOT_FOUND }, /* a store path that it does not have */
		{ FDFS_STATUS_CORRUPT, ERR_CORRUPT },
		{ EIO, ERR_IO },
	};
	struct file_id id = picture_id();
	struct buf out;

	buf_init(&out, CLEAR);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct stage stage = { 0 };

		add(&stage.storage, cases[i].status, NULL);
		assert_int_equal(download(&stage, &id, &out), cases[i].code);
	}
	buf_fini(&out);
}

TEST(a_stored_size_over_the_limit_is_not_fetched)
{
	struct file_id id = id_of("", 100001, 1);
	struct stage stage = { 0 };
	struct buf out;

	buf_init(&out, CLEAR);
	add_bytes(&stage.storage, picture, PICTURE_LEN);
	assert_int_equal(download(&stage, &id, &out), ERR_TOO_LARGE);
	id = picture_id();
	out.limit = 10; /* the caller's own */
	add_bytes(&stage.storage, picture, PICTURE_LEN);
	assert_int_equal(download(&stage, &id, &out), ERR_TOO_LARGE);
	assert_true(buf_ok(&out));
	buf_fini(&out);
}

TEST(figures_are_read_over_a_connection_that_is_kept)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct fdfs_info info;
	struct err err;

	add_info(&stage.storage);
	stage_up(&stage);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(info.size, 5);
	assert_int_equal(info.time, 9);
	assert_int_equal(info.crc, 0xfedcba98);
	assert_string_equal(info.source, "::1");
	assert_int_equal(fake_server_connections(stage.storage.server), 1);
	assert_int_equal(fake_server_connections(stage.tracker.server), 1);
	stage_down(&stage);
}

TEST(a_restart_of_the_servers_goes_unnoticed)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct fdfs_info info;
	struct err err;

	add_info(&stage.storage);
	stage_up(&stage);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	fake_server_hang_up(stage.storage.server);
	fake_server_hang_up(stage.tracker.server);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	stage_down(&stage);
}

TEST(a_read_on_a_connection_that_was_closed_is_repeated)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct fdfs_info info;
	struct err err;

	add_info(&stage.storage);
	stage.storage.answers[stage.storage.count++] = (struct fake_answer){ .close = true };
	add_info(&stage.storage);
	stage_up(&stage);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(stage.storage.server), 3);
	assert_int_equal(fake_server_connections(stage.storage.server), 2);
	stage_down(&stage);
}

TEST(silence_ends_at_the_deadline)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	int64_t before = clock_mono_ms();
	struct fdfs_info info;
	struct err err;

	stage.storage.answers[stage.storage.count++] = (struct fake_answer){ .hang = true };
	start(&stage.storage);
	add_fetch(&stage.tracker, fake_server_port(stage.storage.server), FDFS_IP_16);
	start(&stage.tracker);
	stage.client = client_of(fake_server_address(stage.tracker.server), NULL, 80);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_mono_ms() - before < 2000);
	stage_down(&stage);
}

TEST(a_dead_tracker_is_passed_over_and_the_good_one_remembered)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct fdfs_info info;
	char dead[32];
	struct err err;

	snprintf(dead, sizeof dead, "localhost:%u", fake_server_dead_port());
	add_info(&stage.storage);
	start(&stage.storage);
	add_fetch(&stage.tracker, fake_server_port(stage.storage.server), FDFS_IP_16);
	start(&stage.tracker);
	stage.client = client_of(dead, fake_server_address(stage.tracker.server), 5000);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(stage.tracker.server), 2);
	fake_server_stop(stage.tracker.server);
	stage.tracker.server = NULL;
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	stage_down(&stage);
}

TEST(a_tracker_that_hangs_leaves_time_for_the_next)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct play silent = { .answers = { { .hang = true } }, .count = 1 };
	struct fdfs_info info;
	struct err err;

	add_info(&stage.storage);
	start(&stage.storage);
	start(&silent);
	add_fetch(&stage.tracker, fake_server_port(stage.storage.server), FDFS_IP_16);
	start(&stage.tracker);
	stage.client = client_of(
		fake_server_address(silent.server), fake_server_address(stage.tracker.server), 400);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(silent.server), 1);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(silent.server), 1);
	stage_down(&stage);
	end(&silent);
}

TEST(a_group_that_nobody_knows_is_told_from_one_that_is_down)
{
	struct file_id id = picture_id();
	struct fdfs_group_record record = { .name = "g01", .storages = 1 };
	struct play tracker = { 0 };
	struct fdfs_client *client;
	struct fdfs_info info;
	struct buf body;
	struct err err;

	add(&tracker, ENOENT, NULL); /* 102 */
	add(&tracker, ENOENT, NULL); /* 90 */
	add(&tracker, ENOENT, NULL); /* 102 */
	buf_init(&body, CLEAR);
	fdfs_put_group_record(&body, FDFS_LAYOUT_CURRENT, &record);
	add(&tracker, 0, &body);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(fdfs_stat(client, &id, &info, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(fdfs_stat(client, &id, &info, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	fdfs_client_free(client);
	end(&tracker);
}

TEST(a_read_goes_on_to_another_storage)
{
	struct file_id id = picture_id();
	struct play tracker = { 0 }, storage = { 0 };
	struct fdfs_client *client;
	struct fdfs_info info;
	struct err err;

	add_info(&storage);
	start(&storage);
	add_fetch(&tracker, fake_server_dead_port(), FDFS_IP_16);
	add_fetch(&tracker, fake_server_port(storage.server), FDFS_IP_16);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(fdfs_stat(client, &id, &info, &err), 0);
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
}

TEST(what_another_storage_has_not_is_looked_for_on_all)
{
	struct file_id id = { .group = "g01", .source = { 10, 0, 0, 9 }, .time = 1, .ext = "jpg" };
	struct play tracker = { 0 }, without = { 0 }, storage = { 0 };
	struct fdfs_client *client;
	struct fdfs_info info;
	struct err err;
	uint16_t first, second;

	assert_true(file_id_make(&id, 7));
	add(&without, ENOENT, NULL);
	start(&without);
	add_info(&storage);
	start(&storage);
	first = fake_server_port(without.server);
	second = fake_server_port(storage.server);
	add_fetch(&tracker, first, FDFS_IP_16);          /* 102 */
	add_fetch(&tracker, first, FDFS_IP_16);          /* 103 */
	add_fetch_both(&tracker, first, second);         /* 105 */
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(fdfs_stat(client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(without.server), 1);
	fdfs_client_free(client);
	end(&tracker);
	end(&without);
	end(&storage);
}

TEST(an_upload_says_what_it_sends_and_checks_the_id_that_comes)
{
	struct file_id id = picture_id(), got;
	struct play tracker = { 0 }, storage = { 0 };
	uint8_t request[4096];
	struct fdfs_upload_request upload;
	struct fdfs_client *client;
	struct err err;
	size_t len;

	add_id(&storage, &id);
	start(&storage);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_46);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(
		fdfs_upload(client, NULL, span_of(picture, PICTURE_LEN), "jpg", &got, &err), 0);
	assert_true(file_id_equal(&id, &got));
	len = fake_server_last(storage.server, request);
	assert_true(fdfs_get_upload_request(
		span_of(request + FDFS_HEADER_LEN, len - FDFS_HEADER_LEN), &upload));
	assert_int_equal(upload.path, 3);
	assert_string_equal(upload.ext, "jpg");
	assert_true(span_is(upload.content, picture));
	/* the same id for other bytes */
	assert_int_equal(fdfs_upload(client, "g01", SPAN("other bytes"), "jpg", &got, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_int_equal(fdfs_upload(client, NULL, SPAN("x"), "a/b", &got, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
}

TEST(an_upload_to_a_dead_storage_goes_to_another)
{
	struct file_id id = picture_id(), got;
	struct play tracker = { 0 }, storage = { 0 };
	uint16_t dead = fake_server_dead_port();
	struct fdfs_client *client;
	struct err err;

	add_id(&storage, &id);
	start(&storage);
	add_store(&tracker, dead, FDFS_IP_16); /* 101 */
	add_store(&tracker, dead, FDFS_IP_16); /* 101, no help */
	add_store(&tracker, dead, FDFS_IP_16);
	add_store(&tracker, dead, FDFS_IP_16);
	add_store(&tracker, dead, FDFS_IP_16);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_16); /* 107 */
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(
		fdfs_upload(client, NULL, span_of(picture, PICTURE_LEN), "jpg", &got, &err), 0);
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
}

static struct fake_answer hang = { .hang = true };

TEST(a_silent_storage_is_left_for_another_that_has_the_file)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct play silent = { .answers = { hang }, .count = 1 };
	struct fdfs_info info;
	struct err err;
	uint16_t bad, good;

	start(&silent);
	add_info(&stage.storage);
	start(&stage.storage);
	bad = fake_server_port(silent.server);
	good = fake_server_port(stage.storage.server);
	add_fetch(&stage.tracker, bad, FDFS_IP_16);
	add_storage(&stage.tracker, bad, FDFS_STATE_ACTIVE);
	add_fetch_both(&stage.tracker, bad, good);
	start(&stage.tracker);
	patience_ms = 20;
	stage.client = client_of(fake_server_address(stage.tracker.server), NULL, 60000);
	patience_ms = 0;
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(silent.server), 1);
	stage_down(&stage);
	end(&silent);
}

TEST(a_silent_storage_is_waited_for_while_it_is_up_and_the_only_one)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct fdfs_info info;
	struct err err;
	uint16_t port;

	stage.storage.answers[stage.storage.count++] = hang;
	start(&stage.storage);
	port = fake_server_port(stage.storage.server);
	add_fetch(&stage.tracker, port, FDFS_IP_16);
	for (int i = 0; i < 3; i++) {
		add_storage(&stage.tracker, port, FDFS_STATE_ACTIVE);
		add_fetch(&stage.tracker, port, FDFS_IP_16);
	}
	start(&stage.tracker);
	patience_ms = 50;
	stage.client = client_of(fake_server_address(stage.tracker.server), NULL, 130);
	patience_ms = 0;
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "no progress in time"));
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	stage_down(&stage);
}

TEST(a_silent_storage_that_trackers_call_down_is_left_at_once)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct err err;
	uint16_t port;

	stage.storage.answers[stage.storage.count++] = hang;
	start(&stage.storage);
	port = fake_server_port(stage.storage.server);
	add_storage(&stage.tracker, port, FDFS_STATE_ACTIVE);
	add_storage(&stage.tracker, port, FDFS_STATE_OFFLINE);
	start(&stage.tracker);
	patience_ms = 20;
	stage.client = client_of(fake_server_address(stage.tracker.server), NULL, 60000);
	patience_ms = 0;
	assert_int_equal(fdfs_delete(stage.client, &id, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN); /* long before a minute has passed */
	assert_non_null(strstr(err.text, "silent for 20 ms"));
	stage_down(&stage);
}

TEST(a_tracker_that_hangs_is_not_waited_for_longer_than_patience)
{
	struct file_id id = picture_id();
	struct stage stage = { 0 };
	struct play silent = { .answers = { hang }, .count = 1 };
	struct fdfs_info info;
	struct err err;

	add_info(&stage.storage);
	start(&stage.storage);
	start(&silent);
	add_fetch(&stage.tracker, fake_server_port(stage.storage.server), FDFS_IP_16);
	start(&stage.tracker);
	patience_ms = 20;
	stage.client = client_of(fake_server_address(silent.server),
		fake_server_address(stage.tracker.server), INT64_C(3600000));
	patience_ms = 0;
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &err), 0);
	assert_int_equal(fake_server_requests(silent.server), 1);
	stage_down(&stage);
	end(&silent);
}

TEST(an_upload_that_may_be_repeated_goes_to_another_storage)
{
	struct play tracker = { 0 }, good = { 0 };
	struct play storage = { .answers = { { .close = true } }, .count = 1 };
	struct file_id got, id = picture_id();
	struct fdfs_client *client;
	struct err err;

	start(&storage);
	add_id(&good, &id);
	start(&good);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_16);
	add_store(&tracker, fake_server_port(good.server), FDFS_IP_16);
	start(&tracker);
	repeat_uploads = true;
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	repeat_uploads = false;
	assert_int_equal(
		fdfs_upload(client, NULL, span_of(picture, PICTURE_LEN), "jpg", &got, &err), 0);
	assert_true(file_id_equal(&got, &id));
	assert_int_equal(fake_server_requests(storage.server), 1);
	assert_int_equal(fake_server_requests(good.server), 1);
	/* Where there is no other storage its outcome stays unknown. */
	fdfs_client_free(client);
	end(&tracker);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_16);
	start(&tracker);
	repeat_uploads = true;
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	repeat_uploads = false;
	assert_int_equal(
		fdfs_upload(client, NULL, span_of(picture, PICTURE_LEN), "jpg", &got, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(storage.server), 2);
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
	end(&good);
}

TEST(an_upload_without_an_answer_is_of_unknown_outcome)
{
	struct play tracker = { 0 };
	struct play storage = { .answers = { { .close = true } }, .count = 1 };
	struct file_id got;
	struct fdfs_client *client;
	struct err err;

	start(&storage);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_16);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(
		fdfs_upload(client, NULL, span_of(picture, PICTURE_LEN), "jpg", &got, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(storage.server), 1);
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
}

TEST(a_full_store_is_heard_before_all_is_sent)
{
	struct play tracker = { 0 }, storage = { 0 };
	struct fdfs_client *client;
	struct file_id got;
	struct err err;
	uint8_t *much = calloc(1, 90000);

	add(&storage, ENOSPC, NULL)->early = true;
	storage.answers[0].close = true;
	start(&storage);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_16);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(fdfs_upload(client, NULL, span_of(much, 90000), "", &got, &err), -1);
	/* A close with bytes unread may take the answer along. */
	assert_true(err.code == ERR_FULL || err.code == ERR_UNREACHABLE || err.code == ERR_UNKNOWN);
	assert_int_equal(fdfs_upload(client, NULL, span_of(much, 100001), "", &got, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	free(much);
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
}

TEST(a_full_tracker_is_believed)
{
	struct play tracker = { 0 };
	struct fdfs_client *client;
	struct file_id got;
	struct err err;

	add(&tracker, ENOSPC, NULL);
	add(&tracker, ENOENT, NULL);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(fdfs_upload(client, NULL, SPAN("x"), "", &got, &err), -1);
	assert_int_equal(err.code, ERR_FULL);
	assert_int_equal(fdfs_upload(client, "g01", SPAN("x"), "", &got, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	fdfs_client_free(client);
	end(&tracker);
}

TEST(a_full_tracker_is_not_believed_before_the_others_are_asked)
{
	struct play full = { 0 }, storage = { 0 }, tracker = { 0 };
	struct file_id id = id_of("x", 1, 0), got;
	struct fdfs_client *client;
	struct err err;

	add_id(&storage, &id);
	start(&storage);
	add(&full, ENOSPC, NULL);
	start(&full);
	add_store(&tracker, fake_server_port(storage.server), FDFS_IP_16);
	add(&tracker, ENOENT, NULL);
	start(&tracker);
	client = client_of(
		fake_server_address(full.server), fake_server_address(tracker.server), 5000);
	assert_int_equal(fdfs_upload(client, NULL, SPAN("x"), "", &got, &err), 0);
	assert_true(file_id_equal(&got, &id));
	/* Of a group that is full somewhere and unknown elsewhere, full says more. */
	assert_int_equal(fdfs_upload(client, NULL, SPAN("x"), "", &got, &err), -1);
	assert_int_equal(err.code, ERR_FULL);
	fdfs_client_free(client);
	end(&full);
	end(&tracker);
	end(&storage);
}

TEST(groups_and_storages_are_listed)
{
	struct fdfs_group_record group = {
		.name = "g01", .total_mib = 10, .free_mib = 4, .storages = 1, .writable = 1
	};
	struct fdfs_storage_record storage = { .state = FDFS_STATE_ACTIVE,
		.id = "127.0.0.1",
		.ip = "127.0.0.1",
		.port = 23000,
		.version = "0.1.0" };
	struct fdfs_storage *storages;
	struct fdfs_group *groups;
	struct play tracker = { 0 };
	struct fdfs_client *client;
	struct buf body;
	struct err err;
	size_t count;

	buf_init(&body, CLEAR);
	fdfs_put_group_record(&body, FDFS_LAYOUT_105_612, &group);
	fdfs_put_group_record(&body, FDFS_LAYOUT_105_612, &group);
	add(&tracker, 0, &body);
	buf_init(&body, CLEAR);
	storage.counters[FDFS_COUNT_UPLOAD_OK] = 12;
	fdfs_put_storage_record(&body, FDFS_LAYOUT_CURRENT, FDFS_IP_46, &storage);
	add(&tracker, 0, &body);
	add_bytes(&tracker, "stray", 5);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	assert_int_equal(fdfs_groups(client, &groups, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(groups[1].name, "g01");
	assert_int_equal(groups[1].free_mib, 4);
	free(groups);
	assert_int_equal(fdfs_storages(client, "g01", &storages, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(storages[0].port, 23000);
	assert_int_equal(storages[0].uploads, 12);
	assert_string_equal(storages[0].ip, "127.0.0.1");
	free(storages);
	assert_int_equal(fdfs_groups(client, &groups, &count, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	fdfs_client_free(client);
	end(&tracker);
}

static void *many_stats(void *context)
{
	struct file_id id = picture_id();
	struct fdfs_info info;
	struct err err;

	for (int i = 0; i < 50; i++)
		if (fdfs_stat(context, &id, &info, &err) < 0)
			return context;
	return NULL;
}

TEST(many_threads_share_a_client)
{
	struct stage stage = { 0 };
	pthread_t threads[8];

	add_info(&stage.storage);
	stage_up(&stage);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_stats, stage.client), 0);
	for (int i = 0; i < 8; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(fake_server_requests(stage.storage.server), 400);
	stage_down(&stage);
}

TEST(trackers_have_addresses)
{
	static const char *const bad[] = { "", "host", "host:", "host:0", "host:65536", "host:1x",
		"[::1:22", "[::g]:22", "a b:22", ":22", "host:-1" };
	static const char *const good[] = { "127.0.0.1:22122", "[::1]:22122", "tracker.lan:1" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *trackers[] = { (char *)(uintptr_t)bad[i] };
		struct fdfs_client_conf conf = { .trackers = trackers, .tracker_count = 1 };
		struct err err;

		assert_null(fdfs_client_new(&conf, &err));
		assert_int_equal(err.code, ERR_CONFIG);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		fdfs_client_free(client_of(good[i], NULL, 1));
}
