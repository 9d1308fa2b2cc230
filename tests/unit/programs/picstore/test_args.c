#include "programs/picstore/args.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct arg_option options[] = {
	{ 'j', "jobs", "N", "so many" },
	{ 'f', "force", NULL, "do it" },
	{ '\0', "json", NULL, "print JSON" },
	{ 'e', "expires", "TIME", "until then" },
	{ 0 },
};

static const struct command command = {
	.name = "try",
	.operands = "ID...",
	.summary = "try it",
	.options = options,
	.least = 1,
	.most = 3,
};

static struct args args;
static struct err err;

/* Parse words that end with NULL. */
#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

static int parse(const char *const *words)
{
	int count = 0;

	while (words[count] != NULL)
		count++;
	return args_parse(&command, count, (char *const *)(uintptr_t)words, &args, &err);
}

TEST(options_stand_anywhere_in_every_spelling)
{
	static const char *const spellings[][4] = {
		{ "-j", "4", "id", NULL },
		{ "id", "-j4", NULL },
		{ "--jobs", "4", "id", NULL },
		{ "id", "--jobs=4", NULL },
		{ "-fj4", "id", NULL },
		{ "-fj", "4", "id", NULL },
	};

	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
		int64_t jobs;

		assert_int_equal(parse(spellings[i]), 0);
		assert_int_equal(args_number(&args, "jobs", 1, 9, 2, &jobs, &err), 0);
		assert_int_equal(jobs, 4);
		assert_int_equal(args.count, 1);
		assert_string_equal(args.operands[0], "id");
		assert_int_equal(args_has(&args, "force"), i >= 4);
		assert_false(args_has(&args, "json"));
		args_fini(&args);
	}
}

TEST(behind_two_dashes_all_is_operand)
{
	assert_int_equal(PARSE("-f", "--", "-j", "--jobs"), 0);
	assert_int_equal(args.count, 2);
	assert_string_equal(args.operands[0], "-j");
	args_fini(&args);
	assert_int_equal(PARSE("-"), 0); /* stdin */
	assert_string_equal(args.operands[0], "-");
	args_fini(&args);
}

TEST(every_command_takes_the_common_options)
{
	assert_int_equal(PARSE("id", "-c", "a.conf"), 0);
	assert_string_equal(args_value(&args, "config"), "a.conf");
	args_fini(&args);
	assert_int_equal(PARSE("--help"), 0); /* without operands */
	assert_true(args_has(&args, "help"));
	args_fini(&args);
}

TEST(a_wrong_word_gets_a_hint)
{
	assert_int_equal(PARSE("--jsno", "id"), -1);
	assert_non_null(strstr(err.text, "did you mean --json?"));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(PARSE("--job=3", "id"), -1);
	assert_non_null(strstr(err.text, "--jobs?"));
	assert_int_equal(PARSE("--elephant", "id"), -1);
	assert_non_null(strstr(err.text, "picstore help try"));
	assert_int_equal(PARSE("-x", "id"), -1);
	assert_int_equal(PARSE("-j"), -1);
	assert_non_null(strstr(err.text, "needs a value"));
	assert_int_equal(PARSE("id", "--jobs"), -1);
	assert_int_equal(PARSE("--json=yes", "id"), -1);
	assert_non_null(strstr(err.text, "no value"));
	assert_int_equal(PARSE("--=", "id"), -1);
}

TEST(operands_are_counted)
{
	assert_int_equal(PARSE("-f"), -1);
	assert_non_null(strstr(err.text, "ID... is missing"));
	assert_int_equal(PARSE("a", "b", "c", "d"), -1);
	assert_non_null(strstr(err.text, "'d' is too much"));
}

TEST(numbers_are_whole_and_in_range)
{
	static const char *const bad[] = { "0", "10", "-1", "", "4x", " 4", "+4", "4.0",
		"99999999999999999999" };
	int64_t value;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(PARSE("--jobs", bad[i], "id"), 0);
		if (args_number(&args, "jobs", 1, 9, 2, &value, &err) == 0)
			fail_msg("accepted '%s'", bad[i]);
		args_fini(&args);
	}
	assert_int_equal(PARSE("id"), 0);
	assert_int_equal(args_number(&args, "jobs", 1, 9, 2, &value, &err), 0);
	assert_int_equal(value, 2);
	args_fini(&args);
}

TEST(times_have_a_unit)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: refused */
	} cases[] = { { "90s", 90 }, { "15m", 900 }, { "2h", 7200 }, { "1d", 86400 }, { "90", 0 },
		{ "0s", 0 }, { "1w", 0 }, { "1hh", 0 }, { "", 0 }, { "2d", 0 }, { "-1s", 0 },
		{ "99999999999999999999d", 0 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t seconds = 0;
		int result;

		assert_int_equal(PARSE("--expires", cases[i].text, "id"), 0);
		result = args_seconds(&args, "expires", 86400, 1, &seconds, &err);
		assert_int_equal(result, cases[i].seconds == 0 ? -1 : 0);
		if (result == 0)
			assert_int_equal(seconds, cases[i].seconds);
		args_fini(&args);
	}
}

TEST(near_names_are_found_and_far_ones_not)
{
	static const char *const names[] = { "put", "get", "rm", "doctor", "status", "stat" };

	assert_string_equal(args_nearest("gte", names, 6), "get");
	assert_string_equal(args_nearest("docter", names, 6), "doctor");
	assert_string_equal(args_nearest("doc", names, 6), "doctor");
	assert_string_equal(args_nearest("statsu", names, 6), "status");
	assert_null(args_nearest("elephant", names, 6));
	assert_null(args_nearest("", names, 6));
	assert_null(args_nearest("a-word-that-is-longer-than-any-name-here", names, 6));
}

TEST(help_names_every_option)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	args_help(&command, to);
	fclose(to);
	assert_non_null(strstr(text, "usage: picstore try [options] ID..."));
	assert_non_null(strstr(text, "-j, --jobs N"));
	assert_non_null(strstr(text, "    --json"));
	assert_non_null(strstr(text, "-c, --config FILE"));
	free(text);
}
