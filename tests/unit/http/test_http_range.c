#include "http/http_range.h"
#include "unit.h"

#include <inttypes.h>
#include <string.h>

static void check(const char *text, uint64_t size, enum http_range want, uint64_t want_first,
	uint64_t want_len)
{
	uint64_t first = 0, len = 0;
	enum http_range got = http_range_parse(span_str(text), size, &first, &len);

	if (got != want || first != want_first || len != want_len)
		fail_msg("'%s' of %" PRIu64 ": %d %" PRIu64 "+%" PRIu64, text, size, got, first,
			len);
}

TEST(takes_one_range)
{
	check("bytes=0-0", 10, HTTP_RANGE_PART, 0, 1);
	check("bytes=0-9", 10, HTTP_RANGE_PART, 0, 10);
	check("bytes=3-5", 10, HTTP_RANGE_PART, 3, 3);
	check("bytes=3-", 10, HTTP_RANGE_PART, 3, 7);
	check("bytes=9-9", 10, HTTP_RANGE_PART, 9, 1);
	check("Bytes=3-5", 10, HTTP_RANGE_PART, 3, 3);
}

TEST(cuts_a_range_at_the_end)
{
	check("bytes=3-10", 10, HTTP_RANGE_PART, 3, 7);
	check("bytes=3-99999999999999999999999999", 10, HTTP_RANGE_PART, 3, 7);
	check("bytes=3-18446744073709551615", 10, HTTP_RANGE_PART, 3, 7);
}

TEST(takes_the_last_bytes)
{
	check("bytes=-1", 10, HTTP_RANGE_PART, 9, 1);
	check("bytes=-10", 10, HTTP_RANGE_PART, 0, 10);
	check("bytes=-11", 10, HTTP_RANGE_PART, 0, 10);
	check("bytes=-99999999999999999999999999", 10, HTTP_RANGE_PART, 0, 10);
}

TEST(tells_what_is_outside)
{
	check("bytes=10-", 10, HTTP_RANGE_OUTSIDE, 0, 0);
	check("bytes=10-12", 10, HTTP_RANGE_OUTSIDE, 0, 0);
	check("bytes=99999999999999999999999999-", 10, HTTP_RANGE_OUTSIDE, 0, 0);
	check("bytes=-0", 10, HTTP_RANGE_OUTSIDE, 0, 0);
	check("bytes=0-", 0, HTTP_RANGE_OUTSIDE, 0, 0);
	check("bytes=-1", 0, HTTP_RANGE_OUTSIDE, 0, 0);
}

TEST(sends_everything_for_what_is_not_one_range)
{
	static const char *const other[] = {
		"",
		"bytes",
		"bytes=",
		"bytes=-",
		"bytes=--1",
		"bytes=a-",
		"bytes=1",
		"bytes=5-3",
		"bytes=1-2,4-5",
		"bytes=1-2,",
		"bytes= 1-2",
		"bytes=1-2 ",
		"bytes=1 -2",
		"bytes=+1-2",
		"bytes=0x1-2",
		"bits=1-2",
		"bytes:1-2",
		"bytes=1-2-3",
		"bytes=-1-2",
	};

	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		check(other[i], 10, HTTP_RANGE_WHOLE, 0, 0);
}
