#include "play.h"

#include <stdlib.h>

static const struct fake_answer no_answer = { .close = true };
static struct stage stage;

static enum err_code upload_code(
	const char *group, struct span content, const char *ext, struct file_id *id)
{
	return fdfs_upload(stage.client, group, content, ext, id, &stage.err) == 0 ? ERR_NONE
										   : stage.err.code;
}

TEST(an_upload_says_what_it_sends_and_checks_the_id_that_comes)
{
	struct file_id id = play_picture_id(), got;
	struct fdfs_upload_request upload;
	uint8_t bytes[4096];

	play_new_id(&stage.storage, &id);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_46);
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN(PLAY_PICTURE), "jpg", &got), ERR_NONE);
	assert_true(file_id_equal(&id, &got));
	assert_true(fdfs_get_upload_request(stage_last_body(&stage, bytes), &upload));
	assert_int_equal(upload.path, 3);
	assert_string_equal(upload.ext, "jpg");
	assert_true(span_is(upload.content, PLAY_PICTURE));
	/* the same id for other bytes */
	assert_int_equal(upload_code("g01", SPAN("other bytes"), "jpg", &got), ERR_CORRUPT);
	assert_int_equal(upload_code(NULL, SPAN("x"), "a/b", &got), ERR_BAD_REQUEST);
	stage_down(&stage);
}

TEST(an_upload_to_a_dead_storage_goes_to_another)
{
	struct file_id id = play_picture_id(), got;
	uint16_t dead = fake_server_dead_port();

	play_new_id(&stage.storage, &id);
	play_store(&stage.tracker, dead, FDFS_IP_16); /* 101 */
	play_store(&stage.tracker, dead, FDFS_IP_16); /* 101, no help */
	play_store(&stage.tracker, dead, FDFS_IP_16);
	play_store(&stage.tracker, dead, FDFS_IP_16);
	play_store(&stage.tracker, dead, FDFS_IP_16);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16); /* 107 */
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN(PLAY_PICTURE), "jpg", &got), ERR_NONE);
	stage_down(&stage);
}

TEST(an_upload_that_may_be_repeated_goes_to_another_storage)
{
	struct file_id got, id = play_picture_id();

	play_raw(&stage.storage, no_answer);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	play_new_id(&stage.other, &id);
	play_store(&stage.tracker, play_start(&stage.other), FDFS_IP_16);
	stage.repeat_uploads = true;
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN(PLAY_PICTURE), "jpg", &got), ERR_NONE);
	assert_true(file_id_equal(&got, &id));
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	assert_int_equal(fake_server_requests(stage.other.server), 1);
	stage_down(&stage);
}

TEST(an_upload_that_may_be_repeated_and_cannot_is_of_unknown_outcome)
{
	struct file_id got;

	play_raw(&stage.storage, no_answer);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage.repeat_uploads = true;
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN(PLAY_PICTURE), "jpg", &got), ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	stage_down(&stage);
}

TEST(an_upload_without_an_answer_is_of_unknown_outcome)
{
	struct file_id got;

	play_raw(&stage.storage, no_answer);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN(PLAY_PICTURE), "jpg", &got), ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	stage_down(&stage);
}

TEST(a_full_store_is_heard_before_all_is_sent)
{
	uint8_t *much = calloc(1, 90000);
	enum err_code code;
	struct file_id got;

	play_status(&stage.storage, ENOSPC)->early = true;
	stage.storage.answers[0].close = true;
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage_meet(&stage, 5000);
	code = upload_code(NULL, span_of(much, 90000), "", &got);
	/* A close with bytes unread may take the answer along. */
	assert_true(code == ERR_FULL || code == ERR_UNREACHABLE || code == ERR_UNKNOWN);
	assert_int_equal(upload_code(NULL, span_of(much, 100001), "", &got), ERR_TOO_LARGE);
	free(much);
	stage_down(&stage);
}

TEST(a_full_tracker_is_believed)
{
	struct file_id got;

	play_status(&stage.tracker, ENOSPC);
	play_status(&stage.tracker, ENOENT);
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN("x"), "", &got), ERR_FULL);
	assert_int_equal(upload_code("g01", SPAN("x"), "", &got), ERR_UNREACHABLE);
	stage_down(&stage);
}

TEST(a_full_tracker_is_not_believed_before_the_others_are_asked)
{
	struct file_id id = play_id("x", 1, 0), got;

	play_new_id(&stage.storage, &id);
	play_status(&stage.other, ENOSPC);
	play_start(&stage.other);
	stage.first_tracker = fake_server_address(stage.other.server);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	play_status(&stage.tracker, ENOENT);
	stage_meet(&stage, 5000);
	assert_int_equal(upload_code(NULL, SPAN("x"), "", &got), ERR_NONE);
	assert_true(file_id_equal(&got, &id));
	/* Of a group that is full somewhere and unknown elsewhere, full says more. */
	assert_int_equal(upload_code(NULL, SPAN("x"), "", &got), ERR_FULL);
	stage_down(&stage);
}
