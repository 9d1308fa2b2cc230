/* Which servers a client asks, and for how long, when some are dead, silent or without the file. */
#include "core/clock.h"
#include "play.h"

#include <stdio.h>

static const struct fake_answer silence = { .hang = true };
static struct stage stage;

static enum err_code stat_code(const struct file_id *id)
{
	struct fdfs_info info;

	return fdfs_stat(stage.client, id, &info, &stage.err) == 0 ? ERR_NONE : stage.err.code;
}

static void start_silent_tracker(void)
{
	play_raw(&stage.other, silence);
	play_start(&stage.other);
	stage.first_tracker = fake_server_address(stage.other.server);
}

static void storage_is(struct play *play, uint16_t port, enum fdfs_state state)
{
	play_storages(play, &(const struct play_storage){ "127.0.0.1", state, NULL, port }, 1);
}

TEST(silence_ends_at_the_deadline)
{
	struct file_id id = play_picture_id();
	int64_t before = clock_mono_ms();

	play_raw(&stage.storage, silence);
	play_fetch(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage_meet(&stage, 80);
	assert_int_equal(stat_code(&id), ERR_TIMEOUT);
	assert_true(clock_mono_ms() - before < 2000);
	stage_down(&stage);
}

TEST(a_dead_tracker_is_passed_over_and_the_good_one_remembered)
{
	struct file_id id = play_picture_id();
	char dead[32];

	snprintf(dead, sizeof dead, "localhost:%u", fake_server_dead_port());
	play_info(&stage.storage);
	play_fetch(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage.first_tracker = dead;
	stage_meet(&stage, 5000);
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(fake_server_requests(stage.tracker.server), 2);
	fake_server_stop(stage.tracker.server);
	stage.tracker.server = NULL;
	assert_int_equal(stat_code(&id), ERR_UNREACHABLE);
	stage_down(&stage);
}

TEST(a_tracker_that_hangs_leaves_time_for_the_next)
{
	struct file_id id = play_picture_id();

	start_silent_tracker();
	play_info(&stage.storage);
	play_fetch(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage_meet(&stage, 400);
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(fake_server_requests(stage.other.server), 1);
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(fake_server_requests(stage.other.server), 1);
	stage_down(&stage);
}

TEST(a_tracker_that_hangs_is_not_waited_for_longer_than_patience)
{
	struct file_id id = play_picture_id();

	start_silent_tracker();
	play_info(&stage.storage);
	play_fetch(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage.patience_ms = 20;
	stage_meet(&stage, INT64_C(3600000));
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(fake_server_requests(stage.other.server), 1);
	stage_down(&stage);
}

TEST(a_group_that_nobody_knows_is_told_from_one_that_is_down)
{
	struct file_id id = play_picture_id();
	struct fdfs_group_record record = { .name = "g01", .storages = 1 };
	struct buf body;

	play_status(&stage.tracker, ENOENT); /* 102 */
	play_status(&stage.tracker, ENOENT); /* 90 */
	play_status(&stage.tracker, ENOENT); /* 102 */
	buf_init(&body, 4096);
	fdfs_put_group_record(&body, FDFS_LAYOUT_CURRENT, &record);
	play_body(&stage.tracker, &body);
	stage_meet(&stage, 5000);
	assert_int_equal(stat_code(&id), ERR_NOT_FOUND);
	assert_int_equal(stat_code(&id), ERR_UNREACHABLE);
	stage_down(&stage);
}

TEST(a_read_goes_on_to_another_storage)
{
	struct file_id id = play_picture_id();

	play_info(&stage.storage);
	play_fetch(&stage.tracker, fake_server_dead_port(), FDFS_IP_16);
	play_fetch(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage_meet(&stage, 5000);
	assert_int_equal(stat_code(&id), ERR_NONE);
	stage_down(&stage);
}

TEST(what_another_storage_has_not_is_looked_for_on_all)
{
	struct file_id id = { .group = "g01", .source = { 10, 0, 0, 9 }, .time = 1, .ext = "jpg" };
	uint16_t first, second;

	assert_true(file_id_make(&id, 7));
	play_status(&stage.other, ENOENT);
	first = play_start(&stage.other);
	play_info(&stage.storage);
	second = play_start(&stage.storage);
	play_fetch(&stage.tracker, first, FDFS_IP_16);  /* 102 */
	play_fetch(&stage.tracker, first, FDFS_IP_16);  /* 103 */
	play_fetch_both(&stage.tracker, first, second); /* 105 */
	stage_meet(&stage, 5000);
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(fake_server_requests(stage.other.server), 1);
	stage_down(&stage);
}

TEST(a_silent_storage_is_left_for_another_that_has_the_file)
{
	struct file_id id = play_picture_id();
	uint16_t bad, good;

	play_raw(&stage.other, silence);
	bad = play_start(&stage.other);
	play_info(&stage.storage);
	good = play_start(&stage.storage);
	play_fetch(&stage.tracker, bad, FDFS_IP_16);
	storage_is(&stage.tracker, bad, FDFS_STATE_ACTIVE);
	play_fetch_both(&stage.tracker, bad, good);
	stage.patience_ms = 20;
	stage_meet(&stage, 60000);
	assert_int_equal(stat_code(&id), ERR_NONE);
	assert_int_equal(fake_server_requests(stage.other.server), 1);
	stage_down(&stage);
}

TEST(a_silent_storage_is_waited_for_while_it_is_up_and_the_only_one)
{
	struct file_id id = play_picture_id();
	uint16_t port;

	play_raw(&stage.storage, silence);
	port = play_start(&stage.storage);
	play_fetch(&stage.tracker, port, FDFS_IP_16);
	for (int i = 0; i < 3; i++) {
		storage_is(&stage.tracker, port, FDFS_STATE_ACTIVE);
		play_fetch(&stage.tracker, port, FDFS_IP_16);
	}
	stage.patience_ms = 50;
	stage_meet(&stage, 130);
	assert_int_equal(stat_code(&id), ERR_TIMEOUT);
	assert_non_null(strstr(stage.err.text, "no progress in time"));
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	stage_down(&stage);
}

TEST(a_silent_storage_that_trackers_call_down_is_left_at_once)
{
	struct file_id id = play_picture_id();
	uint16_t port;

	play_raw(&stage.storage, silence);
	port = play_start(&stage.storage);
	storage_is(&stage.tracker, port, FDFS_STATE_ACTIVE);
	storage_is(&stage.tracker, port, FDFS_STATE_OFFLINE);
	stage.patience_ms = 20;
	stage_meet(&stage, 60000);
	assert_int_equal(fdfs_delete(stage.client, &id, NULL, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN); /* long before a minute has passed */
	assert_non_null(strstr(stage.err.text, "silent for 20 ms"));
	stage_down(&stage);
}
