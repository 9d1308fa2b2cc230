#include "unit.h"
#include "wire/package.h"

#include <string.h>

#define URL "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"

static struct buf out;

static void begin(void)
{
	buf_fini(&out);
	buf_init(&out, 1 << 20);
}

static const struct package_cut cut = {
	.hostid = 7,
	.url = { URL },
	.clip_w = 100,
	.clip_h = 80,
	.start_x = -5,
	.start_y = 10,
	.thumb_w = 50,
	.thumb_h = 40,
};

TEST(a_header_is_18_bytes_little_endian)
{
	static const uint8_t bytes[] = { 110, 0, 0, 0, 0xbd, 0x0b, 0x11, 0x27, 0, 0, 42, 0, 0, 0, 0,
		0, 0, 0 };
	struct package package;
	uint8_t again[PACKAGE_HEADER_LEN];

	assert_true(package_header_decode(bytes, ORDER_LITTLE, &package));
	assert_int_equal(package.len, 110);
	assert_int_equal(package.cmd, CMD_CUT);
	assert_int_equal(package.id, 10001);
	assert_int_equal(package.seq, 42);
	assert_int_equal(package.ret, 0);
	package_header_encode(&package, ORDER_LITTLE, again);
	assert_memory_equal(again, bytes, sizeof bytes);
}

TEST(a_header_can_be_big_endian)
{
	static const uint8_t bytes[] = { 0, 0, 0, 18, 0x10, 0xb5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
		19 };
	struct package package;

	assert_true(package_header_decode(bytes, ORDER_BIG, &package));
	assert_int_equal(package.cmd, CMD_SESSION);
	assert_int_equal(package.ret, 19);
}

TEST(a_length_below_the_header_is_refused)
{
	uint8_t bytes[PACKAGE_HEADER_LEN] = { 17 };
	struct package package;

	assert_false(package_header_decode(bytes, ORDER_LITTLE, &package));
	bytes[0] = 18;
	assert_true(package_header_decode(bytes, ORDER_LITTLE, &package));
}

TEST(a_package_gets_the_length_that_it_has)
{
	struct package package = { .cmd = CMD_CUT, .id = 1, .seq = 2 }, back;

	for (int order = ORDER_LITTLE; order <= ORDER_BIG; order++) {
		size_t at;

		begin();
		buf_put_u8(&out, 0xff); /* something in front of it */
		at = package_begin(&out, &package, (enum byte_order)order);
		package_cut_encode(&out, (enum byte_order)order, &cut);
		package_end(&out, at, (enum byte_order)order);
		assert_int_equal(out.len, 1 + 18 + 92);
		assert_true(package_header_decode(out.data + 1, (enum byte_order)order, &back));
		assert_int_equal(back.len, 18 + 92);
	}
}

TEST(a_cut_comes_back_as_it_was)
{
	struct package_cut back;

	for (int order = ORDER_LITTLE; order <= ORDER_BIG; order++) {
		begin();
		package_cut_encode(&out, (enum byte_order)order, &cut);
		assert_int_equal(out.len, 92);
		assert_true(package_cut_decode(buf_span(&out), (enum byte_order)order, &back));
		assert_string_equal(back.url.text, URL);
		assert_int_equal(back.start_x, -5);
		assert_int_equal(back.clip_w, 100);
		assert_int_equal(back.thumb_h, 40);
	}
}

TEST(a_cut_of_any_other_length_is_refused)
{
	struct package_cut back;

	begin();
	package_cut_encode(&out, ORDER_LITTLE, &cut);
	assert_false(package_cut_decode(span_of(out.data, 91), ORDER_LITTLE, &back));
	buf_put_u8(&out, 0);
	assert_false(package_cut_decode(buf_span(&out), ORDER_LITTLE, &back));
}

TEST(a_url_may_use_all_64_bytes)
{
	struct package_item item = { .hostid = 1 }, back;

	memset(item.url.text, 'x', PACKAGE_URL_LEN);
	begin();
	package_item_encode(&out, ORDER_LITTLE, &item);
	assert_int_equal(out.len, 68);
	assert_true(package_item_decode(buf_span(&out), ORDER_LITTLE, &back));
	assert_int_equal(strlen(back.url.text), 64);
}

TEST(a_delete_holds_as_many_as_it_says)
{
	struct package_item item = { .hostid = 1, .url = { URL } }, back;
	uint32_t count;

	begin();
	package_put_u32(&out, ORDER_LITTLE, 3);
	for (uint32_t i = 0; i < 3; i++) {
		item.hostid = i;
		package_item_encode(&out, ORDER_LITTLE, &item);
	}
	assert_true(package_delete_decode(buf_span(&out), ORDER_LITTLE, &count));
	assert_int_equal(count, 3);
	package_delete_at(buf_span(&out), ORDER_LITTLE, 2, &back);
	assert_int_equal(back.hostid, 2);
	assert_string_equal(back.url.text, URL);
	buf_put_u8(&out, 0);
	assert_false(package_delete_decode(buf_span(&out), ORDER_LITTLE, &count));
}

TEST(a_count_that_does_not_fit_the_body_is_refused)
{
	static const uint32_t counts[] = { 1, 2, PACKAGE_DELETE_MAX + 1, 0x40000000, UINT32_MAX };
	uint32_t count;

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		begin();
		package_put_u32(&out, ORDER_LITTLE, counts[i]);
		assert_false(package_delete_decode(buf_span(&out), ORDER_LITTLE, &count));
	}
	assert_false(package_delete_decode(SPAN("abc"), ORDER_LITTLE, &count));
}

TEST(a_session_key_has_the_length_that_it_says)
{
	struct package_session session = { .what = SESSION_LOOK, .key = SPAN("0123abcd") }, back;

	begin();
	package_session_encode(&out, ORDER_LITTLE, &session);
	assert_true(package_session_decode(buf_span(&out), ORDER_LITTLE, &back));
	assert_int_equal(back.what, SESSION_LOOK);
	assert_true(span_is(back.key, "0123abcd"));
	assert_false(package_session_decode(
		span_of(out.data, out.len - 1), ORDER_LITTLE, &back)); /* a byte short */
	buf_put_u8(&out, 'x');
	assert_false(package_session_decode(buf_span(&out), ORDER_LITTLE, &back));
	out.data[0] = 9; /* an unknown thing to do */
	out.len--;
	assert_false(package_session_decode(buf_span(&out), ORDER_LITTLE, &back));
}

TEST(a_session_reply_is_eight_bytes)
{
	uint32_t used, left;

	begin();
	package_session_reply_encode(&out, ORDER_LITTLE, 30, 0);
	assert_true(package_session_reply_decode(buf_span(&out), ORDER_LITTLE, &used, &left));
	assert_int_equal(used, 30);
	assert_int_equal(left, 0);
	assert_false(package_session_reply_decode(SPAN("1234567"), ORDER_LITTLE, &used, &left));
	begin();
}
