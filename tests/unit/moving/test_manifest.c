#include "moving/manifest.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define A    "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define B    "g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg"
#define SHA  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LINE "picture\t" A "\t76375\t26464116\t" SHA "\tpictures/" A "\t-\t"

static enum manifest_line parse(const char *line, struct manifest_file *file)
{
	uint64_t files, bytes;

	return manifest_parse(span_str(line), file, &files, &bytes);
}

TEST(a_picture_is_read_back_as_it_was_written)
{
	struct manifest_file file, again;
	struct buf out;

	assert_int_equal(parse(LINE B "," B, &file), MANIFEST_FILE);
	assert_int_equal(file.size, 76375);
	assert_int_equal(file.crc, 0x26464116);
	assert_int_equal(file.sha[1], 0x11);
	assert_int_equal(file.name_count, 2);
	buf_init(&out, MANIFEST_LINE_MAX);
	manifest_put_file(&out, &file);
	assert_true(buf_ok(&out));
	out.data[out.len - 1] = '\0';
	assert_string_equal(out.data, LINE B "," B);
	assert_int_equal(parse((char *)out.data, &again), MANIFEST_FILE);
	buf_fini(&out);
}

#define HASH  ".0011223344556677"
#define SLAVE "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768_s.png"
#define NEXT  "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768_s_t.png"
#define LOG   "g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log"
#define MID   "\t5\t26464116\t" SHA "\t"

TEST(every_kind_of_file_is_read_back_as_it_was_written)
{
	static const struct {
		const char *line;
		enum manifest_kind kind;
		size_t names;
	} lines[] = {
		{ "slave\t" SLAVE MID "changing/" SLAVE HASH "\t1700000000\t" A, MANIFEST_SLAVE,
			1 },
		{ "slave\t" NEXT MID "changing/" NEXT HASH "\t1700000000\t" SLAVE "," A,
			MANIFEST_SLAVE, 2 },
		{ "appender\t" LOG MID "changing/" LOG HASH "\t1700000000\t-", MANIFEST_APPENDER,
			0 },
		{ "finished\t" A MID "pictures/" A "\t1700000000\t-", MANIFEST_FINISHED, 0 },
		{ "metadata\t" A MID "metadata/" A HASH "\t-\t-", MANIFEST_METADATA, 0 },
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct manifest_file file;
		struct buf out;

		if (parse(lines[i].line, &file) != MANIFEST_FILE)
			fail_msg("refused '%s'", lines[i].line);
		assert_int_equal(file.kind, lines[i].kind);
		assert_int_equal(file.name_count, lines[i].names);
		if (file.kind != MANIFEST_METADATA)
			assert_int_equal(file.changed, 1700000000);
		buf_init(&out, MANIFEST_LINE_MAX);
		manifest_put_file(&out, &file);
		assert_true(buf_ok(&out));
		out.data[out.len - 1] = '\0';
		assert_string_equal(out.data, lines[i].line);
		buf_fini(&out);
	}
}

TEST(what_a_kind_does_not_have_is_refused)
{
	static const char *const bad[] = {
		"metadata\t" A MID "pictures/" A "\t-\t-",                    /* path */
		"metadata\t" A MID "metadata/" A HASH "\t-\t" B,              /* names */
		"metadata\t" A MID "metadata/" A HASH "\t1700000000\t-",      /* time */
		"slave\t" SLAVE MID "changing/" SLAVE "\t1700000000\t" A,     /* path */
		"slave\t" SLAVE MID "changing/" SLAVE HASH "\t1700000000\t-", /* no master */
		"slave\t" SLAVE MID "changing/" SLAVE HASH "\t-\t" A,         /* no time */
		"slave\t" SLAVE MID "changing/" SLAVE HASH "\t1\t" A "," A "," A,
		"appender\t" LOG MID "changing/" LOG HASH "\t9999999999999999999\t-",
		"appender\t" LOG MID "changing/" LOG HASH "\t-1\t-",
		"picture\t" A MID "pictures/" A "\t1700000000\t-",
		"picture\t" A MID "pictures/" A "\t-", /* of the first version */
	};
	struct manifest_file file;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(bad[i], &file) != MANIFEST_NONSENSE)
			fail_msg("accepted '%s'", bad[i]);
}

TEST(the_longest_line_fits)
{
	struct manifest_file file;
	struct buf out;
	char name[FILE_ID_NAME_MAX + 1];

	assert_int_equal(parse(LINE "-", &file), MANIFEST_FILE);
	memset(name, 'x', sizeof name);
	memcpy(name, "M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668", 41);
	name[FILE_ID_NAME_MAX] = '\0';
	file.size = UINT64_MAX / 10;
	for (; file.name_count < MANIFEST_NAMES_MAX; file.name_count++) {
		struct file_id *id = &file.names[file.name_count];

		*id = file.id;
		memset(id->group, 'g', FILE_ID_GROUP_MAX);
		memcpy(id->name, name, sizeof name);
		id->name_len = FILE_ID_NAME_MAX;
	}
	file.id = file.names[0];
	buf_init(&out, MANIFEST_LINE_MAX);
	manifest_put_file(&out, &file);
	assert_true(buf_ok(&out));
	buf_fini(&out);
}

TEST(what_is_no_line_is_refused)
{
	static const char *const bad[] = { "", "picture", LINE, LINE B ",", LINE "," B, LINE "-\t",
		"picture\t" A "\t076375\t26464116\t" SHA "\tpictures/" A "\t-\t-",
		"picture\t" A "\t76375\t26464116\t" SHA "\t../../etc/passwd\t-\t-",
		"picture\t" A "\t76375\t26464116\t" SHA "\tpictures/" B "\t-\t-",
		"picture\t" A "\t76375\t2646411G\t" SHA "\tpictures/" A "\t-\t-",
		"picture\tcat.jpg\t76375\t26464116\t" SHA "\tpictures/cat.jpg\t-\t-", "end\t1",
		"end\t\t", "end\t1\t99999999999999999999", "end\t-1\t5" };
	struct manifest_file file;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(bad[i], &file) != MANIFEST_NONSENSE)
			fail_msg("accepted '%s'", bad[i]);
}

TEST(the_end_tells_how_much_there_is)
{
	struct manifest_file file;
	uint64_t files, bytes;

	assert_int_equal(
		manifest_parse(span_str("end\t12\t4096"), &file, &files, &bytes), MANIFEST_END);
	assert_int_equal(files, 12);
	assert_int_equal(bytes, 4096);
}
