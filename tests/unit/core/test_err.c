#include "core/err.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

TEST(every_code_has_a_word_a_meaning_and_statuses)
{
	for (int code = 0; code < ERR_COUNT; code++) {
		assert_non_null(err_word((enum err_code)code));
		assert_true(strlen(err_meaning((enum err_code)code)) > 3);
		assert_in_range(err_http_status((enum err_code)code), 200, 599);
		assert_in_range(err_fdfs_status((enum err_code)code), 0, 133);
	}
}

TEST(no_two_codes_share_a_word)
{
	for (int a = 0; a < ERR_COUNT; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(
				err_word((enum err_code)a), err_word((enum err_code)b));
}

TEST(a_sentence_is_one_line)
{
	struct err err;

	assert_int_equal(err_set(&err, ERR_BAD_REQUEST, "no '%s'", "a\r\nforged: line"), -1);
	assert_string_equal(err.text, "no 'a??forged: line'");
}

TEST(a_full_disk_is_not_just_any_error)
{
	struct err err;

	errno = ENOSPC;
	err_errno(&err, "cannot write %s", "x");
	assert_int_equal(err.code, ERR_FULL);
	errno = EIO;
	err_errno(&err, "cannot write %s", "x");
	assert_int_equal(err.code, ERR_IO);
	assert_non_null(strstr(err.text, "cannot write x: "));
}

TEST(a_prefix_goes_in_front)
{
	struct err err;

	err_set(&err, ERR_IO, "b");
	assert_int_equal(err_prefix(&err, "a%d", 1), -1);
	assert_string_equal(err.text, "a1: b");
}

TEST(fastdfs_statuses_become_codes)
{
	assert_int_equal(err_from_fdfs(0), ERR_NONE);
	assert_int_equal(err_from_fdfs(ENOENT), ERR_NOT_FOUND);
	assert_int_equal(err_from_fdfs(ENOSPC), ERR_FULL);
	assert_int_equal(err_from_fdfs(ECONNREFUSED), ERR_UNREACHABLE);
	assert_int_equal(err_from_fdfs(99), ERR_IO);
}
