#include "moving/manifest.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define A    "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define B    "g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg"
#define SHA  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LINE "picture\t" A "\t76375\t26464116\t" SHA "\tpictures/" A "\t"

static enum manifest_line parse(const char *line, struct manifest_picture *picture)
{
	uint64_t pictures, bytes;

	return manifest_parse(span_str(line), picture, &pictures, &bytes);
}

TEST(a_picture_is_read_back_as_it_was_written)
{
	struct manifest_picture picture, again;
	struct buf out;

	assert_int_equal(parse(LINE B "," B, &picture), MANIFEST_PICTURE);
	assert_int_equal(picture.size, 76375);
	assert_int_equal(picture.crc, 0x26464116);
	assert_int_equal(picture.sha[1], 0x11);
	assert_int_equal(picture.name_count, 2);
	buf_init(&out, MANIFEST_LINE_MAX);
	manifest_put_picture(&out, &picture);
	assert_true(buf_ok(&out));
	out.data[out.len - 1] = '\0';
	assert_string_equal(out.data, LINE B "," B);
	assert_int_equal(parse((char *)out.data, &again), MANIFEST_PICTURE);
	buf_fini(&out);
}

TEST(metadata_is_told_apart_and_has_no_names)
{
	struct manifest_picture picture;

	assert_int_equal(
		parse("metadata\t" A "\t12\t26464116\t" SHA "\tmetadata/" A "\t-", &picture),
		MANIFEST_PICTURE);
	assert_true(picture.is_metadata);
	assert_int_equal(
		parse("metadata\t" A "\t12\t26464116\t" SHA "\tpictures/" A "\t-", &picture),
		MANIFEST_NONSENSE);
	assert_int_equal(
		parse("metadata\t" A "\t12\t26464116\t" SHA "\tmetadata/" A "\t" B, &picture),
		MANIFEST_NONSENSE);
}

TEST(the_longest_line_fits)
{
	struct manifest_picture picture;
	struct buf out;
	char name[FILE_ID_NAME_MAX + 1];

	assert_int_equal(parse(LINE "-", &picture), MANIFEST_PICTURE);
	memset(name, 'x', sizeof name);
	memcpy(name, "M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668", 41);
	name[FILE_ID_NAME_MAX] = '\0';
	picture.size = UINT64_MAX / 10;
	for (; picture.name_count < MANIFEST_NAMES_MAX; picture.name_count++) {
		struct file_id *id = &picture.names[picture.name_count];

		*id = picture.id;
		memset(id->group, 'g', FILE_ID_GROUP_MAX);
		memcpy(id->name, name, sizeof name);
		id->name_len = FILE_ID_NAME_MAX;
	}
	picture.id = picture.names[0];
	buf_init(&out, MANIFEST_LINE_MAX);
	manifest_put_picture(&out, &picture);
	assert_true(buf_ok(&out));
	buf_fini(&out);
}

TEST(what_is_no_line_is_refused)
{
	static const char *const bad[] = { "", "picture", LINE, LINE B ",", LINE "," B, LINE "-\t",
		"picture\t" A "\t076375\t26464116\t" SHA "\tpictures/" A "\t-",
		"picture\t" A "\t76375\t26464116\t" SHA "\t../../etc/passwd\t-",
		"picture\t" A "\t76375\t26464116\t" SHA "\tpictures/" B "\t-",
		"picture\t" A "\t76375\t2646411G\t" SHA "\tpictures/" A "\t-",
		"picture\tcat.jpg\t76375\t26464116\t" SHA "\tpictures/cat.jpg\t-", "end\t1",
		"end\t\t", "end\t1\t99999999999999999999", "end\t-1\t5" };
	struct manifest_picture picture;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(bad[i], &picture) != MANIFEST_NONSENSE)
			fail_msg("accepted '%s'", bad[i]);
}

TEST(the_end_tells_how_much_there_is)
{
	struct manifest_picture picture;
	uint64_t pictures, bytes;

	assert_int_equal(manifest_parse(span_str("end\t12\t4096"), &picture, &pictures, &bytes),
		MANIFEST_END);
	assert_int_equal(pictures, 12);
	assert_int_equal(bytes, 4096);
}
