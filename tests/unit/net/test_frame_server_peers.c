/* What a frame server does about peers that are slow, silent, gone, unwanted or too many. */
#include "frame_kit.h"
#include "unit.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(sends_long_replies_to_slow_readers)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	char *got = malloc(KIT_BIG_LEN);
	int fd = net_kit_dial(&f->net);
	struct package package;

	for (uint32_t i = 0; i < 6; i++)
		frame_kit_ask(fd, KIT_BIG, i, "");
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(frame_kit_reply(fd, ORDER_LITTLE, &package, got), KIT_BIG_LEN);
		assert_int_equal(package.seq, i);
		assert_int_equal(got[KIT_BIG_LEN - 1], 'x');
	}
	free(got);
	close(fd);
	frame_kit_stop(f);
}

TEST(replies_to_who_has_shut_down_its_sending_side)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	int fd = net_kit_dial(&f->net);

	frame_kit_ask(fd, KIT_HOLD, 1, "still here");
	frame_kit_ask(fd, KIT_ECHO, 2, "me too");
	shutdown(fd, SHUT_WR);
	frame_kit_wait_held(f, 1);
	frame_kit_release(f, 1);
	frame_kit_expect(fd, KIT_HOLD, 1, RET_OK, "still here");
	frame_kit_expect(fd, KIT_ECHO, 2, RET_OK, "me too");
	net_kit_expect_closed(fd);
	frame_kit_stop(f);
}

TEST(survives_clients_that_leave_before_their_replies)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	struct linger reset = { .l_onoff = 1 };

	for (uint32_t i = 0; i < 3; i++) {
		int fd = net_kit_dial(&f->net);

		frame_kit_ask(fd, KIT_HOLD, 2 * i, "");
		frame_kit_ask(fd, KIT_ECHO, 100, "waits for the one before it");
		frame_kit_ask(fd, KIT_HOLD, 2 * i + 1, "");
		frame_kit_wait_held(f, 2);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	for (uint32_t i = 0; i < 6; i++)
		frame_kit_release(f, 5 - i);
	frame_kit_stop(f);
}

TEST(closes_connections_that_are_silent_within_a_package)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .timeout_ms = 100 });
	int in_header = net_kit_dial(&f->net), in_body = net_kit_dial(&f->net),
	    skipped = net_kit_dial(&f->net), mute = net_kit_dial(&f->net);
	int idle = net_kit_dial(&f->net), served = net_kit_dial(&f->net);
	struct buf out;

	buf_init(&out, 1024);
	frame_kit_put(&out, ORDER_LITTLE, KIT_ECHO, 1, "never whole");
	frame_kit_ask(idle, KIT_ECHO, 1, "");
	frame_kit_ask(served, KIT_HOLD, 2, "takes its time");
	frame_kit_expect(idle, KIT_ECHO, 1, RET_OK, "");
	net_kit_send(in_header, span_of(out.data, 5));
	net_kit_send(in_body, span_of(out.data, out.len - 1));
	out.data[4] = 99;
	net_kit_send(skipped, span_of(out.data, out.len - 1));
	net_kit_expect_closed(in_header);
	net_kit_expect_closed(in_body);
	net_kit_expect_closed(skipped);
	net_kit_expect_closed(mute);
	assert_int_equal(f->net.troubles[NET_TIMED_OUT], 4);
	frame_kit_ask(idle, KIT_ECHO, 2, "still welcome");
	frame_kit_expect(idle, KIT_ECHO, 2, RET_OK, "still welcome");
	frame_kit_wait_held(f, 1);
	frame_kit_release(f, 2);
	frame_kit_expect(served, KIT_HOLD, 2, RET_OK, "takes its time");
	close(idle);
	close(served);
	buf_fini(&out);
	frame_kit_stop(f);
}

TEST(closes_connections_that_do_not_take_their_replies)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .timeout_ms = 100 });
	int fd = net_kit_dial(&f->net), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (uint32_t i = 0; i < 6; i++)
		frame_kit_ask(fd, KIT_BIG, i, "");
	while (f->net.troubles[NET_TIMED_OUT] == 0)
		sched_yield();
	close(fd);
	frame_kit_stop(f);
}

TEST(refuses_addresses_that_are_not_allowed)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .allowed = "10.0.0.0/8" });

	net_kit_expect_closed(net_kit_dial(&f->net));
	assert_int_equal(f->net.troubles[NET_REFUSED], 1);
	frame_kit_stop(f);
}

TEST(with_all_places_taken_a_new_connection_replaces_who_makes_no_use_of_his)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ .connections = 2 });
	int used = net_kit_dial(&f->net), silent = net_kit_dial(&f->net), a, b;

	frame_kit_ask(used, KIT_ECHO, 1, "");
	frame_kit_expect(used, KIT_ECHO, 1, RET_OK, "");
	a = net_kit_dial(&f->net);
	net_kit_expect_closed(silent); /* which is worth less than one that has sent a package */
	frame_kit_ask(a, KIT_ECHO, 2, "");
	frame_kit_expect(a, KIT_ECHO, 2, RET_OK, "");
	b = net_kit_dial(&f->net);
	net_kit_expect_closed(used); /* idle as long as `a` or longer: it came before */
	frame_kit_ask(b, KIT_ECHO, 4, "");
	frame_kit_expect(b, KIT_ECHO, 4, RET_OK, "");
	assert_int_equal(f->net.troubles[NET_REPLACED], 2);
	assert_int_equal(f->net.troubles[NET_TOO_MANY], 0);
	close(a);
	close(b);
	frame_kit_stop(f);
}

TEST(answers_what_it_has_before_it_stops)
{
	struct frame_kit *f = frame_kit_start(&(struct frame_wish){ 0 });
	int busy = net_kit_dial(&f->net), idle = net_kit_dial(&f->net),
	    halfway = net_kit_dial(&f->net);
	struct buf out;

	buf_init(&out, 1024);
	frame_kit_put(&out, ORDER_LITTLE, KIT_ECHO, 1, "half");
	net_kit_send(halfway, span_of(out.data, out.len - 1));
	frame_kit_ask(idle, KIT_ECHO, 1, "");
	frame_kit_expect(idle, KIT_ECHO, 1, RET_OK, "");
	frame_kit_ask(busy, KIT_HOLD, 1, "one");
	frame_kit_ask(busy, KIT_HOLD, 2, "two");
	frame_kit_wait_held(f, 2);
	net_loop_stop(f->net.loop);
	net_kit_expect_closed(idle);
	net_kit_expect_closed(halfway);
	frame_kit_release(f, 2);
	frame_kit_release(f, 1);
	frame_kit_expect(busy, KIT_HOLD, 1, RET_OK, "one");
	frame_kit_expect(busy, KIT_HOLD, 2, RET_OK, "two");
	net_kit_expect_closed(busy);
	buf_fini(&out);
	frame_kit_join(f);
}
