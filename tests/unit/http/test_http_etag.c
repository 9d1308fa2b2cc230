#include "http/http_etag.h"
#include "unit.h"

static bool listed(const char *list)
{
	return http_etag_listed(span_str(list), span_str("\"abc\""));
}

TEST(finds_a_tag_in_a_list)
{
	assert_true(listed("\"abc\""));
	assert_true(listed("W/\"abc\""));
	assert_true(listed("\"x\", \"abc\""));
	assert_true(listed("\"x\",\t\"abc\" , \"y\""));
	assert_true(listed("W/\"x\",W/\"abc\""));
	assert_true(listed(" , \"abc\""));
	assert_true(listed("*"));
}

TEST(finds_no_other_tag)
{
	assert_false(listed(""));
	assert_false(listed("\"ab\""));
	assert_false(listed("\"abcd\""));
	assert_false(listed("\"ABC\""));
	assert_false(listed("abc"));
	assert_false(listed("\"x\", *"));
	assert_false(listed("w/\"abc\"")); /* the W is a capital */
}

TEST(stops_at_what_is_no_tag)
{
	assert_true(listed("\"abc\", nonsense"));
	assert_false(listed("nonsense, \"abc\""));
	assert_false(listed("\"abc"));
	assert_false(listed("\""));
	assert_false(listed("W/"));
	assert_false(listed("\"x\"\"abc"));
}
