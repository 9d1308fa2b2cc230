#include "net/frame_client.h"

#include "fake_server.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CMD = 77 };

static size_t whole(const uint8_t *bytes, size_t len)
{
	if (len < PACKAGE_HEADER_LEN || len < load_le32(bytes))
		return 0;
	return load_le32(bytes);
}

static struct fake_answer answer(uint32_t seq, enum ret ret, const char *body)
{
	struct package package = { .cmd = CMD, .id = 10001, .seq = seq, .ret = ret };
	struct buf out;
	size_t at;

	buf_init(&out, 1000);
	at = package_begin(&out, &package, ORDER_LITTLE);
	buf_put_str(&out, body);
	package_end(&out, at, ORDER_LITTLE);
	return (struct fake_answer){ .data = out.data, .len = out.len };
}

static struct frame_client *client_of(const char *address, int64_t timeout_ms)
{
	struct frame_client_conf conf = {
		.address = address,
		.connect_ms = 5000,
		.timeout_ms = timeout_ms,
		.max_package = 1000,
	};
	struct frame_client *client = frame_client_new(&conf, NULL);

	assert_non_null(client);
	return client;
}

static int call(
	struct frame_client *client, enum frame_repeat repeat, struct buf *reply, struct err *err)
{
	struct frame_call what = { CMD, 10001, SPAN("how are you"), repeat };

	return frame_client_call(client, &what, reply, err);
}

static void free_answers(struct fake_answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)answers[i].data);
}

TEST(brings_a_package_there_and_its_reply_back)
{
	struct fake_answer answers[] = { answer(1, RET_OK, "fine"), answer(2, RET_OK, ""),
		answer(3, RET_GONE, "") };
	struct fake_server *server = fake_server_start(whole, answers, 3);
	struct frame_client *client = client_of(fake_server_address(server), 10000);
	struct err err = { 0 };
	struct buf reply;
	uint8_t last[4096];

	answers[0].bytewise = true;
	buf_init(&reply, 100);
	assert_int_equal(call(client, FRAME_ONCE, &reply, &err), 0);
	assert_true(span_is(buf_span(&reply), "fine"));
	assert_int_equal(fake_server_last(server, last), PACKAGE_HEADER_LEN + 11);
	assert_memory_equal(last, "\x1d\0\0\0\x4d\0\x11\x27\0\0\1\0\0\0\0\0\0\0how are you", 29);
	assert_int_equal(call(client, FRAME_ONCE, &reply, &err), 0);
	assert_int_equal(reply.len, 0);
	assert_int_equal(call(client, FRAME_ONCE, NULL, &err), -1);
	assert_int_equal(err.code, ERR_GONE);
	assert_int_equal(fake_server_connections(server), 1);
	buf_fini(&reply);
	frame_client_free(client);
	fake_server_stop(server);
	free_answers(answers, 3);
}

TEST(makes_a_new_connection_when_the_idle_one_has_ended)
{
	struct fake_answer answers[] = { answer(1, RET_OK, ""), answer(2, RET_OK, "") };
	struct fake_server *server = fake_server_start(whole, answers, 2);
	struct frame_client *client = client_of(fake_server_address(server), 10000);

	assert_int_equal(call(client, FRAME_ONCE, NULL, NULL), 0);
	fake_server_hang_up(server);
	assert_int_equal(call(client, FRAME_ONCE, NULL, NULL), 0);
	assert_int_equal(fake_server_connections(server), 2);
	frame_client_free(client);
	fake_server_stop(server);
	free_answers(answers, 2);
}

TEST(repeats_only_what_may_be_done_twice)
{
	struct fake_answer answers[] = { answer(1, RET_OK, ""), { .close = true },
		answer(2, RET_OK, ""), { .close = true }, answer(3, RET_OK, "") };
	struct fake_server *server = fake_server_start(whole, answers, 5);
	struct frame_client *client = client_of(fake_server_address(server), 10000);
	struct err err = { 0 };

	assert_int_equal(call(client, FRAME_ONCE, NULL, &err), 0);
	assert_int_equal(call(client, FRAME_REPEAT, NULL, &err), 0); /* the second time */
	assert_int_equal(call(client, FRAME_ONCE, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(server), 4);
	frame_client_free(client);
	fake_server_stop(server);
	free_answers(answers, 5);
}

TEST(says_that_nobody_answers)
{
	struct fake_answer hang = { .hang = true };
	struct fake_server *server = fake_server_start(whole, &hang, 1);
	struct frame_client *client = client_of(fake_server_address(server), 50);
	struct err err = { 0 };
	char dead[32];

	assert_int_equal(call(client, FRAME_REPEAT, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	frame_client_free(client);
	fake_server_stop(server);
	snprintf(dead, sizeof dead, "127.0.0.1:%u", fake_server_dead_port());
	client = client_of(dead, 10000);
	assert_int_equal(call(client, FRAME_REPEAT, NULL, &err), -1);
	assert_int_equal(err.code, ERR_SERVICE_DOWN);
	frame_client_free(client);
}

TEST(refuses_replies_that_make_no_sense)
{
	struct fake_answer answers[] = {
		answer(2, RET_OK, ""), /* another's */
		{ .data = "\x11\0\0\0\x4d\0\x11\x27\0\0\2\0\0\0\0\0\0\0", .len = 18 }, /* 17 long */
		{ .data = "\xff\xff\xff\xff\x4d\0\x11\x27\0\0\3\0\0\0\0\0\0\0", .len = 18 },
		{ .data = "\0\0\0\x12\0\x4d\0\0\x27\x11\0\0\0\4\0\0\0\0",
			.len = 18 }, /* big endian */
		{ .data = "\x12\0\0\0\x4e\0\x11\x27\0\0\5\0\0\0\0\0\0\0", .len = 18 }, /* command */
		{ .data = "\x13\0\0\0\x4d\0\x11\x27\0\0\6\0\0\0\0\0\0\0",
			.len = 18,
			.close = true },
		answer(7, 4711, ""),
	};
	struct fake_server *server = fake_server_start(whole, answers, 7);
	struct frame_client *client = client_of(fake_server_address(server), 10000);
	struct err err = { 0 };

	for (int i = 0; i < 5; i++) {
		assert_int_equal(call(client, FRAME_ONCE, NULL, &err), -1);
		assert_int_equal(err.code, ERR_CORRUPT);
	}
	assert_int_equal(call(client, FRAME_ONCE, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_int_equal(call(client, FRAME_ONCE, NULL, &err), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
	frame_client_free(client);
	fake_server_stop(server);
	free((void *)(uintptr_t)answers[0].data);
	free((void *)(uintptr_t)answers[6].data);
}

TEST(refuses_what_is_no_address)
{
	struct frame_client_conf conf = { .address = "nowhere" };
	struct err err = { 0 };

	assert_null(frame_client_new(&conf, &err));
	assert_int_equal(err.code, ERR_CONFIG);
}
