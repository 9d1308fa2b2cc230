#include "http/http_date.h"
#include "unit.h"

#include <string.h>

TEST(writes_the_one_form)
{
	char text[HTTP_DATE_LEN + 1];

	http_date_format(1548816825, text);
	assert_string_equal(text, "Wed, 30 Jan 2019 02:53:45 GMT");
	http_date_format(0, text);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date_format(UINT32_MAX, text);
	assert_string_equal(text, "Sun, 07 Feb 2106 06:28:15 GMT");
}

TEST(reads_what_it_writes)
{
	static const int64_t times[] = { 0, 1, 951782399, 951782400, 1548816825, 4107542400,
		253402300799 };
	char text[HTTP_DATE_LEN + 1];

	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		int64_t time = -1;

		http_date_format(times[i], text);
		assert_true(http_date_parse(span_str(text), &time));
		assert_int_equal(time, times[i]);
	}
}

TEST(refuses_any_other_text)
{
	static const char *const bad[] = {
		"",
		"Wed, 30 Jan 2019 02:53:45",
		"Wed, 30 Jan 2019 02:53:45 GMT ",
		"Wed, 30 Jan 2019 02:53:45 UTC",
		"Thu, 30 Jan 2019 02:53:45 GMT", /* it was a Wednesday */
		"Sun, 31 Feb 2019 02:53:45 GMT",
		"Wed, 30 jan 2019 02:53:45 GMT",
		"Wed, 30 Jan 2019 24:00:00 GMT",
		"Wed, 30 Jan 2019 02:53:60 GMT",
		"Wed,  3 Jan 2019 02:53:45 GMT",
		"Wed, 31 Dec 1969 23:59:59 GMT",
		"Wednesday, 30-Jan-19 02:53:45 GMT",
		"Wed Jan 30 02:53:45 2019",
	};
	int64_t time = 7;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (http_date_parse(span_str(bad[i]), &time))
			fail_msg("accepted '%s'", bad[i]);
	assert_int_equal(time, 7); /* left alone */
}
