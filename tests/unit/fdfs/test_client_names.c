#include "fdfs/client_names.h"

#include "play.h"

#include <errno.h>

static const char log_name[] = "g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log";
static struct play tracker, storage;
static struct fdfs_client *client;
static struct err err;

/* A tracker that always names one storage, and a client. */
static void stage_up(void)
{
	struct fdfs_route route = { .group = "g01", .count = 1, .to = { { "127.0.0.1", 0 } } };
	struct buf body;

	start(&storage);
	route.to[0].port = fake_server_port(storage.server);
	buf_init(&body, CLEAR);
	fdfs_put_fetch(&body, FDFS_IP_16, &route);
	add(&tracker, 0, &body);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 5000);
	err = (struct err){ 0 };
}

static void stage_down(void)
{
	fdfs_client_free(client);
	end(&tracker);
	end(&storage);
}

static struct file_id appender_id(void)
{
	struct file_id id;

	assert_true(file_id_parse(span_str(log_name), &id));
	return id;
}

static void add_text(const char *text)
{
	struct buf body;

	buf_init(&body, CLEAR);
	buf_put_str(&body, text);
	add(&storage, 0, &body);
}

static void add_id(const struct file_id *id)
{
	struct fdfs_file_request file = { .name = span_of(id->name, id->name_len) };
	struct buf body;

	memcpy(file.group, id->group, sizeof file.group);
	buf_init(&body, CLEAR);
	fdfs_put_upload_reply(&body, &file);
	add(&storage, 0, &body);
}

static struct span last_body(uint8_t bytes[4096])
{
	size_t len = fake_server_last(storage.server, bytes);

	assert_true(len >= FDFS_HEADER_LEN);
	return span_of(bytes + FDFS_HEADER_LEN, len - FDFS_HEADER_LEN);
}

TEST(a_slave_has_the_name_that_follows_from_its_master)
{
	struct file_id master = picture_id(), slave, expected;
	struct fdfs_slave_request request;
	uint8_t bytes[4096];

	assert_true(file_id_slave(&master, "_1", "png", &expected));
	add_id(&expected);
	add_id(&master);
	stage_up();
	assert_int_equal(
		fdfs_upload_slave(client, &master, "_1", "png", SPAN("slave"), &slave, &err), 0);
	assert_true(file_id_equal(&slave, &expected));
	assert_true(fdfs_get_slave_request(last_body(bytes), &request));
	assert_true(span_is(request.content, "slave") && span_is(request.master, master.name));
	assert_int_equal(
		fdfs_upload_slave(client, &master, "_1", "png", SPAN("slave"), &slave, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN); /* another name */
	assert_int_equal(
		fdfs_upload_slave(client, &master, "-m", "", SPAN("slave"), &slave, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(fake_server_requests(storage.server), 2);
	stage_down();
}

TEST(statuses_are_told)
{
	static const struct {
		uint8_t status;
		enum err_code code;
	} told[] = { { EEXIST, ERR_EXISTS }, { ENOENT, ERR_NOT_FOUND }, { EINVAL, ERR_BAD_REQUEST },
		{ ENOSPC, ERR_FULL } };
	struct file_id master = picture_id(), slave;

	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
		add(&storage, told[i].status, NULL);
		stage_up();
		assert_int_equal(
			fdfs_upload_slave(client, &master, "_1", "png", SPAN("x"), &slave, &err),
			-1);
		assert_int_equal(err.code, told[i].code);
		stage_down();
	}
}

TEST(changes_say_what_they_change)
{
	struct file_id id = appender_id();
	struct fdfs_change_request request;
	uint8_t bytes[4096];

	add(&storage, 0, NULL);
	stage_up();
	assert_int_equal(fdfs_append(client, &id, SPAN("678"), &err), 0);
	assert_true(fdfs_get_change_request(FDFS_APPEND, last_body(bytes), &request));
	assert_true(span_is(request.content, "678") && span_is(request.name, id.name));
	assert_int_equal(fdfs_modify(client, &id, 2, SPAN("XY"), &err), 0);
	assert_true(fdfs_get_change_request(FDFS_MODIFY, last_body(bytes), &request));
	assert_true(request.offset == 2 && span_is(request.content, "XY"));
	assert_int_equal(fdfs_truncate(client, &id, 4, &err), 0);
	assert_true(fdfs_get_change_request(FDFS_TRUNCATE, last_body(bytes), &request));
	assert_int_equal(request.size, 4);
	stage_down();
}

TEST(a_change_whose_answer_is_lost_is_not_repeated)
{
	struct file_id id = appender_id(), last;
	int requests;

	add(&storage, 0, NULL)->close = true;
	storage.answers[0].data = NULL;
	stage_up();
	assert_int_equal(fdfs_append(client, &id, SPAN("678"), &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_int_equal(fdfs_finish(client, &id, &last, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_int_equal(fdfs_set_metadata(client, &id, true, SPAN("a\x02z"), &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	requests = fake_server_requests(storage.server);
	assert_int_equal(requests, 3);
	stage_down();
}

TEST(an_appender_gets_a_last_name)
{
	struct file_id id = appender_id(), expected = picture_id(), last;

	add_id(&expected);
	add_text("g01");
	stage_up();
	assert_int_equal(fdfs_finish(client, &id, &last, &err), 0);
	assert_true(file_id_equal(&last, &expected));
	assert_int_equal(fdfs_finish(client, &id, &last, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	stage_down();
}

TEST(metadata_comes_and_goes)
{
	struct file_id id = picture_id();
	struct fdfs_metadata_request request;
	uint8_t bytes[4096];
	struct buf out;

	add(&storage, 0, NULL);
	add_text("a\x02z");
	add(&storage, ENOENT, NULL);
	stage_up();
	assert_int_equal(fdfs_set_metadata(client, &id, false, SPAN("a\x02z"), &err), 0);
	assert_true(fdfs_get_metadata_request(last_body(bytes), &request));
	assert_true(request.flag == 'O' && span_is(request.text, "a\x02z"));
	buf_init(&out, 100);
	assert_int_equal(fdfs_get_metadata(client, &id, &out, &err), 0);
	assert_true(span_is(buf_span(&out), "a\x02z"));
	assert_int_equal(fdfs_get_metadata(client, &id, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	buf_fini(&out);
	stage_down();
}

static void add_slave(void *context, const struct file_id *slave)
{
	buf_printf(context, "%s ", slave->ext);
}

TEST(slaves_are_listed)
{
	struct file_id id = picture_id(), one, two;
	char text[300];
	struct buf out;

	assert_true(file_id_slave(&id, "_1", "png", &one) && file_id_slave(&id, "_2", "gif", &two));
	snprintf(text, sizeof text, "%s\n%s\n", one.name, two.name);
	add_text(text);
	text[strlen(text) - 1] = '\0';
	add_text(text);
	stage_up();
	buf_init(&out, 100);
	assert_int_equal(fdfs_slaves(client, &id, add_slave, &out, &err), 0);
	assert_true(span_is(buf_span(&out), "png gif "));
	assert_int_equal(fdfs_slaves(client, &id, add_slave, &out, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE); /* cut short */
	buf_fini(&out);
	stage_down();
}

TEST(fastdfs_is_not_asked_for_slaves_again_and_again)
{
	struct file_id id = picture_id();

	add(&storage, EINVAL, NULL);
	stage_up();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fdfs_slaves(client, &id, add_slave, NULL, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
	}
	assert_int_equal(fake_server_requests(storage.server), 1);
	stage_down();
}
