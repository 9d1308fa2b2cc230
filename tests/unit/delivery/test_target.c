#include "delivery/target.h"
#include "unit.h"

#include <string.h>

#define ID "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"

static void reads(const char *text, const char *want_id, const char *want_name)
{
	struct target target;
	char id[FILE_ID_TEXT_MAX + 1];

	if (!target_parse(span_str(text), &target))
		fail_msg("refused '%s'", text);
	file_id_format(&target.id, id);
	assert_string_equal(id, want_id);
	if (!span_is(target.name, want_name))
		fail_msg("'%s': name is '%.*s'", text, (int)target.name.len, target.name.data);
}

TEST(reads_both_forms)
{
	reads("/" ID, ID, "");
	reads("/download.fcgi/" ID, ID, "");
}

TEST(passes_over_queries)
{
	reads("/" ID "?", ID, "");
	reads("/" ID "?utm_source=x&b=%zz?&&=", ID, "");
	reads("/download.fcgi/" ID "?filename=x&username=y", ID, "");
}

TEST(finds_the_first_name_in_a_query)
{
	reads("/" ID "?name=cat.jpg", ID, "cat.jpg");
	reads("/" ID "?a=1&name=cat.jpg&name=dog.jpg", ID, "cat.jpg");
	reads("/" ID "?name=&name=dog.jpg", ID, "");
	reads("/" ID "?a?name=x&name=y", ID, "y");
}

TEST(refuses_what_is_no_id)
{
	static const char *const bad[] = {
		"",
		"/",
		"/download.fcgi",
		"/download.fcgi/",
		"/upload.cgi",
		"?name=x",
		ID,
		"//" ID,
		"/download.fcgi//" ID,
		"/Download.fcgi/" ID,
		"/download.fcgi/download.fcgi/" ID,
		"/x/" ID,
		"/./" ID,
		"/" ID "/",
		"/" ID "%00",
		"/" ID "#a",
		"/" ID ";v=1",
		"/%67"
		"01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"/g01/M00/00/00/../00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"/g01%2FM00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"http://host/" ID,
	};
	struct target target;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (target_parse(span_str(bad[i]), &target))
			fail_msg("accepted '%s'", bad[i]);
}

static void disposes(const char *name, const char *want)
{
	struct buf value;

	buf_init(&value, 4096);
	if (!target_disposition(span_str(name), &value))
		fail_msg("refused '%s'", name);
	if (value.len < 29 || !span_is(span_of(value.data + 29, value.len - 29), want))
		fail_msg("'%s' became '%.*s'", name, (int)value.len, value.data);
	assert_memory_equal(value.data, "attachment; filename*=UTF-8''", 29);
	buf_fini(&value);
}

TEST(names_a_file)
{
	disposes("cat.jpg", "cat.jpg");
	disposes("A-Z_0~9!.jpg", "A-Z_0~9!.jpg");
	disposes("a%20b+c.jpg", "a%20b%20c.jpg");
	disposes("it's(1)*.jpg", "it%27s%281%29%2A.jpg");
	disposes("%e7%8c%AB.jpg", "%e7%8c%AB.jpg"); /* a cat in Chinese */
	disposes("%F0%9F%98%BA", "%F0%9F%98%BA");
	disposes("%E2%80%8C%E2%80%8D%E2%80%A7%E2%80%AF%E2%81%A5%E2%81%AA%D8%9B",
		"%E2%80%8C%E2%80%8D%E2%80%A7%E2%80%AF%E2%81%A5%E2%81%AA%D8%9B"); /* neighbours */
	disposes("%C2%A0%DF%BF%E0%A0%80%ED%9F%BF%EE%80%80%F4%8F%BF%BF",
		"%C2%A0%DF%BF%E0%A0%80%ED%9F%BF%EE%80%80%F4%8F%BF%BF");
}

TEST(refuses_names_that_could_do_harm)
{
	static const char *const bad[] = {
		"", "a%0d%0aSet-Cookie:x", "a%00b", "a%7F",
		"a%C2%85b", /* a control character above ASCII */
		"..%2Fb", "..%5Cb", "a%22b", "a\"b", "a/b", "a;b", "a b", "a%", "a%4", "a%4g",
		"%FF", "%C0%AF",          /* overlong */
		"%E0%80%AF", "%ED%A0%80", /* a surrogate */
		"%F4%90%80%80",           /* above the last code point */
		"%C3",                    /* cut off */
		"a%E2%80%AEgpj.exe",      /* turns the direction */
		"%D8%9C", "%d8%9cx", "%E2%80%8E", "%E2%80%8F", "%E2%80%A8", "%E2%80%AA",
		"%e2%80%ab", "%E2%80%AC", "%E2%80%AD", "%E2%81%A6", "%E2%81%A7", "%E2%81%A8",
		"%E2%81%a9", "%E7%8C", "%80", "\xe7\x8c\xab", /* not escaped */
	};
	struct buf value;

	buf_init(&value, 4096);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (target_disposition(span_str(bad[i]), &value))
			fail_msg("accepted '%s'", bad[i]);
	assert_int_equal(value.len, 0);
	buf_fini(&value);
}

TEST(limits_the_length_of_a_name)
{
	char name[TARGET_NAME_MAX + 2];
	struct buf value;

	memset(name, 'a', sizeof name);
	buf_init(&value, 4096);
	assert_true(target_disposition(span_of(name, TARGET_NAME_MAX), &value));
	assert_false(target_disposition(span_of(name, TARGET_NAME_MAX + 1), &value));
	name[0] = '('; /* three characters when it is escaped */
	assert_false(target_disposition(span_of(name, TARGET_NAME_MAX - 1), &value));
	assert_true(target_disposition(span_of(name, TARGET_NAME_MAX - 2), &value));
	buf_fini(&value);
}
