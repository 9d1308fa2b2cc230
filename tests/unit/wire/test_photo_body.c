#include "unit.h"
#include "wire/photo_body.h"

#include <string.h>

static const struct photo photo = { .photoid = 5,
	.uid = 10001,
	.albumid = 3,
	.channel = 7,
	.is_head = true,
	.state = PHOTO_STORED,
	.type = 1,
	.width = 1024,
	.height = 768,
	.crc = 0x4019bf47,
	.length = 771347,
	.time = 1549867346,
	.ip = { 10, 1, 1, 197 },
	.name = "2m.jpg",
	.url = "g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg" };

static void assert_same(const struct photo *a, const struct photo *b)
{
	assert_int_equal(a->photoid, b->photoid);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->albumid, b->albumid);
	assert_int_equal(a->channel, b->channel);
	assert_int_equal(a->is_head, b->is_head);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->width, b->width);
	assert_int_equal(a->height, b->height);
	assert_int_equal(a->crc, b->crc);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->time, b->time);
	assert_memory_equal(a->ip, b->ip, 4);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->url, b->url);
}

TEST(a_photo_reads_back_in_both_orders)
{
	for (int order = ORDER_LITTLE; order <= ORDER_BIG; order++) {
		struct photo again;
		struct buf body;

		buf_init(&body, PHOTO_ENCODED_MAX);
		photo_encode(&body, (enum byte_order)order, &photo);
		assert_true(buf_ok(&body));
		assert_int_equal(body.len, 58 + 2 + 6 + 2 + 48);
		assert_true(photo_decode(buf_span(&body), (enum byte_order)order, &again));
		assert_same(&photo, &again);
		buf_fini(&body);
	}
}

TEST(the_bytes_of_a_photo_are_those_of_the_table)
{
	static const uint8_t front[] = { 5, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x27, 0, 0, 3, 0, 0, 0, 7, 0,
		0, 0, 1, 0, 1, 0, 1, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0x47, 0xbf, 0x19, 0x40, 0x13, 0xc5,
		0x0b, 0, 0, 0, 0, 0, 0x52, 0x19, 0x61, 0x5c, 0, 0, 0, 0, 10, 1, 1, 197, 6, 0, '2' };
	struct buf body;

	buf_init(&body, PHOTO_ENCODED_MAX);
	photo_encode(&body, ORDER_LITTLE, &photo);
	assert_memory_equal(body.data, front, sizeof front);
	buf_fini(&body);
}

TEST(a_body_of_another_length_is_refused)
{
	struct photo again = { .uid = 42 };
	struct buf body;

	buf_init(&body, 1000);
	photo_encode(&body, ORDER_LITTLE, &photo);
	for (size_t len = 0; len < body.len; len++)
		assert_false(photo_decode(span_of(body.data, len), ORDER_LITTLE, &again));
	buf_put_u8(&body, 0);
	assert_false(photo_decode(buf_span(&body), ORDER_LITTLE, &again));
	assert_int_equal(again.uid, 42); /* left alone */
	buf_fini(&body);
}

TEST(each_request_reads_back)
{
	for (uint16_t cmd = CMD_PHOTO_GET; cmd <= CMD_PHOTO_LIST_ALL; cmd++) {
		struct photo_request request = { .cmd = cmd,
			.photoid = 9,
			.uid = 1,
			.albumid = 2,
			.what = 3,
			.limit = 1000,
			.flags = 1,
			.states = 15,
			.text = "a" };
		struct photo_request again;
		struct buf body, twice;

		buf_init(&body, 1000);
		buf_init(&twice, 1000);
		photo_request_encode(&body, ORDER_BIG, &request);
		assert_true(photo_request_decode(cmd, buf_span(&body), ORDER_BIG, &again));
		photo_request_encode(&twice, ORDER_BIG, &again);
		assert_true(span_equal(buf_span(&body), buf_span(&twice)));
		buf_put_u8(&body, 0);
		assert_false(photo_request_decode(cmd, buf_span(&body), ORDER_BIG, &again));
		buf_fini(&body);
		buf_fini(&twice);
	}
}

TEST(text_is_utf8_without_nul)
{
	static const struct {
		const char *text;
		size_t len;
		bool ok;
		const char *clean;
	} cases[] = {
		{ "", 0, true, "" },
		{ "gr\xc3\xb6\xc3\x9f", 6, true, "gr\xc3\xb6\xc3\x9f" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80", 7, true, "\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\0b", 3, false, "a?b" },
		{ "\xff", 1, false, "?" },
		{ "\xc3", 1, false, "?" },
		{ "\xc0\xaf", 2, false, "??" },
		{ "\xed\xa0\x80", 3, false, "???" },
		{ "\xf4\x90\x80\x80", 4, false, "????" },
		{ "\xe2\x82x", 3, false, "??x" },
	};
	char clean[PHOTO_TEXT_MAX + 1];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span text = span_of(cases[i].text, cases[i].len);

		assert_int_equal(photo_text_ok(text), cases[i].ok);
		photo_text_clean(text, clean);
		assert_string_equal(clean, cases[i].clean);
	}
}

TEST(a_long_text_is_cut_at_a_whole_character)
{
	char text[300], clean[PHOTO_TEXT_MAX + 1];

	memset(text, 'a', 254);
	memcpy(text + 254, "\xc3\xb6", 2);
	assert_false(photo_text_ok(span_of(text, 256)));
	photo_text_clean(span_of(text, 256), clean);
	assert_int_equal(strlen(clean), 254);
}
