/* However the bytes of a connection are split, the same requests come out, the same
 * bytes go back, and it ends in the same way. */
#include "http/fcgi.h"

#include <assert.h>
#include <string.h>

enum { MAX_BODY = 3000 };

static void put_span(struct buf *out, struct span span)
{
	buf_put_le32(out, (uint32_t)span.len);
	buf_put_span(out, span);
}

static void put_request(struct buf *out, const struct fcgi_reader *reader)
{
	struct http_request request = { 0 };
	struct err err = { 0 };

	if (fcgi_request(reader, &request, &err) != 0) {
		assert(err.code == ERR_BAD_REQUEST || err.code == ERR_TOO_LARGE);
		buf_put_str(out, err.text);
		return;
	}
	assert(request.target.len > 0 && request.body.len <= MAX_BODY);
	buf_put_u8(out, (uint8_t)request.method);
	buf_put_le16(out, reader->id);
	put_span(out, request.target);
	put_span(out, request.content_type);
	put_span(out, request.if_none_match);
	put_span(out, request.range);
	put_span(out, request.forwarded_for);
	put_span(out, request.body);
}

/* All that happens on a connection whose bytes come in parts of at most `step`. */
static void converse(struct span bytes, size_t step, struct buf *out)
{
	enum fcgi_event event = FCGI_MORE;
	struct fcgi_reader reader;
	size_t at = 0;

	fcgi_reader_init(&reader, MAX_BODY, 8);
	while (at < bytes.len && (event == FCGI_MORE || event == FCGI_REQUEST)) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		size_t taken = fcgi_read(&reader, span_of(bytes.data + at, len), &event);

		assert(taken <= len && (taken == len || event != FCGI_MORE));
		at += taken;
		buf_put_span(out, buf_span(&reader.out));
		buf_clear(&reader.out);
		if (event == FCGI_REQUEST) {
			put_request(out, &reader);
			fcgi_reader_next(&reader);
		}
	}
	buf_put_u8(out, (uint8_t)event);
	buf_put_le64(out, at);
	fcgi_reader_fini(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t steps[] = { 1, 7, size / 2 + 1 };
	struct buf whole, parts;

	buf_init(&whole, 64 << 20);
	buf_init(&parts, 64 << 20);
	converse(span_of(data, size), SIZE_MAX, &whole);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		buf_clear(&parts);
		converse(span_of(data, size), steps[i], &parts);
		assert(buf_ok(&whole) && buf_ok(&parts));
		assert(span_equal(buf_span(&whole), buf_span(&parts)));
	}
	buf_fini(&whole);
	buf_fini(&parts);
	return 0;
}
