#include "core/buf.h"
#include "unit.h"

TEST(grows_up_to_its_limit_and_remembers_a_failure)
{
	struct buf buf;

	buf_init(&buf, 8);
	buf_put_be32(&buf, 1);
	buf_put_be32(&buf, 2);
	assert_true(buf_ok(&buf));
	buf_put_u8(&buf, 3);
	assert_false(buf_ok(&buf));
	assert_int_equal(buf.len, 8);
	buf_clear(&buf);
	buf_put_u8(&buf, 3);
	assert_true(buf_ok(&buf));
	buf_fini(&buf);
}

TEST(reads_back_what_it_writes)
{
	struct buf buf;
	struct cursor cursor;
	char field[5];

	buf_init(&buf, 100);
	buf_put_u8(&buf, 0x12);
	buf_put_le16(&buf, 0x1234);
	buf_put_be16(&buf, 0x1234);
	buf_put_le32(&buf, 0x12345678);
	buf_put_be64(&buf, UINT64_C(0x123456789abcdef0));
	buf_put_field(&buf, "ab", 4);
	cursor = cursor_of(buf_span(&buf));
	assert_int_equal(cursor_get_u8(&cursor), 0x12);
	assert_int_equal(cursor_get_le16(&cursor), 0x1234);
	assert_int_equal(cursor_get_be16(&cursor), 0x1234);
	assert_int_equal(cursor_get_le32(&cursor), 0x12345678);
	assert_int_equal(cursor_get_be64(&cursor), UINT64_C(0x123456789abcdef0));
	cursor_get_field(&cursor, field, 4);
	assert_string_equal(field, "ab");
	assert_true(cursor_end(&cursor));
	buf_fini(&buf);
}

TEST(never_reads_past_the_end)
{
	struct cursor cursor = cursor_of(SPAN("abc"));

	assert_int_equal(cursor_get_be32(&cursor), 0);
	assert_false(cursor_ok(&cursor));
	assert_int_equal(cursor_get_u8(&cursor), 0); /* and nothing after that */
	assert_false(cursor_end(&cursor));
}

TEST(refuses_leftover_bytes)
{
	struct cursor cursor = cursor_of(SPAN("abc"));

	cursor_get_be16(&cursor);
	assert_true(cursor_ok(&cursor));
	assert_false(cursor_end(&cursor));
	assert_int_equal(cursor_left(&cursor), 1);
}

TEST(takes_a_field_that_fills_its_width_without_a_nul)
{
	struct cursor cursor = cursor_of(SPAN("abcd"));
	char field[5];

	cursor_get_field(&cursor, field, 4);
	assert_string_equal(field, "abcd");
}

TEST(refuses_a_text_longer_than_its_field)
{
	struct buf buf;

	buf_init(&buf, 100);
	buf_put_field(&buf, "abcde", 4);
	assert_false(buf_ok(&buf));
	buf_fini(&buf);
}

TEST(gives_memory_back_that_is_more_than_is_to_be_kept)
{
	struct buf buf;
	size_t cap;

	buf_init(&buf, 1 << 20);
	buf_put_str(&buf, "some bytes");
	cap = buf.cap;
	buf_trim(&buf, cap);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf.cap, cap);
	buf_put_field(&buf, "long", 2); /* fails */
	buf_trim(&buf, cap - 1);
	assert_int_equal(buf.cap, 0);
	assert_null(buf.data);
	buf_put_str(&buf, "more");
	assert_true(buf_ok(&buf)); /* up to the same limit */
	assert_true(span_is(buf_span(&buf), "more"));
	buf_fini(&buf);
}

TEST(prints_within_its_limit)
{
	struct buf buf;

	buf_init(&buf, 10);
	buf_printf(&buf, "%s-%d", "abc", 42);
	assert_true(span_is(buf_span(&buf), "abc-42"));
	buf_printf(&buf, "%s", "too long for it");
	assert_false(buf_ok(&buf));
	buf_fini(&buf);
}

TEST(compares_spans)
{
	assert_true(span_equal_nocase(SPAN("Content-TYPE"), SPAN("content-type")));
	assert_false(span_equal(SPAN("a"), SPAN("A")));
	assert_false(span_equal_nocase(SPAN("["), SPAN("{")));
	assert_true(span_is(SPAN("abc"), "abc"));
	assert_true(span_equal(span_of(NULL, 0), SPAN("")));
}
