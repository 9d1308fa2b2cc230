#include "core/crc32.h"
#include "play.h"

#include <pthread.h>
#include <stdlib.h>

static struct stage stage;

/* Download `id` from the storage; what comes is in `out`. */
static enum err_code download(const struct file_id *id, struct buf *out)
{
	enum err_code code = ERR_NONE;

	stage_up(&stage);
	if (fdfs_download(stage.client, id, out, &stage.err) != 0) {
		assert_true(stage.err.text[0] != '\0');
		code = stage.err.code;
	}
	stage_down(&stage);
	return code;
}

TEST(a_download_is_what_the_id_says)
{
	struct file_id id = play_picture_id();
	struct buf out;

	buf_init(&out, 4096);
	buf_put_str(&out, ">");
	play_bytes(&stage.storage, PLAY_PICTURE, PLAY_PICTURE_LEN);
	assert_int_equal(download(&id, &out), ERR_NONE);
	assert_true(span_is(span_of(out.data, 1), ">"));
	assert_true(span_is(span_of(out.data + 1, out.len - 1), PLAY_PICTURE));
	buf_fini(&out);
}

TEST(answers_may_come_in_pieces_and_addresses_in_either_width)
{
	struct file_id id = play_picture_id();
	struct buf out;

	buf_init(&out, 4096);
	play_bytes(&stage.storage, PLAY_PICTURE, PLAY_PICTURE_LEN)->bytewise = true;
	play_fetch(&stage.tracker, play_start(&stage.storage), FDFS_IP_46)->bytewise = true;
	stage_meet(&stage, 5000);
	assert_int_equal(fdfs_download(stage.client, &id, &out, &stage.err), 0);
	assert_true(span_is(buf_span(&out), PLAY_PICTURE));
	buf_fini(&out);
	stage_down(&stage);
}

TEST(bytes_that_do_not_match_their_id_are_refused)
{
	struct file_id id = play_picture_id();
	char wrong[PLAY_PICTURE_LEN];
	struct buf out;

	buf_init(&out, 4096);
	memcpy(wrong, PLAY_PICTURE, PLAY_PICTURE_LEN);
	wrong[7] ^= 1;
	play_bytes(&stage.storage, wrong, PLAY_PICTURE_LEN);
	assert_int_equal(download(&id, &out), ERR_CORRUPT);
	assert_int_equal(out.len, 0);
	play_bytes(&stage.storage, PLAY_PICTURE, PLAY_PICTURE_LEN - 1); /* too short */
	assert_int_equal(download(&id, &out), ERR_CORRUPT);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

TEST(the_crc_of_old_servers_is_accepted)
{
	struct file_id id = play_id(PLAY_PICTURE, PLAY_PICTURE_LEN,
		crc32_fastdfs_old(span_of(PLAY_PICTURE, PLAY_PICTURE_LEN)));
	struct buf out;

	buf_init(&out, 4096);
	play_bytes(&stage.storage, PLAY_PICTURE, PLAY_PICTURE_LEN);
	assert_int_equal(download(&id, &out), ERR_NONE);
	buf_fini(&out);
}

/* Of a slave and of an appender. */
static struct file_id inexact_id(int which)
{
	struct file_id id, master = play_picture_id();

	if (which == 0)
		assert_true(file_id_slave(&master, "_1", "png", &id));
	else
		assert_true(file_id_parse(
			SPAN("g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log"), &id));
	return id;
}

TEST(what_an_id_does_not_tell_is_not_checked)
{
	for (int i = 0; i < 2; i++) {
		struct file_id id = inexact_id(i);
		struct buf out;

		buf_init(&out, 4096);
		play_bytes(&stage.storage, "bytes", 5);
		assert_int_equal(download(&id, &out), ERR_NONE);
		assert_true(span_is(buf_span(&out), "bytes"));
		buf_fini(&out);
	}
}

static void play_size(struct play *play, uint64_t size)
{
	struct fdfs_info_reply info = { .size = size };
	struct buf body;

	buf_init(&body, 100);
	fdfs_put_info_reply(&body, FDFS_IP_16, &info);
	play_body(play, &body);
}

TEST(an_empty_slave_or_appender_that_fastdfs_does_not_send_is_empty)
{
	for (int i = 0; i < 2; i++) {
		struct file_id id = inexact_id(i);
		struct buf out;

		buf_init(&out, 4096);
		play_status(&stage.storage, EINVAL);
		play_size(&stage.storage, 0);
		assert_int_equal(download(&id, &out), ERR_NONE);
		assert_int_equal(out.len, 0);
		play_status(&stage.storage, EINVAL);
		play_size(&stage.storage, 5);
		assert_int_equal(download(&id, &out), ERR_NOT_FOUND);
		play_status(&stage.storage, ENOENT); /* is not asked for its size */
		play_size(&stage.storage, 0);
		assert_int_equal(download(&id, &out), ERR_NOT_FOUND);
		buf_fini(&out);
	}
}

TEST(an_answer_that_is_none_is_refused)
{
	static const uint8_t bad[][FDFS_HEADER_LEN] = {
		{ 0, 0, 0, 0, 0, 0, 0, PLAY_PICTURE_LEN, 99, 0 },           /* no reply */
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 100, 0 }, /* negative */
		{ 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 100, 0 }, /* absurd */
		{ 0, 0, 0, 0, 0, 1, 0x86, 0xa1, 100, 0 },                   /* over the limit */
	};
	struct file_id id = play_picture_id();
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		play_raw(&stage.storage, (struct fake_answer){ .data = bad[i], .len = 10 });
		assert_int_equal(download(&id, &out), ERR_UNREACHABLE);
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
	struct file_id id = play_picture_id();
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		play_status(&stage.storage, cases[i].status);
		assert_int_equal(download(&id, &out), cases[i].code);
	}
	buf_fini(&out);
}

TEST(a_stored_size_over_the_limit_is_not_fetched)
{
	struct file_id id = play_id("", 100001, 1);
	struct buf out;

	buf_init(&out, 4096);
	play_bytes(&stage.storage, PLAY_PICTURE, PLAY_PICTURE_LEN);
	assert_int_equal(download(&id, &out), ERR_TOO_LARGE);
	id = play_picture_id();
	out.limit = 10; /* the caller's own */
	play_bytes(&stage.storage, PLAY_PICTURE, PLAY_PICTURE_LEN);
	assert_int_equal(download(&id, &out), ERR_TOO_LARGE);
	assert_true(buf_ok(&out));
	buf_fini(&out);
}

TEST(figures_are_read_over_a_connection_that_is_kept)
{
	struct file_id id = play_picture_id();
	struct fdfs_info info;

	play_info(&stage.storage);
	stage_up(&stage);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fdfs_stat(stage.client, &id, &info, &stage.err), 0);
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
	struct file_id id = play_picture_id();
	struct fdfs_info info;

	play_info(&stage.storage);
	stage_up(&stage);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &stage.err), 0);
	fake_server_hang_up(stage.storage.server);
	fake_server_hang_up(stage.tracker.server);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &stage.err), 0);
	stage_down(&stage);
}

TEST(a_read_on_a_connection_that_was_closed_is_repeated)
{
	struct file_id id = play_picture_id();
	struct fdfs_info info;

	play_info(&stage.storage);
	play_raw(&stage.storage, (struct fake_answer){ .close = true });
	play_info(&stage.storage);
	stage_up(&stage);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &stage.err), 0);
	assert_int_equal(fdfs_stat(stage.client, &id, &info, &stage.err), 0);
	assert_int_equal(fake_server_requests(stage.storage.server), 3);
	assert_int_equal(fake_server_connections(stage.storage.server), 2);
	stage_down(&stage);
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
	struct buf body;
	size_t count;

	buf_init(&body, 4096);
	fdfs_put_group_record(&body, FDFS_LAYOUT_105_612, &group);
	fdfs_put_group_record(&body, FDFS_LAYOUT_105_612, &group);
	play_body(&stage.tracker, &body);
	buf_init(&body, 4096);
	storage.counters[FDFS_COUNT_UPLOAD_OK] = 12;
	fdfs_put_storage_record(&body, FDFS_LAYOUT_CURRENT, FDFS_IP_46, &storage);
	play_body(&stage.tracker, &body);
	play_bytes(&stage.tracker, "stray", 5);
	stage_meet(&stage, 5000);
	assert_int_equal(fdfs_groups(stage.client, &groups, &count, &stage.err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(groups[1].name, "g01");
	assert_int_equal(groups[1].free_mib, 4);
	free(groups);
	assert_int_equal(fdfs_storages(stage.client, "g01", &storages, &count, &stage.err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(storages[0].port, 23000);
	assert_int_equal(storages[0].uploads, 12);
	assert_string_equal(storages[0].ip, "127.0.0.1");
	free(storages);
	assert_int_equal(fdfs_groups(stage.client, &groups, &count, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNREACHABLE);
	stage_down(&stage);
}

static void *many_stats(void *context)
{
	struct file_id id = play_picture_id();
	struct fdfs_info info;
	struct err err;

	for (int i = 0; i < 50; i++)
		if (fdfs_stat(context, &id, &info, &err) < 0)
			return context;
	return NULL;
}

TEST(many_threads_share_a_client)
{
	pthread_t threads[8];

	play_info(&stage.storage);
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

		assert_null(fdfs_client_new(&conf, &stage.err));
		assert_int_equal(stage.err.code, ERR_CONFIG);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char *trackers[] = { (char *)(uintptr_t)good[i] };
		struct fdfs_client_conf conf = { .trackers = trackers, .tracker_count = 1 };
		struct fdfs_client *client = fdfs_client_new(&conf, &stage.err);

		assert_non_null(client);
		fdfs_client_free(client);
	}
}
