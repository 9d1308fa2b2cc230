#include "core/utf8.h"
#include "unit.h"

TEST(reads_characters_of_every_length)
{
	static const struct {
		const char *text;
		uint32_t point;
		size_t len;
	} cases[] = {
		{ "a", 'a', 1 },
		{ "\x7fz", 0x7f, 1 },
		{ "\xc2\x80z", 0x80, 2 },
		{ "\xdf\xbf", 0x7ff, 2 },
		{ "\xe0\xa0\x80", 0x800, 3 },
		{ "\xed\x9f\xbf", 0xd7ff, 3 },
		{ "\xee\x80\x80", 0xe000, 3 },
		{ "\xf0\x90\x80\x80", 0x10000, 4 },
		{ "\xf4\x8f\xbf\xbf", 0x10ffff, 4 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint32_t point = 0;

		assert_int_equal(utf8_next(span_str(cases[i].text), &point), cases[i].len);
		assert_int_equal(point, cases[i].point);
	}
	assert_int_equal(utf8_next(SPAN("\0"), &(uint32_t){ 1 }), 1);
}

TEST(refuses_what_is_no_character)
{
	static const char *const bad[] = {
		"\x80",             /* the rest of one */
		"\xc0\xaf",         /* overlong */
		"\xc1\xbf",         /* overlong */
		"\xe0\x9f\xbf",     /* overlong */
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xed\xa0\x80",     /* a surrogate */
		"\xed\xbf\xbf",     /* a surrogate */
		"\xf4\x90\x80\x80", /* beyond the last */
		"\xf5\x80\x80\x80", /* beyond the last */
		"\xff",             /* none begins so */
		"\xc3",             /* cut off */
		"\xe2\x82",         /* cut off */
		"\xf0\x9f\x98",     /* cut off */
		"\xc3(",            /* no rest */
	};
	uint32_t point;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (utf8_next(span_str(bad[i]), &point) != 0)
			fail_msg("accepted number %zu", i);
}
