#include "core/file_id.h"
#include "unit.h"

#include <string.h>

#define SAMPLE "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"

static struct file_id parsed(const char *text)
{
	struct file_id id = { 0 };

	if (!file_id_parse(span_str(text), &id))
		fail_msg("refused '%s'", text);
	return id;
}

TEST(decodes_the_first_sample)
{
	struct file_id id = parsed(SAMPLE);
	char source[16];

	file_id_source_text(&id, source);
	assert_string_equal(source, "10.1.1.197");
	assert_string_equal(id.group, "g01");
	assert_int_equal(id.time, 1548816825); /* 2019-01-30 02:53:45 UTC */
	assert_int_equal(id.size, 76375);
	assert_int_equal(id.crc, 0x26464116);
	assert_int_equal(id.random, 0x5044d7);
	assert_int_equal(id.kind, FILE_ID_NORMAL);
	assert_string_equal(id.ext, "jpg");
}

TEST(decodes_the_second_sample)
{
	struct file_id id = parsed("g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg");

	assert_int_equal(id.time, 1549867346); /* 2019-02-11 06:42:26 UTC */
	assert_int_equal(id.size, 771347);
	assert_int_equal(id.crc, 0x4019bf47);
}

TEST(knows_a_storage_id_from_an_address)
{
	struct file_id id = parsed("g01/M00/00/00/oYYBAGsC29qAU28nAAAABTYQpoY628.jpg");
	char source[16];

	assert_true(id.source_is_id);
	assert_int_equal(file_id_source_id(&id), 100001);
	file_id_source_text(&id, source);
	assert_string_equal(source, "100001");
}

TEST(knows_an_appender_file)
{
	struct file_id id = parsed("g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log");

	assert_int_equal(id.kind, FILE_ID_APPENDER);
	assert_int_equal(id.crc, 0xcbf53a1c);
}

TEST(knows_a_trunk_file)
{
	struct file_id id = parsed(
		"group1/M00/00/52/wKgM_mFFkIiIX2FYAAAAPDbjiZ4AAAAcQCptLQAAABU459.txt");

	id = parsed("g01/M00/00/00/fwAAAmsC3BiISvWtAAAACw1KEYUAAAAAQAAAAAAAAEA233.jpg");
	assert_int_equal(id.kind, FILE_ID_TRUNK);
	assert_int_equal(id.size, 11);
	assert_int_equal(id.crc, 0x0d4a1185);
	assert_int_equal(id.trunk, 1);
	assert_int_equal(id.trunk_offset, 0);
	assert_int_equal(id.trunk_slot, 256);
}

TEST(knows_slave_files)
{
	struct file_id id = parsed("g01/M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_150x150.png");

	assert_int_equal(id.kind, FILE_ID_SLAVE);
	assert_string_equal(id.ext, "png");
	id = parsed("g01/M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY0545678_a");
	assert_int_equal(id.kind, FILE_ID_SLAVE);
	assert_string_equal(id.ext, "");
}

TEST(knows_long_and_missing_extensions)
{
	assert_string_equal(parsed("g01/M00/00/00/fwAAAmsC23SAA6L1AAAAAzUkQcI.tar.gz").ext, "tar.gz");
	assert_string_equal(parsed("g01/M00/00/00/fwAAAmsC23SAazflAAAAAzUkQcI3491171").ext, "");
}

TEST(makes_the_name_that_it_reads)
{
	struct file_id id = parsed(SAMPLE), made = id;
	char text[FILE_ID_TEXT_MAX + 1];

	memset(made.name, 0, sizeof made.name);
	assert_true(file_id_make(&made, 867)); /* pad digits come out lowest first */
	assert_int_equal(file_id_format(&made, text), strlen(SAMPLE));
	assert_string_equal(text, SAMPLE);
	assert_true(file_id_equal(&id, &made));
}

TEST(makes_no_name_with_a_bad_group_or_extension)
{
	struct file_id id = { .group = "g/1", .ext = "jpg" };

	assert_false(file_id_make(&id, 0));
	strcpy(id.group, "g1");
	strcpy(id.ext, "j/g");
	assert_false(file_id_make(&id, 0));
	strcpy(id.ext, "jpg");
	assert_true(file_id_make(&id, 0));
}

TEST(refuses_any_other_text)
{
	static const char *const bad[] = {
		"",
		"g01",
		"g01/",
		"/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jp",    /* a character short */
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRZ768.jpg",   /* bits behind the 20 bytes */
		"g01/m00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",   /* lower case m */
		"g01/M0a/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",   /* lower case hex */
		"g01/M00/0/000/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"g01//M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY76%38.jpg", /* an escape */
		"g01/M00/00/00/../../../../etc/passwd/aaaaaaa768.jpg",
		"g-1/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"group67890abcdefgh/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg/a",
		"g01/M00/00/00/fwAAAmsC23SMZwdaAAAAAMv1Ohw705.log", /* trunk and appender at once */
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY7681", /* a prefix that could be pad */
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY",
		"g01/M00/00/00/CgEBxVxREbn_UETXAAEqVyZGQRY768.jpg", /* bits that no one sets */
	};
	struct file_id id = parsed(SAMPLE), before = id;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (file_id_parse(span_str(bad[i]), &id))
			fail_msg("accepted '%s'", bad[i]);
	assert_memory_equal(&id, &before, sizeof id); /* left alone */
}

static const char *slave_of(const char *master, const char *prefix, const char *ext)
{
	static char text[FILE_ID_TEXT_MAX + 1];
	struct file_id id = parsed(master), slave, again;

	if (!file_id_slave(&id, prefix, ext, &slave))
		return "refused";
	assert_int_equal(slave.kind, FILE_ID_SLAVE);
	file_id_format(&slave, text);
	again = parsed(text);
	assert_true(file_id_equal(&slave, &again));
	return text + strlen("g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY");
}

TEST(names_slaves_after_their_masters)
{
	static const char master[] = SAMPLE;

	assert_string_equal(slave_of(master, "_150x150", "png"), "768_150x150.png");
	assert_string_equal(slave_of(master, "_b", ""), "768_b");
	assert_string_equal(slave_of(master, "_jpg", ""), "768_jpg");
	assert_string_equal(
		slave_of("g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY9231593", "_a", "jpg"),
		"9231593_a.jpg");
	assert_string_equal(
		slave_of("g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY.tar.gz", "b", ""), "b");
	assert_string_equal(
		slave_of("g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY804_1.jpg", "_2", "jpg"),
		"804_1_2.jpg");
}

TEST(names_no_slave_that_would_not_be_known_as_one)
{
	assert_string_equal(slave_of(SAMPLE, "", "jpg"), "refused");
	assert_string_equal(slave_of(SAMPLE, "-m", ""), "refused");
	assert_string_equal(slave_of(SAMPLE, "-m", "jpg"), "768-m.jpg");
	assert_string_equal(slave_of(SAMPLE, "a/b", "jpg"), "refused");
	assert_string_equal(slave_of(SAMPLE, "_b", "j/g"), "refused");
	assert_string_equal(slave_of(SAMPLE, "_234567890123456", "jpg"), "768_234567890123456.jpg");
	assert_string_equal(slave_of(SAMPLE, "_2345678901234567", "jpg"), "refused");
	assert_string_equal(slave_of(SAMPLE, "1", "jp"), "refused"); /* 7681.jp: a picture's */
	assert_string_equal(slave_of(SAMPLE, "1", ""), "refused");
}

TEST(names_no_slave_with_128_characters)
{
	struct file_id id = parsed(SAMPLE), slave;

	while (file_id_slave(&id, "_234567890123456", "jpg", &slave)) {
		assert_true(slave.name_len > id.name_len);
		id = slave;
	}
	assert_true(id.name_len > FILE_ID_NAME_MAX - 16);
	assert_false(file_id_slave(&id, "_234567890123456", "jpg", &slave));
}

TEST(makes_the_names_of_appender_files_and_of_large_ones)
{
	struct file_id id = parsed("g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log"), made = id;

	assert_true(file_id_make(&made, 507));
	assert_true(file_id_equal(&id, &made));
	made = parsed(SAMPLE);
	made.size = UINT64_C(5) << 30;
	assert_true(file_id_make(&made, 1));
	assert_true(file_id_parse_name(span_str("g01"), span_str(made.name), &id));
	assert_int_equal(id.size, UINT64_C(5) << 30);
	assert_int_equal(id.random, made.random);
}

TEST(refuses_a_name_of_128_characters)
{
	char name[200];
	struct file_id id;

	strcpy(name, SAMPLE);
	memset(name + strlen(SAMPLE), 'a', 100);
	assert_true(file_id_parse(span_of(name, 4 + 127), &id));
	assert_false(file_id_parse(span_of(name, 4 + 128), &id));
}
