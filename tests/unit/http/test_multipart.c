#include "http/multipart.h"
#include "unit.h"

#include <string.h>

static struct multipart_part parts[8];

/* How many parts, -1 for a form that is refused; they are in `parts`. */
static int read_with(const char *content_type, struct span body)
{
	struct multipart multipart;
	struct err err = { 0 };
	int count = 0, got;

	if (multipart_open(&multipart, span_str(content_type), body, &err) < 0) {
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		return -1;
	}
	while ((got = multipart_next(&multipart, &parts[count], &err)) > 0)
		assert_true(++count < 8);
	assert_true(got == 0 || err.code == ERR_BAD_REQUEST);
	return got < 0 ? -1 : count;
}

static int read_text(const char *body)
{
	return read_with("multipart/form-data; boundary=XX", span_str(body));
}

static void assert_data(const struct multipart_part *part, const char *name, const char *data)
{
	assert_string_equal(part->name, name);
	assert_int_equal(part->data.len, strlen(data));
	assert_memory_equal(part->data.data, data, part->data.len);
}

#define FILE_PART(disposition)                                                                     \
	"--XX\r\nContent-Disposition: " disposition "\r\n\r\nbytes\r\n--XX--\r\n"

TEST(reads_what_curl_sends)
{
	assert_int_equal(
		read_with("multipart/form-data; boundary=------------------------d74496d66958873e",
			SPAN("--------------------------d74496d66958873e\r\n"
			     "Content-Disposition: form-data; name=\"session_key\"\r\n\r\nabc\r\n"
			     "--------------------------d74496d66958873e\r\n"
			     "Content-Disposition: form-data; name=\"file\"; "
			     "filename=\"2m.jpg\"\r\n"
			     "Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n\xff\r\n"
			     "--------------------------d74496d66958873e--\r\n")),
		2);
	assert_data(&parts[0], "session_key", "abc");
	assert_false(parts[0].has_filename);
	assert_data(&parts[1], "file", "\xff\xd8\r\n\xff");
	assert_string_equal(parts[1].filename, "2m.jpg");
}

TEST(reads_what_flash_sends)
{
	assert_int_equal(
		read_with("multipart/form-data; boundary=----------Ij5GI3cH2KM7ei4gL6Ij5cH2ae0Ij5",
			SPAN("------------Ij5GI3cH2KM7ei4gL6Ij5cH2ae0Ij5\r\n"
			     "Content-Disposition: form-data; name=\"Filename\"\r\n\r\na.png\r\n"
			     "------------Ij5GI3cH2KM7ei4gL6Ij5cH2ae0Ij5\r\n"
			     "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n"
			     "Content-Type: application/octet-stream\r\n\r\npng\r\n"
			     "------------Ij5GI3cH2KM7ei4gL6Ij5cH2ae0Ij5\r\n"
			     "Content-Disposition: form-data; name=\"Upload\"\r\n\r\nSubmit "
			     "Query\r\n"
			     "------------Ij5GI3cH2KM7ei4gL6Ij5cH2ae0Ij5--")),
		3);
	assert_data(&parts[1], "file", "png");
}

TEST(takes_boundaries_of_any_spelling)
{
	static const char *const types[] = {
		"multipart/form-data; boundary=XX",
		"multipart/form-data;boundary=\"XX\"",
		"multipart/form-data; charset=utf-8; BOUNDARY=XX; foo=bar",
		"multipart/form-data ; boundary = XX ",
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (read_with(types[i], SPAN(FILE_PART("form-data; name=\"file\""))) != 1)
			fail_msg("not with %s", types[i]);
	assert_int_equal(read_with("multipart/form-data; boundary=\"a b'()+_,-./:=?\"",
				 SPAN("--a b'()+_,-./:=?\r\nA: b\r\n\r\nx\r\n--a b'()+_,-./:=?--")),
		1);
}

TEST(refuses_boundaries_that_are_none)
{
	static const char *const types[] = {
		"multipart/form-data",
		"multipart/form-data;",
		"multipart/form-data; boundary",
		"multipart/form-data; boundary=",
		"multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"XX",
		"multipart/form-data; boundary=\"XX \"",
		"multipart/form-data; boundary=X*",
		"multipart/form-data; "
		"boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (read_with(types[i], SPAN(FILE_PART("form-data; name=\"file\""))) != -1)
			fail_msg("took %s", types[i]);
}

TEST(preamble_epilogue_and_blanks_are_passed_over)
{
	assert_int_equal(read_text("not for us\r\n--XX \t\r\nContent-Disposition: form-data; "
				   "name=a\r\n\r\n1\r\n--XX--\r\nnor this\r\n--XX\r\n"),
		1);
	assert_data(&parts[0], "a", "1");
}

TEST(a_line_that_only_begins_like_the_boundary_is_data)
{
	assert_int_equal(read_text("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
				   "1\r\n--XXY\r\n--XX-\r\n-XX\r\n--X\r\n\r\n--XX--"),
		1);
	assert_data(&parts[0], "a", "1\r\n--XXY\r\n--XX-\r\n-XX\r\n--X\r\n");
}

TEST(a_form_that_was_cut_off_is_refused)
{
	static const char whole[] = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
				    "1\r\n--XX\r\nContent-Disposition: form-data; "
				    "name=\"b\"\r\n\r\n2\r\n--XX--\r\n";
	size_t needed = strlen(whole) - 2; /* the last CRLF says nothing */

	for (size_t len = 0; len < needed; len++)
		if (read_with("multipart/form-data; boundary=XX", span_of(whole, len)) != -1)
			fail_msg("took the first %zu bytes", len);
	assert_int_equal(read_with("multipart/form-data; boundary=XX", span_of(whole, needed)), 2);
}

TEST(an_empty_part_and_an_empty_form_are_fine)
{
	assert_int_equal(
		read_text("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--XX--"),
		1);
	assert_data(&parts[0], "a", "");
	assert_int_equal(read_text("--XX--\r\n"), 0);
	assert_int_equal(read_text("--XX\r\n\r\nno headers\r\n--XX--"), 1);
	assert_data(&parts[0], "", "no headers");
}

TEST(malformed_parts_are_refused)
{
	static const char *const bad[] = {
		"",
		"--XX",
		"--XX\r\n--XX--",                                               /* no empty line */
		"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n--XX--", /* likewise */
		"--XX\r\nno colon\r\n\r\n1\r\n--XX--",
		FILE_PART("form-data; name=\"open"),
		FILE_PART("form-data; name=\"a\"b; x=y"),
		"--XX\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--XX--",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (read_text(bad[i]) != -1)
			fail_msg("took '%s'", bad[i]);
}

TEST(headers_and_parts_are_bounded)
{
	struct buf body;

	buf_init(&body, 1 << 20);
	buf_put_str(&body, "--XX\r\nX: ");
	for (int i = 0; i < MULTIPART_HEADERS_MAX; i++)
		buf_put_u8(&body, 'a');
	buf_put_str(&body, "\r\n\r\n1\r\n--XX--");
	assert_int_equal(read_with("multipart/form-data; boundary=XX", buf_span(&body)), -1);
	buf_clear(&body);
	for (int i = 0; i <= MULTIPART_PARTS_MAX; i++)
		buf_put_str(&body, "--XX\r\n\r\n1\r\n");
	buf_put_str(&body, "--XX--");
	{
		struct multipart multipart;
		struct multipart_part part;
		int got, count = 0;

		assert_int_equal(
			multipart_open(&multipart, SPAN("multipart/form-data; boundary=XX"),
				buf_span(&body), NULL),
			0);
		while ((got = multipart_next(&multipart, &part, NULL)) > 0)
			count++;
		assert_int_equal(got, -1);
		assert_int_equal(count, MULTIPART_PARTS_MAX);
	}
	buf_fini(&body);
}

TEST(reads_file_names_of_all_browsers)
{
	static const struct {
		const char *body, *filename;
	} names[] = {
		{ FILE_PART("form-data; name=\"file\"; filename=\"a.jpg\""), "a.jpg" },
		{ FILE_PART("form-data; filename=a.jpg; name=file"), "a.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"a;b=c.jpg\""), "a;b=c.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"C:\\my\\a.jpg\""),
			"C:\\my\\a.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"a\\\"b.jpg\""), "a\"b.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"a%22b.jpg\""), "a\"b.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"100%.jpg\""), "100%.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"\xe7\x85\xa7\xe7\x89\x87.jpg\""),
			"\xe7\x85\xa7\xe7\x89\x87.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"x\"; "
			    "filename*=UTF-8''%e7%85%a7%e7%89%87.jpg"),
			"\xe7\x85\xa7\xe7\x89\x87.jpg" },
		{ FILE_PART(
			  "form-data; name=\"file\"; filename*=utf-8'en'a%20b.jpg; filename=\"x\""),
			"a b.jpg" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"x\"; filename*=koi8-r''%c1"),
			"x" },
		{ FILE_PART("form-data; name=\"file\"; filename=\"\""), "" },
		{ "--XX\r\ncontent-type: image/png\r\nCONTENT-DISPOSITION: form-data;\r\n\t"
		  "name=\"file\";\r\n filename=\"folded.jpg\"\r\n\r\nbytes\r\n--XX--",
			"folded.jpg" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (read_text(names[i].body) != 1)
			fail_msg("%zu: not read", i);
		assert_data(&parts[0], "file", "bytes");
		assert_true(parts[0].has_filename);
		assert_string_equal(parts[0].filename, names[i].filename);
	}
}

TEST(a_long_file_name_keeps_its_end)
{
	struct buf body;

	buf_init(&body, 10000);
	buf_put_str(&body, "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"");
	for (int i = 0; i < 3000; i++)
		buf_put_u8(&body, 'a');
	buf_put_str(&body, "/b.jpg\"\r\n\r\nbytes\r\n--XX--");
	assert_int_equal(read_with("multipart/form-data; boundary=XX", buf_span(&body)), 1);
	assert_int_equal(strlen(parts[0].filename), MULTIPART_FILENAME_MAX);
	assert_string_equal(parts[0].filename + MULTIPART_FILENAME_MAX - 6, "/b.jpg");
	buf_fini(&body);
}
