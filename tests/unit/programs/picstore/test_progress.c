#include "programs/picstore/progress.h"
#include "unit.h"

#include <string.h>

TEST(sizes_have_a_unit_and_one_digit)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1048575, "1.0 MiB" },
		{ UINT64_C(5) << 30, "5.0 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[16];

		progress_size(out, cases[i].bytes);
		assert_string_equal(out, cases[i].text);
	}
}

TEST(a_bar_grows_with_what_is_done)
{
	char out[200];

	progress_format(out, "stored", 3, 6, 3 << 20, 3000, 79);
	assert_non_null(strstr(out, "stored ["));
	assert_non_null(strstr(out, "3/6  3.0 MiB  1.0 MiB/s  0:03 left"));
	assert_non_null(strstr(out, "###"));
	assert_non_null(strstr(out, "..."));
	progress_format(out, "stored", 6, 6, 0, 3000, 79);
	assert_non_null(strstr(out, "######]"));
	progress_format(out, "stored", 0, 6, 0, 0, 79);
	assert_null(strchr(out, '#'));
	assert_non_null(strstr(out, "0:00 left"));
}

TEST(a_line_never_is_wider_than_the_terminal)
{
	for (int width = 10; width < 300; width++) {
		char out[200];

		progress_format(
			out, "fetched", 123456789, 987654321, UINT64_MAX, INT64_MAX / 2, width);
		assert_true(strlen(out) <= (size_t)width);
		assert_true(strlen(out) < sizeof out);
	}
}
