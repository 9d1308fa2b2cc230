#include "moving/binlog.h"
#include "unit.h"

#include <string.h>

#define A "M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define B "M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg"

static bool parse(const char *line, struct binlog_line *out)
{
	return binlog_parse(span_str(line), "g01", out);
}

TEST(a_line_tells_what_was_done_to_which_file)
{
	static const struct {
		const char *line;
		enum binlog_what what;
	} cases[] = {
		{ "1572660675 C " A, BINLOG_MADE },
		{ "1572660675 c " A, BINLOG_MADE },
		{ "1572660675 L " A " " B, BINLOG_MADE },
		{ "1572660675 D " A, BINLOG_REMOVED },
		{ "1572660675 d " A, BINLOG_REMOVED },
		{ "1572660675 U " A, BINLOG_CHANGED },
		{ "1572660675 A " A " 10 20", BINLOG_CHANGED },
		{ "1572660675 R " A " " B, BINLOG_RENAMED },
	};
	struct binlog_line line;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (!parse(cases[i].line, &line))
			fail_msg("refused '%s'", cases[i].line);
		assert_int_equal(line.what, cases[i].what);
		assert_int_equal(line.time, 1572660675);
		assert_string_equal(line.id.name, A);
		assert_string_equal(line.id.group, "g01");
	}
	assert_true(parse("1 R " A " " B, &line));
	assert_string_equal(line.other.name, B);
}

TEST(what_is_no_line_is_refused)
{
	static const char *const bad[] = { "", " ", "1572660675", "1572660675 C", "1572660675 C ",
		"1572660675 CC " A, "C " A, "x C " A, "1572660675  C " A, "1572660675 C ../../etc",
		"1572660675 1 " A, "15726606751572660675 C " A,
		"1572660675 C M00/00/00/short.jpg" };
	struct binlog_line line;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(bad[i], &line))
			fail_msg("accepted '%s'", bad[i]);
}
