/* What packages a frame server takes, and how it answers them. */
#include "frame_kit.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(answers_packages_however_they_are_cut)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	struct buf out;

	buf_init(&out, 1024);
	frame_kit_put(&out, ORDER_LITTLE, KIT_ECHO, 1, "abc");
	frame_kit_put(&out, ORDER_LITTLE, 99, 2, "defg");
	frame_kit_put(&out, ORDER_LITTLE, KIT_THREAD, 3, "hij");
	frame_kit_put(&out, ORDER_LITTLE, CMD_PING, 4, "");
	frame_kit_put(&out, ORDER_LITTLE, KIT_FAIL, 5, "");
	frame_kit_put(&out, ORDER_LITTLE, KIT_ECHO, 6, "");
	for (size_t cut = 1; cut < out.len; cut++) {
		int fd = net_kit_dial(&f->net);

		net_kit_send(fd, span_of(out.data, cut));
		net_kit_send(fd, span_of(out.data + cut, out.len - cut));
		frame_kit_expect(fd, KIT_ECHO, 1, RET_OK, "abc");
		frame_kit_expect(fd, 99, 2, RET_UNSUPPORTED, "");
		frame_kit_expect(fd, KIT_THREAD, 3, RET_OK, "hij");
		frame_kit_expect(fd, CMD_PING, 4, RET_OK, "");
		frame_kit_expect(fd, KIT_FAIL, 5, RET_GONE, "");
		frame_kit_expect(fd, KIT_ECHO, 6, RET_OK, "");
		close(fd);
	}
	for (int fd = net_kit_dial(&f->net), once = 1; once; once = 0) {
		for (size_t i = 0; i < out.len; i++)
			net_kit_send(fd, span_of(out.data + i, 1));
		frame_kit_expect(fd, KIT_ECHO, 1, RET_OK, "abc");
		frame_kit_expect(fd, 99, 2, RET_UNSUPPORTED, "");
		frame_kit_expect(fd, KIT_THREAD, 3, RET_OK, "hij");
		close(fd);
	}
	assert_int_equal(f->refused[RET_UNSUPPORTED], out.len);
	buf_fini(&out);
	frame_kit_stop(f);
}

TEST(answers_ten_thousand_packages_in_one_write)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	int fd = net_kit_dial(&f->net);
	struct buf out;

	buf_init(&out, 1 << 20);
	for (uint32_t i = 0; i < 10000; i++)
		frame_kit_put(&out, ORDER_LITTLE, i % 50 == 0 ? KIT_THREAD : KIT_ECHO, i, "glued");
	net_kit_send(fd, buf_span(&out));
	for (uint32_t i = 0; i < 10000; i++)
		frame_kit_expect(fd, i % 50 == 0 ? KIT_THREAD : KIT_ECHO, i, RET_OK, "glued");
	buf_fini(&out);
	close(fd);
	frame_kit_stop(f);
}

TEST(keeps_replies_in_the_order_of_their_requests)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	int fd = net_kit_dial(&f->net);

	frame_kit_ask(fd, KIT_HOLD, 1, "one");
	frame_kit_ask(fd, KIT_ECHO, 2, "two");
	frame_kit_ask(fd, KIT_HOLD, 3, "three");
	frame_kit_wait_held(f, 2);
	frame_kit_release(f, 3);
	frame_kit_release(f, 1);
	frame_kit_expect(fd, KIT_HOLD, 1, RET_OK, "one");
	frame_kit_expect(fd, KIT_ECHO, 2, RET_OK, "two");
	frame_kit_expect(fd, KIT_HOLD, 3, RET_OK, "three");
	close(fd);
	frame_kit_stop(f);
}

TEST(lets_replies_pass_each_other_when_told_so)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .any_order = true });
	int fd = net_kit_dial(&f->net);

	frame_kit_ask(fd, KIT_HOLD, 1, "one");
	frame_kit_ask(fd, KIT_ECHO, 2, "two");
	frame_kit_ask(fd, KIT_HOLD, 3, "three");
	frame_kit_expect(fd, KIT_ECHO, 2, RET_OK, "two");
	frame_kit_wait_held(f, 2);
	frame_kit_release(f, 3);
	frame_kit_expect(fd, KIT_HOLD, 3, RET_OK, "three");
	frame_kit_release(f, 1);
	frame_kit_expect(fd, KIT_HOLD, 1, RET_OK, "one");
	close(fd);
	frame_kit_stop(f);
}

TEST(begins_no_more_of_a_connection_than_may_be_in_flight)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .any_order = true });
	int fd = net_kit_dial(&f->net), other = net_kit_dial(&f->net);
	int held;

	for (uint32_t i = 0; i < 2 * KIT_IN_FLIGHT; i++)
		frame_kit_ask(fd, KIT_HOLD, i, "");
	frame_kit_wait_held(f, KIT_IN_FLIGHT);
	frame_kit_ask(other, KIT_ECHO, 1, "goes on"); /* by then the loop has looked at all of fd */
	frame_kit_expect(other, KIT_ECHO, 1, RET_OK, "goes on");
	pthread_mutex_lock(&f->lock);
	held = f->held_count;
	pthread_mutex_unlock(&f->lock);
	assert_int_equal(held, KIT_IN_FLIGHT);
	for (uint32_t i = 0; i < 2 * KIT_IN_FLIGHT; i++) {
		if (i >= KIT_IN_FLIGHT)
			frame_kit_wait_held(f, 1);
		frame_kit_release(f, i);
		frame_kit_expect(fd, KIT_HOLD, i, RET_OK, "");
	}
	close(fd);
	close(other);
	frame_kit_stop(f);
}

TEST(closes_behind_a_length_that_cannot_be)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	struct package package = { .len = PACKAGE_HEADER_LEN - 1, .cmd = KIT_ECHO };
	uint8_t header[PACKAGE_HEADER_LEN];
	int fd = net_kit_dial(&f->net);

	frame_kit_ask(fd, KIT_THREAD, 7, "this one is answered");
	package_header_encode(&package, ORDER_LITTLE, header);
	net_kit_send(fd, span_of(header, sizeof header));
	frame_kit_expect(fd, KIT_THREAD, 7, RET_OK, "this one is answered");
	net_kit_expect_closed(fd);
	frame_kit_stop(f);
}

TEST(refuses_and_closes_behind_a_package_that_is_too_long)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	struct package package = { .len = UINT32_MAX, .cmd = KIT_ECHO, .id = 10001, .seq = 8 };
	uint8_t header[PACKAGE_HEADER_LEN];
	char junk[4096] = { 0 };
	int fd = net_kit_dial(&f->net);

	package_header_encode(&package, ORDER_LITTLE, header);
	frame_kit_ask(fd, KIT_HOLD, 7, "in turn");
	net_kit_send(fd, span_of(header, sizeof header));
	net_kit_send(fd, span_of(junk, sizeof junk));
	frame_kit_wait_held(f, 1);
	frame_kit_release(f, 7);
	frame_kit_expect(fd, KIT_HOLD, 7, RET_OK, "in turn");
	frame_kit_expect(fd, KIT_ECHO, 8, RET_TOO_LARGE, "");
	net_kit_expect_closed(fd);
	assert_int_equal(f->refused[RET_TOO_LARGE], 1);
	frame_kit_stop(f);
}

TEST(speaks_big_endian_when_told_so)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .order = ORDER_BIG });
	struct package package;
	char body[16];
	struct buf out;
	int fd = net_kit_dial(&f->net);

	buf_init(&out, 1024);
	frame_kit_put(&out, ORDER_BIG, KIT_ECHO, 0x01020304, "big");
	assert_int_equal(out.data[3], PACKAGE_HEADER_LEN + 3);
	net_kit_send(fd, buf_span(&out));
	assert_int_equal(frame_kit_reply(fd, ORDER_BIG, &package, body), 3);
	assert_int_equal(package.seq, 0x01020304);
	assert_memory_equal(body, "big", 3);
	buf_fini(&out);
	close(fd);
	frame_kit_stop(f);
}

TEST(shares_memory_among_long_bodies)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	char *body = calloc(1, 150001);
	char *got = malloc(150000);
	struct package package;
	int fds[4];

	memset(body, 'b', 150000);
	for (uint32_t i = 0; i < 4; i++) {
		fds[i] = net_kit_dial(&f->net);
		frame_kit_ask(fds[i], KIT_HOLD, i, body); /* two do not fit 250000 bytes */
	}
	for (int i = 0; i < 4; i++) {
		uint32_t seq;

		frame_kit_wait_held(f, 1);
		pthread_mutex_lock(&f->lock);
		assert_int_equal(f->held_count, i + 1);
		seq = f->held[i]->package.seq;
		pthread_mutex_unlock(&f->lock);
		frame_kit_release(f, seq);
		assert_int_equal(frame_kit_reply(fds[seq], ORDER_LITTLE, &package, got), 150000);
		assert_memory_equal(got, body, 150000);
		close(fds[seq]);
	}
	free(body);
	free(got);
	frame_kit_stop(f);
}
