#include "fdfs/metadata_text.h"

#include "unit.h"

#include <string.h>

static char result[70000];

static const char *change(enum metadata_flag flag, const char *old, const char *text)
{
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, sizeof result - 1);
	if (metadata_change(flag, span_str(old), span_str(text), &out, &err) != 0) {
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_int_equal(out.len, 0);
		buf_fini(&out);
		return "refused";
	}
	if (out.len > 0)
		memcpy(result, out.data, out.len);
	result[out.len] = '\0';
	buf_fini(&out);
	return result;
}

TEST(sorts_by_key)
{
	assert_string_equal(change(METADATA_REPLACE, "x\x02y",
				    "width\x02"
				    "100\x01height\x02"
				    "80"),
		"height\x02"
		"80\x01width\x02"
		"100");
	assert_string_equal(change(METADATA_REPLACE, "",
				    "ab\x02"
				    "1\x01"
				    "a\x02"
				    "2\x01"
				    "B\x02"
				    "3"),
		"B\x02"
		"3\x01"
		"a\x02"
		"2\x01"
		"ab\x02"
		"1");
}

TEST(merges_by_key)
{
	assert_string_equal(change(METADATA_MERGE,
				    "height\x02"
				    "80\x01width\x02"
				    "100",
				    "width\x02"
				    "999\x01"
				    "author\x02me"),
		"author\x02me\x01height\x02"
		"80\x01width\x02"
		"999");
	assert_string_equal(change(METADATA_MERGE,
				    "a\x02"
				    "1",
				    ""),
		"a\x02"
		"1");
	assert_string_equal(change(METADATA_MERGE, "",
				    "a\x02"
				    "1"),
		"a\x02"
		"1");
}

TEST(the_later_of_two_counts)
{
	assert_string_equal(change(METADATA_REPLACE, "",
				    "a\x02"
				    "1\x01"
				    "b\x02"
				    "x\x01"
				    "a\x02"
				    "2\x01"
				    "a\x02"
				    "3"),
		"a\x02"
		"3\x01"
		"b\x02x");
}

TEST(passes_over_what_is_no_record)
{
	assert_string_equal(change(METADATA_REPLACE, "",
				    "no mark\x01\x01\x02value\x01"
				    "a\x02"
				    "1\x01"),
		"a\x02"
		"1");
	assert_string_equal(change(METADATA_REPLACE,
				    "a\x02"
				    "1",
				    ""),
		"");
	assert_string_equal(change(METADATA_REPLACE,
				    "a\x02"
				    "1",
				    "nothing"),
		"");
	assert_string_equal(change(METADATA_REPLACE, "", "a\x02"), "a\x02"); /* an empty value */
	assert_string_equal(change(METADATA_REPLACE, "",
				    "a\x02"
				    "1\x02"
				    "2"),
		"a\x02"
		"1\x02"
		"2");
}

TEST(keys_and_values_have_a_greatest_length)
{
	char text[400];

	memset(text, 'k', sizeof text);
	text[64] = 2;
	text[65 + 256] = '\0';
	assert_int_equal(strlen(change(METADATA_REPLACE, "", text)), 65 + 256);
	text[65 + 256] = 'v';
	text[65 + 257] = '\0';
	assert_string_equal(change(METADATA_REPLACE, "", text), "refused");
	memset(text, 'k', sizeof text);
	strcpy(text + 65, "\x02v");
	assert_string_equal(change(METADATA_MERGE, "", text), "refused");
}

TEST(reads_record_by_record)
{
	struct span text = span_str("a\x02"
				    "1\x01nothing\x01"
				    "b\x02"),
		    key, value;

	assert_true(metadata_next(&text, &key, &value));
	assert_true(span_is(key, "a") && span_is(value, "1"));
	assert_true(metadata_next(&text, &key, &value));
	assert_true(span_is(key, "b") && value.len == 0);
	assert_false(metadata_next(&text, &key, &value));
}
