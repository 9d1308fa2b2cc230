#include "fdfs/client_names.h"

#include "play.h"

#include <stdio.h>

static const char log_name[] = "g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log";
static struct stage stage;

static struct file_id appender_id(void)
{
	struct file_id id;

	assert_true(file_id_parse(span_str(log_name), &id));
	return id;
}

static void add_text(const char *text)
{
	play_bytes(&stage.storage, text, strlen(text));
}

TEST(a_slave_has_the_name_that_follows_from_its_master)
{
	struct file_id master = play_picture_id(), slave, expected;
	struct fdfs_slave_request request;
	uint8_t bytes[4096];

	assert_true(file_id_slave(&master, "_1", "png", &expected));
	play_new_id(&stage.storage, &expected);
	play_new_id(&stage.storage, &master);
	stage_up(&stage);
	assert_int_equal(fdfs_upload_slave(stage.client, &master, "_1", "png", SPAN("slave"),
				 &slave, &stage.err),
		0);
	assert_true(file_id_equal(&slave, &expected));
	assert_true(fdfs_get_slave_request(stage_last_body(&stage, bytes), &request));
	assert_true(span_is(request.content, "slave") && span_is(request.master, master.name));
	assert_int_equal(fdfs_upload_slave(stage.client, &master, "_1", "png", SPAN("slave"),
				 &slave, &stage.err),
		-1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN); /* another name */
	assert_int_equal(fdfs_upload_slave(stage.client, &master, "-m", "", SPAN("slave"), &slave,
				 &stage.err),
		-1);
	assert_int_equal(stage.err.code, ERR_BAD_REQUEST);
	assert_int_equal(fake_server_requests(stage.storage.server), 2);
	stage_down(&stage);
}

TEST(statuses_are_told)
{
	static const struct {
		uint8_t status;
		enum err_code code;
	} told[] = { { EEXIST, ERR_EXISTS }, { ENOENT, ERR_NOT_FOUND }, { EINVAL, ERR_BAD_REQUEST },
		{ ENOSPC, ERR_FULL } };
	struct file_id master = play_picture_id(), slave;

	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
		play_status(&stage.storage, told[i].status);
		stage_up(&stage);
		assert_int_equal(fdfs_upload_slave(stage.client, &master, "_1", "png", SPAN("x"),
					 &slave, &stage.err),
			-1);
		assert_int_equal(stage.err.code, told[i].code);
		stage_down(&stage);
	}
}

TEST(a_file_comes_back_under_its_own_name)
{
	struct file_id master = play_picture_id();
	struct fdfs_file_back back = {
		.what = FDFS_RESTORED_SLAVE, .master = master, .changed = 1700000000
	};
	struct fdfs_restore_request request;
	uint8_t bytes[4096];

	assert_true(file_id_slave(&master, "_1", "png", &back.id));
	play_new_id(&stage.storage, &back.id);
	play_new_id(&stage.storage, &master);
	stage_up(&stage);
	assert_int_equal(fdfs_restore(stage.client, &back, SPAN("slave"), &stage.err), 0);
	assert_true(fdfs_get_restore_request(stage_last_body(&stage, bytes), &request));
	assert_int_equal(bytes[9], FDFS_FLAG_TELL_GONE);
	assert_int_equal(request.what, FDFS_RESTORED_SLAVE);
	assert_int_equal(request.changed, 1700000000);
	assert_true(span_is(request.name, back.id.name) && span_is(request.master, master.name));
	assert_true(request.first.len == 0 && span_is(request.content, "slave"));
	assert_int_equal(fdfs_restore(stage.client, &back, SPAN("slave"), &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN); /* under another name */
	stage_down(&stage);
}

TEST(why_a_file_does_not_come_back_is_told)
{
	static const struct {
		uint8_t status;
		enum err_code code;
	} told[] = { { FDFS_STATUS_GONE, ERR_GONE }, { FDFS_STATUS_CORRUPT, ERR_CORRUPT },
		{ EEXIST, ERR_EXISTS }, { EINVAL, ERR_UNSUPPORTED },
		{ EOPNOTSUPP, ERR_UNSUPPORTED }, { ENOSPC, ERR_FULL } };
	struct fdfs_file_back back = { .what = FDFS_RESTORED_APPENDER, .id = appender_id() };

	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
		play_status(&stage.storage, told[i].status);
		stage_up(&stage);
		assert_int_equal(fdfs_restore(stage.client, &back, SPAN("log"), &stage.err), -1);
		assert_int_equal(stage.err.code, told[i].code);
		stage_down(&stage);
	}
}

TEST(changes_say_what_they_change)
{
	struct file_id id = appender_id();
	struct fdfs_change_request request;
	uint8_t bytes[4096];

	play_status(&stage.storage, 0);
	stage_up(&stage);
	assert_int_equal(fdfs_append(stage.client, &id, SPAN("678"), &stage.err), 0);
	assert_true(fdfs_get_change_request(FDFS_APPEND, stage_last_body(&stage, bytes), &request));
	assert_true(span_is(request.content, "678") && span_is(request.name, id.name));
	assert_int_equal(fdfs_modify(stage.client, &id, 2, SPAN("XY"), &stage.err), 0);
	assert_true(fdfs_get_change_request(FDFS_MODIFY, stage_last_body(&stage, bytes), &request));
	assert_true(request.offset == 2 && span_is(request.content, "XY"));
	assert_int_equal(fdfs_truncate(stage.client, &id, 4, &stage.err), 0);
	assert_true(
		fdfs_get_change_request(FDFS_TRUNCATE, stage_last_body(&stage, bytes), &request));
	assert_int_equal(request.size, 4);
	stage_down(&stage);
}

TEST(a_change_whose_answer_is_lost_is_not_repeated)
{
	struct file_id id = appender_id(), last;

	play_raw(&stage.storage, (struct fake_answer){ .close = true });
	stage_up(&stage);
	assert_int_equal(fdfs_append(stage.client, &id, SPAN("678"), &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN);
	assert_int_equal(fdfs_finish(stage.client, &id, &last, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN);
	assert_int_equal(
		fdfs_set_metadata(stage.client, &id, true, SPAN("a\x02z"), &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(stage.storage.server), 3);
	stage_down(&stage);
}

TEST(an_appender_gets_a_last_name)
{
	struct file_id id = appender_id(), expected = play_picture_id(), last;

	play_new_id(&stage.storage, &expected);
	add_text("g01");
	stage_up(&stage);
	assert_int_equal(fdfs_finish(stage.client, &id, &last, &stage.err), 0);
	assert_true(file_id_equal(&last, &expected));
	assert_int_equal(fdfs_finish(stage.client, &id, &last, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN);
	stage_down(&stage);
}

TEST(metadata_comes_and_goes)
{
	struct file_id id = play_picture_id();
	struct fdfs_metadata_request request;
	uint8_t bytes[4096];
	struct buf out;

	play_status(&stage.storage, 0);
	add_text("a\x02z");
	play_status(&stage.storage, ENOENT);
	stage_up(&stage);
	assert_int_equal(
		fdfs_set_metadata(stage.client, &id, false, SPAN("a\x02z"), &stage.err), 0);
	assert_true(fdfs_get_metadata_request(stage_last_body(&stage, bytes), &request));
	assert_true(request.flag == 'O' && span_is(request.text, "a\x02z"));
	buf_init(&out, 100);
	assert_int_equal(fdfs_get_metadata(stage.client, &id, &out, &stage.err), 0);
	assert_true(span_is(buf_span(&out), "a\x02z"));
	assert_int_equal(fdfs_get_metadata(stage.client, &id, &out, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_NOT_FOUND);
	buf_fini(&out);
	stage_down(&stage);
}

static void add_slave(void *context, const struct file_id *slave)
{
	buf_printf(context, "%s ", slave->ext);
}

TEST(slaves_are_listed)
{
	struct file_id id = play_picture_id(), one, two;
	char text[300];
	struct buf out;

	assert_true(file_id_slave(&id, "_1", "png", &one) && file_id_slave(&id, "_2", "gif", &two));
	snprintf(text, sizeof text, "%s\n%s\n", one.name, two.name);
	add_text(text);
	text[strlen(text) - 1] = '\0';
	add_text(text);
	stage_up(&stage);
	buf_init(&out, 100);
	assert_int_equal(fdfs_slaves(stage.client, &id, add_slave, &out, &stage.err), 0);
	assert_true(span_is(buf_span(&out), "png gif "));
	assert_int_equal(fdfs_slaves(stage.client, &id, add_slave, &out, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNREACHABLE); /* cut short */
	buf_fini(&out);
	stage_down(&stage);
}

TEST(fastdfs_is_not_asked_for_slaves_again_and_again)
{
	struct file_id id = play_picture_id();

	play_status(&stage.storage, EINVAL);
	stage_up(&stage);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fdfs_slaves(stage.client, &id, add_slave, NULL, &stage.err), -1);
		assert_int_equal(stage.err.code, ERR_UNSUPPORTED);
	}
	assert_int_equal(fake_server_requests(stage.storage.server), 1);
	stage_down(&stage);
}
