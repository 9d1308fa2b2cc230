#include "http/base64.h"
#include "unit.h"

#include <string.h>

static void assert_decodes(const char *text, const char *bytes)
{
	struct buf out;

	buf_init(&out, 100);
	if (!base64_decode(span_str(text), &out))
		fail_msg("'%s' is not taken", text);
	assert_int_equal(out.len, strlen(bytes));
	assert_memory_equal(out.data, bytes, out.len);
	buf_fini(&out);
}

TEST(decodes_the_examples_of_the_standard)
{
	assert_decodes("", "");
	assert_decodes("Zg==", "f");
	assert_decodes("Zm8=", "fo");
	assert_decodes("Zm9v", "foo");
	assert_decodes("Zm9vYg==", "foob");
	assert_decodes("Zm9vYmE=", "fooba");
	assert_decodes("Zm9vYmFy", "foobar");
	assert_decodes("+/+/", "\xfb\xff\xbf");
}

TEST(padding_may_be_left_out_and_lines_broken)
{
	assert_decodes("Zg", "f");
	assert_decodes("Zm8", "fo");
	assert_decodes("Zm9v\r\nYmFy\r\n", "foobar");
	assert_decodes(" Z g = = ", "f");
}

TEST(refuses_what_is_not_base64)
{
	static const char *const bad[] = { "Z", "Zm9vY", "Zg=", "Zg===", "=",
		"====", "Zg==Zg==", "Zm9-", "Zm9_", "Zm 9v.", "Zm9vYg=a" };
	struct buf out;

	buf_init(&out, 100);
	buf_put_str(&out, "kept");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (base64_decode(span_str(bad[i]), &out))
			fail_msg("took '%s'", bad[i]);
	assert_int_equal(out.len, 4);
	buf_fini(&out);
}
