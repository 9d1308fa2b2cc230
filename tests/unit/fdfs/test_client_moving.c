#include "fdfs/proto_moving.h"
#include "play.h"

#include <stdlib.h>

static struct stage stage;

/* ---- names ---- */

struct seen {
	struct file_id ids[4];
	bool own[4];
	int count;
};

static void on_name(void *context, const struct file_id *id, bool own)
{
	struct seen *seen = context;

	assert_true(seen->count < 4);
	seen->ids[seen->count] = *id;
	seen->own[seen->count++] = own;
}

static void add_names(const struct file_id *ids, size_t count)
{
	struct fdfs_names names = { .count = count };
	struct buf body;

	for (size_t i = 0; i < count; i++)
		names.names[i] = span_of(ids[i].name, ids[i].name_len);
	buf_init(&body, FDFS_NAMES_LEN_MAX);
	fdfs_put_names(&body, &names);
	play_body(&stage.storage, &body);
}

static int ask(const struct file_id *id, struct seen *seen)
{
	*seen = (struct seen){ 0 };
	return fdfs_names(stage.client, id, on_name, seen, &stage.err);
}

TEST(a_picture_tells_its_own_name_and_those_of_elsewhere)
{
	struct file_id ids[3] = { play_picture_id(), play_id("one", 3, 0), play_id("two", 3, 0) };
	struct seen seen;

	add_names(ids, 3);
	add_names(ids, 1);
	stage_up(&stage);
	assert_int_equal(ask(&ids[1], &seen), 0); /* asked by another of its names */
	assert_int_equal(seen.count, 2);
	assert_true(seen.own[0] && file_id_equal(&seen.ids[0], &ids[0]));
	assert_true(!seen.own[1] && file_id_equal(&seen.ids[1], &ids[2]));
	assert_int_equal(ask(&ids[0], &seen), 0);
	assert_int_equal(seen.count, 0); /* it has no other */
	stage_down(&stage);
}

TEST(a_storage_that_does_not_know_the_question_is_not_asked_again_for_a_while)
{
	struct file_id id = play_picture_id();
	struct seen seen;

	play_status(&stage.storage, EINVAL);
	stage_up(&stage);
	assert_int_equal(ask(&id, &seen), 0);
	assert_int_equal(ask(&id, &seen), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	stage_down(&stage);
}

TEST(other_answers_to_that_question_are_failures)
{
	struct file_id id = play_picture_id();
	struct seen seen;

	play_bytes(&stage.storage, "\x05nonsense", 9);
	play_status(&stage.storage, EIO);
	stage_up(&stage);
	assert_int_equal(ask(&id, &seen), -1);
	assert_int_equal(stage.err.code, ERR_UNREACHABLE);
	assert_int_equal(ask(&id, &seen), -1);
	assert_non_null(strstr(stage.err.text, "answers status 5"));
	assert_int_equal(seen.count, 0);
	stage_down(&stage);
}

/* ---- pictures that keep their names ---- */

static enum err_code adopt_code(const struct file_id *olds, size_t count, struct file_id *id)
{
	return fdfs_adopt(stage.client, olds, count, true, SPAN(PLAY_PICTURE), "jpg", id,
		       &stage.err) == 0
		       ? ERR_NONE
		       : stage.err.code;
}

TEST(a_picture_is_adopted_with_its_old_names)
{
	struct file_id id = play_picture_id(), got;
	struct file_id olds[2] = { play_id("one", 3, 0), play_id("two", 3, 0) };
	struct fdfs_adopt_request request;
	uint8_t bytes[4096];

	play_new_id(&stage.storage, &id);
	play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
	stage_meet(&stage, 5000);
	assert_int_equal(adopt_code(olds, 2, &got), ERR_NONE);
	assert_true(file_id_equal(&got, &id));
	assert_true(fdfs_get_adopt_request(stage_last_body(&stage, bytes), &request));
	assert_true(request.keep);
	assert_int_equal(request.names.count, 2);
	assert_true(span_is(request.names.names[1], olds[1].name));
	assert_true(span_is(request.content, PLAY_PICTURE));
	assert_int_equal(request.path, 3);
	stage_down(&stage);
}

TEST(an_adoption_that_makes_no_sense_is_sent_to_nobody)
{
	struct file_id olds[FDFS_NAMES_MAX + 1], got;

	play_start(&stage.storage);
	stage_meet(&stage, 5000);
	for (size_t i = 0; i <= FDFS_NAMES_MAX; i++)
		olds[i] = play_picture_id();
	assert_int_equal(adopt_code(olds, FDFS_NAMES_MAX + 1, &got), ERR_BAD_REQUEST);
	strcpy(olds[1].group, "g02");
	assert_int_equal(adopt_code(olds, 2, &got), ERR_BAD_REQUEST);
	assert_int_equal(fake_server_requests(stage.storage.server), 0);
	stage_down(&stage);
}

TEST(an_adoption_that_is_refused_says_why)
{
	static const struct {
		uint8_t status;
		enum err_code code;
	} told[] = { { EINVAL, ERR_UNSUPPORTED }, { EEXIST, ERR_EXISTS },
		{ FDFS_STATUS_GONE, ERR_GONE }, { FDFS_STATUS_CORRUPT, ERR_CORRUPT },
		{ ENOENT, ERR_IO } };
	struct file_id old = play_id("one", 3, 0), got;

	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
		play_status(&stage.storage, told[i].status);
		play_store(&stage.tracker, play_start(&stage.storage), FDFS_IP_16);
		stage_meet(&stage, 5000);
		if (adopt_code(&old, 1, &got) != told[i].code)
			fail_msg("status %u: %s", told[i].status, stage.err.text);
		stage_down(&stage);
	}
}
