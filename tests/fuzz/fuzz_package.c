/* What is decoded encodes to the bytes that it came from. */
#include "wire/package.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text of a url ends at its first NUL: bytes behind it need not come back. */
static bool url_is_canonical(const uint8_t *url)
{
	size_t len = strnlen((const char *)url, PACKAGE_URL_LEN);

	for (size_t i = len; i < PACKAGE_URL_LEN; i++)
		if (url[i] != 0)
			return false;
	return true;
}

static void check(struct buf *out, struct span body)
{
	assert(buf_ok(out));
	assert(span_equal(buf_span(out), body));
	buf_clear(out);
}

static void try_bodies(struct span body, enum byte_order order)
{
	struct package_session session;
	struct package_item item;
	struct package_cut cut;
	struct buf out;
	uint32_t count, used, left;

	buf_init(&out, 1 << 20);
	if (package_cut_decode(body, order, &cut) && url_is_canonical(body.data + 4)) {
		package_cut_encode(&out, order, &cut);
		check(&out, body);
	}
	if (package_session_decode(body, order, &session)) {
		package_session_encode(&out, order, &session);
		check(&out, body);
	}
	if (package_session_reply_decode(body, order, &used, &left)) {
		package_session_reply_encode(&out, order, used, left);
		check(&out, body);
	}
	if (package_delete_decode(body, order, &count)) {
		bool canonical = true;

		package_put_u32(&out, order, count);
		for (uint32_t i = 0; i < count; i++) {
			canonical = canonical && url_is_canonical(body.data + 4 + 68 * i + 4);
			package_delete_at(body, order, i, &item);
			package_item_encode(&out, order, &item);
		}
		assert(buf_ok(&out) && out.len == body.len);
		if (canonical)
			check(&out, body);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PACKAGE_HEADER_LEN];
	struct package package;

	for (int order = ORDER_LITTLE; order <= ORDER_BIG; order++) {
		try_bodies(span_of(data, size), (enum byte_order)order);
		if (size < PACKAGE_HEADER_LEN ||
			!package_header_decode(data, (enum byte_order)order, &package))
			continue;
		package_header_encode(&package, (enum byte_order)order, again);
		assert(memcmp(again, data, sizeof again) == 0);
		try_bodies(span_of(data + PACKAGE_HEADER_LEN, size - PACKAGE_HEADER_LEN),
			(enum byte_order)order);
	}
	return 0;
}
