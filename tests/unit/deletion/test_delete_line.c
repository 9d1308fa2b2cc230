#include "deletion/delete_line.h"
#include "unit.h"

#include <string.h>

#define URL  "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define LINE "2026-11-22T15:30:00.123Z delete 7 10001 " URL " "

static const struct delete_line sample = {
	.time_ms = INT64_C(1795361400123), .hostid = 7, .user = 10001, .url = { URL }
};

static struct span put(struct buf *out, const struct delete_line *line)
{
	buf_init(out, 1000);
	delete_line_put(out, line);
	assert_true(buf_ok(out));
	assert_int_equal(out->data[out->len - 1], '\n');
	return span_of(out->data, out->len - 1);
}

TEST(a_line_is_time_verb_hostid_user_url_crc)
{
	struct buf out;
	struct span text = put(&out, &sample);

	assert_int_equal(text.len, strlen(LINE) + 8);
	assert_memory_equal(text.data, LINE, strlen(LINE));
	buf_fini(&out);
}

TEST(reads_back_what_it_writes)
{
	struct delete_line line, most = sample;
	struct buf out;

	most.verb = DELETE_VERB_UNDELETE;
	most.hostid = most.user = UINT32_MAX;
	most.time_ms = INT64_C(253402300799999);
	assert_true(delete_line_parse(put(&out, &most), &line));
	assert_int_equal(line.time_ms, most.time_ms);
	assert_int_equal(line.verb, DELETE_VERB_UNDELETE);
	assert_int_equal(line.hostid, UINT32_MAX);
	assert_int_equal(line.user, UINT32_MAX);
	assert_string_equal(line.url.text, URL);
	assert_true(out.len <= DELETE_LINE_MAX);
	buf_fini(&out);
}

TEST(the_longest_url_fits)
{
	static const char url[] = "0123456789abcdef/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg";
	struct delete_line line = sample;
	struct buf out;

	assert_true(delete_line_url_ok(span_str(url)));
	line.hostid = line.user = UINT32_MAX;
	line.verb = DELETE_VERB_UNDELETE;
	strcpy(line.url.text, url);
	put(&out, &line);
	assert_true(out.len <= DELETE_LINE_MAX);
	assert_true(delete_line_parse(span_of(out.data, out.len - 1), &line));
	buf_fini(&out);
}

TEST(any_changed_byte_is_noticed)
{
	struct delete_line line;
	struct buf out;
	struct span text = put(&out, &sample);

	for (size_t i = 0; i < text.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			out.data[i] ^= (uint8_t)(1 << bit);
			if (delete_line_parse(text, &line))
				fail_msg("bit %d of byte %zu", bit, i);
			out.data[i] ^= (uint8_t)(1 << bit);
		}
	}
	buf_fini(&out);
}

TEST(a_part_of_a_line_is_none)
{
	struct delete_line line;
	struct buf out;
	struct span text = put(&out, &sample);

	for (size_t len = 0; len < text.len; len++)
		assert_false(delete_line_parse(span_of(text.data, len), &line));
	for (size_t from = 1; from < text.len; from++)
		assert_false(delete_line_parse(span_of(text.data + from, text.len - from), &line));
	buf_fini(&out);
}

TEST(urls_are_ids_and_nothing_else)
{
	static const char *const bad[] = { "", "/" URL, URL " ", "g01/M00/00/00/x.jpg",
		"../../../../../etc/passwd", "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jp\n" };

	assert_true(delete_line_url_ok(span_str(URL)));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(delete_line_url_ok(span_str(bad[i])));
}
