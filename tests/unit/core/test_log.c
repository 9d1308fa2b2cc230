#include "core/log.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a line looks like on stderr, behind the time. */
static const char *line_of(const char *message)
{
	static char line[2048];
	int ends[2], stderr_was = dup(STDERR_FILENO);
	ssize_t len;

	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_info("%s", message);
	assert_true(dup2(stderr_was, STDERR_FILENO) >= 0);
	len = read(ends[0], line, sizeof line - 1);
	close(stderr_was);
	close(ends[0]);
	close(ends[1]);
	assert_true(len > 0);
	line[len] = '\0';
	return strchr(line, ' ') + 1;
}

TEST(says_what_it_is_told)
{
	assert_string_equal(line_of("a ~b~ c"), "picstore info: a ~b~ c\n");
}

TEST(no_byte_from_outside_forges_a_line_or_speaks_to_a_terminal)
{
	char message[] = "a.b";

	for (int byte = 1; byte < 256; byte++) {
		char expected[] = "picstore info: a?b\n";

		message[1] = (char)byte;
		if (byte >= 0x20 && byte < 0x7f)
			expected[16] = (char)byte;
		assert_string_equal(line_of(message), expected);
	}
	assert_string_equal(line_of("\xc2\x9b[2J \xff"), "picstore info: ??[2J ?\n");
}

TEST(cuts_a_long_message)
{
	char message[2000];

	memset(message, 0xe9, sizeof message);
	message[sizeof message - 1] = '\0';
	assert_true(strlen(line_of(message)) < 1281);
}
