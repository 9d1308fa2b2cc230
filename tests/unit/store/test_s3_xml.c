#include "store/s3_xml.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

struct seen {
	char text[1024];
	size_t most;
};

static bool note(void *context, const struct s3_object *object)
{
	struct seen *seen = context;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof seen->text - len, "%s=%llu ", object->key,
		(unsigned long long)object->size);
	return --seen->most > 0;
}

static int read_page(const char *text, struct s3_page *page, struct seen *seen)
{
	struct err err;

	*seen = (struct seen){ .most = 100 };
	*page = (struct s3_page){ .found = note, .context = seen };
	return s3_page_read(span_str(text), page, &err);
}

#define PAGE(inside)      "<ListBucketResult>" inside "</ListBucketResult>"
#define OBJECT(key, size) "<Contents><Key>" key "</Key><Size>" size "</Size></Contents>"

TEST(reads_a_page)
{
	struct s3_page page;
	struct seen seen;

	assert_int_equal(
		read_page("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			  "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
			  "<Name>pics</Name><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>\n"
			  "<NextContinuationToken>a&amp;b==</NextContinuationToken>\n"
			  "<Contents><Key>p/g01/a&#46;jpg</Key><LastModified>x</LastModified>\n"
			  "<ETag>&quot;00&quot;</ETag><Size>12</Size>"
			  "<Owner><ID>1</ID><Key>no</Key></Owner></Contents>\n"
			  "<Contents><Size>0</Size><Key>b</Key></Contents></ListBucketResult>\n",
			&page, &seen),
		0);
	assert_string_equal(seen.text, "p/g01/a.jpg=12 b=0 ");
	assert_int_equal(page.count, 2);
	assert_true(page.more);
	assert_string_equal(page.token, "a&b==");
}

TEST(reads_the_last_page_and_an_empty_one)
{
	struct s3_page page;
	struct seen seen;

	assert_int_equal(
		read_page(PAGE("<IsTruncated>false</IsTruncated>" OBJECT("a", "1")), &page, &seen),
		0);
	assert_false(page.more);
	assert_int_equal(page.count, 1);
	assert_int_equal(read_page(PAGE("<IsTruncated>false</IsTruncated>"), &page, &seen), 0);
	assert_int_equal(page.count, 0);
}

TEST(stops_when_it_is_told_to)
{
	struct s3_page page;
	struct seen seen = { .most = 1 };
	struct err err;

	page = (struct s3_page){ .found = note, .context = &seen };
	assert_int_equal(
		s3_page_read(SPAN(PAGE(OBJECT("a", "1") OBJECT("b", "1"))), &page, &err), 0);
	assert_true(page.stopped);
	assert_string_equal(seen.text, "a=1 ");
}

TEST(refuses_what_is_no_page)
{
	static const char *const bad[] = {
		"",
		"x",
		"<html></html>",
		"<Error><Code>NoSuchBucket</Code></Error>",
		PAGE(""),
		PAGE("<IsTruncated>maybe</IsTruncated>"),
		PAGE("<IsTruncated>true</IsTruncated>"), /* and no token */
		"<ListBucketResult><IsTruncated>false</IsTruncated>",
		PAGE("<IsTruncated>false</IsTruncated>") "<more/>",
		PAGE("<IsTruncated>false</IsTruncated>" OBJECT("a", "-1")),
		PAGE("<IsTruncated>false</IsTruncated>" OBJECT("a", "1e3")),
		PAGE("<IsTruncated>false</IsTruncated>" OBJECT("a", "99999999999999999999")),
		PAGE("<IsTruncated>false</IsTruncated>" OBJECT("a", "")),
		PAGE("<IsTruncated>false</IsTruncated>" OBJECT("", "1")),
		PAGE("<IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents>"),
		PAGE("<IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>"),
		"<!DOCTYPE x [<!ENTITY a \"false\">]>" PAGE("<IsTruncated>&a;</IsTruncated>"),
		"<!DOCTYPE x SYSTEM \"file:///etc/passwd\">" PAGE(
			"<IsTruncated>false</IsTruncated>"),
		"<ListBucketResult><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
	};
	struct s3_page page;
	struct seen seen;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (read_page(bad[i], &page, &seen) == 0)
			fail_msg("accepted '%s'", bad[i]);
}

TEST(refuses_a_key_that_is_too_long)
{
	char text[S3_KEY_MAX + 200], key[S3_KEY_MAX + 2];
	struct s3_page page;
	struct seen seen;

	memset(key, 'k', sizeof key - 1);
	for (size_t len = S3_KEY_MAX; len <= S3_KEY_MAX + 1; len++) {
		snprintf(text, sizeof text,
			PAGE("<IsTruncated>false</IsTruncated>" OBJECT("%.*s", "1")), (int)len,
			key);
		assert_int_equal(read_page(text, &page, &seen), len <= S3_KEY_MAX ? 0 : -1);
	}
}

TEST(reads_the_code_of_an_error)
{
	char code[S3_CODE_MAX + 1];

	s3_error_code(SPAN("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>"
			   "<Message>The <b>Code</b></Message><Resource>/a</Resource></Error>"),
		code);
	assert_string_equal(code, "NoSuchKey");
	s3_error_code(SPAN("<html><Code>NoSuchKey</Code></html>"), code);
	assert_string_equal(code, "");
	s3_error_code(SPAN("<Error><Code>NoSuchKey</Code>"), code);
	assert_string_equal(code, "");
	s3_error_code((struct span){ 0 }, code);
	assert_string_equal(code, "");
}
