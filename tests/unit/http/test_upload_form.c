#include "http/upload_form.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define FIELD(name, value)                                                                         \
	"--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_FIELD(filename, value)                                                                \
	"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" filename              \
	"\"\r\nContent-Type: image/jpeg\r\n\r\n" value "\r\n"
#define END "--XX--\r\n"

static struct upload_form form;
static struct err err;

static int read_as(const char *type, struct span body)
{
	upload_form_fini(&form);
	err = (struct err){ 0 };
	return upload_form_read(&form, span_str(type), body, &err);
}

static int read_form(const char *body)
{
	return read_as("multipart/form-data; boundary=XX", span_str(body));
}

static int read_json(const char *body)
{
	return read_as("application/json; charset=utf-8", span_str(body));
}

static enum err_code file_code(size_t max)
{
	struct span file;

	return upload_form_file(&form, max, &file, &err) == 0 ? ERR_NONE : err.code;
}

static void assert_file(const char *bytes)
{
	struct span file = { 0 };

	assert_int_equal(upload_form_file(&form, 1000, &file, &err), 0);
	assert_int_equal(file.len, strlen(bytes));
	assert_memory_equal(file.data, bytes, file.len);
}

TEST(reads_the_fields_of_a_form_in_any_order)
{
	assert_int_equal(read_form(FIELD("type", " jpg\r\n") FILE_FIELD("2m.jpg", "pixels")
					 FIELD("other", "x") FIELD("session_key", "abc") END),
		0);
	assert_true(span_is(form.session_key, "abc"));
	assert_true(span_is(form.type, "jpg"));
	assert_string_equal(form.file_name, "2m.jpg");
	assert_file("pixels");
}

TEST(reads_the_same_fields_from_json)
{
	assert_int_equal(read_json("{\"file\":\"cGl4ZWxz\",\"session_key\":\"abc\",\"x\":[1],"
				   "\"type\":\"image/jpeg\",\"file_name\":\"2m.jpg\"}"),
		0);
	assert_true(span_is(form.session_key, "abc"));
	assert_true(span_is(form.type, "image/jpeg"));
	assert_string_equal(form.file_name, "2m.jpg");
	assert_file("pixels");
	assert_int_equal(read_json("{\"file\":\"data:image/jpeg;base64,cGl4ZWxz\"}"), 0);
	assert_file("pixels");
	assert_int_equal(read_json("{\"file\":\"cGl4\\r\\nZWxz\"}"), 0);
	assert_file("pixels");
}

TEST(a_file_may_be_missing_or_empty)
{
	assert_int_equal(read_form(FIELD("session_key", "abc") END), 0);
	assert_int_equal(file_code(10), ERR_NO_FILE);
	assert_int_equal(read_form(FILE_FIELD("", "") END), 0); /* none was chosen */
	assert_int_equal(file_code(10), ERR_NO_FILE);
	assert_int_equal(read_form(FILE_FIELD("a.jpg", "") END), 0);
	assert_int_equal(file_code(10), ERR_EMPTY_FILE);
	assert_int_equal(read_form(FIELD("file", "") END), 0);
	assert_int_equal(file_code(10), ERR_EMPTY_FILE);
	assert_int_equal(read_form(END), 0);
	assert_int_equal(file_code(10), ERR_NO_FILE);
	assert_int_equal(read_json("{}"), 0);
	assert_int_equal(file_code(10), ERR_NO_FILE);
	assert_int_equal(read_json("{\"file\":null}"), 0);
	assert_int_equal(file_code(10), ERR_NO_FILE);
	assert_int_equal(read_json("{\"file\":\"\"}"), 0);
	assert_int_equal(file_code(10), ERR_EMPTY_FILE);
}

TEST(a_file_has_a_greatest_size)
{
	assert_int_equal(read_form(FILE_FIELD("a.jpg", "12345") END), 0);
	assert_int_equal(file_code(5), ERR_NONE);
	assert_int_equal(file_code(4), ERR_TOO_LARGE);
	assert_int_equal(read_json("{\"file\":\"MTIzNDU=\"}"), 0);
	assert_int_equal(file_code(5), ERR_NONE);
	assert_int_equal(read_json("{\"file\":\"MTIzNDU=\"}"), 0);
	assert_int_equal(file_code(4), ERR_TOO_LARGE);
	assert_int_equal(read_json("{\"file\":\"MTIzNDUxMjM0NTEyMzQ1\"}"), 0);
	assert_int_equal(file_code(4), ERR_TOO_LARGE); /* without decoding it */
	assert_null(form.decoded.data);
}

TEST(refuses_what_is_no_form)
{
	static const char *const json[] = {
		"",
		"[]",
		"null",
		"\"file\"",
		"{\"type\":1}",
		"{\"session_key\":[]}",
		"{\"file\":{}}",
		"{\"file\":\"YQ==\",\"file\":\"Yg==\"}", /* which one? */
		"{\"type\":\"jpg\"}x",
		"{\"type\":\"\xff\"}",
		"{\"type\":\"a\\u0000b\"}",
	};
	static const char *const types[] = { "", "application/x-www-form-urlencoded", "image/jpeg",
		"multipart/mixed; boundary=XX", "multipart/form-data" };

	for (size_t i = 0; i < sizeof json / sizeof json[0]; i++)
		if (read_json(json[i]) == 0)
			fail_msg("took %s", json[i]);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (read_as(types[i], SPAN(END)) == 0)
			fail_msg("took %s", types[i]);
	assert_int_equal(read_form(FIELD("type", "jpg") FIELD("type", "png") END), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(read_json("{\"file\":\"no base64!\"}"), 0);
	assert_int_equal(file_code(100), ERR_BAD_REQUEST);
}

TEST(json_with_many_values_is_refused_before_it_is_parsed)
{
	static char body[40000];
	size_t len = 0;

	len += (size_t)sprintf(body, "{\"file\":\"YQ==\",\"type\":\"\\\",\",\"other\":[");
	while (len < 2900)
		len += (size_t)sprintf(body + len, "1,");
	sprintf(body + len, "1]}");
	assert_int_equal(read_json(body), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_non_null(strstr(err.text, "over 1000 values"));
	for (size_t i = 0; i < sizeof body - 1; i++)
		body[i] = i % 2 == 0 ? '[' : '{';
	assert_int_equal(read_json(body), -1);
	assert_non_null(strstr(err.text, "over 1000 values"));
	len = (size_t)sprintf(body, "{\"file\":\"YQ==\",\"other\":\"");
	while (len < 30000)
		len += (size_t)sprintf(body + len, "{[,\\\",");
	strcpy(body + len, "\"}");
	assert_int_equal(read_json(body), 0); /* they stand in a text */
	assert_file("a");
}

TEST(file_names_lose_paths_and_what_does_harm)
{
	static const struct {
		const char *sent, *kept;
	} names[] = {
		{ "2m.jpg", "2m.jpg" }, { "", "" }, { "/etc/passwd", "passwd" },
		{ "..\\..\\a.jpg", "a.jpg" },
		{ "C:\\Documents and Settings\\me\\2m.jpg", "2m.jpg" }, { "dir/", "" },
		{ "a\r\nb\tc\x7f.jpg", "abc.jpg" },
		{ "\xe7\x85\xa7\xe7\x89\x87.jpg", "\xe7\x85\xa7\xe7\x89\x87.jpg" },
		{ "\xd6\xd0\xce\xc4.jpg", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.jpg" },
		{ "\xc0\xaf.jpg", "\xef\xbf\xbd\xef\xbf\xbd.jpg" },                 /* overlong */
		{ "\xed\xa0\x80.jpg", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.jpg" }, /* surrogate */
		{ "\xf0\x9f\x98\x80.jpg", "\xf0\x9f\x98\x80.jpg" },
		{ "\xe2\x80\xaegpj.exe", "gpj.exe" }, /* right to left */
		{ "\xc2\x85.jpg", ".jpg" },
		{ "a\xe7\x85", "a\xef\xbf\xbd\xef\xbf\xbd" }, /* cut off */
	};
	char out[UPLOAD_FILE_NAME_MAX + 1], longer[600];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		upload_file_name(span_str(names[i].sent), out);
		assert_string_equal(out, names[i].kept);
	}
	for (size_t i = 0; i < 400; i += 2)
		memcpy(longer + i, "\xc3\xa4", 2);
	upload_file_name(span_of(longer, 400), out);
	assert_int_equal(strlen(out), 254); /* no half character at the end */
}
