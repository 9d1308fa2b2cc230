/* fuzz_metadata_text.c - what is made of metadata is sorted, has every key once, and stays
 * the same however often it is sent again.
 *
 * The input is the old text, a byte 0, and the new one; a first byte that is odd merges. */
#include "fdfs/metadata_text.h"

#include <assert.h>
#include <string.h>

static void check(struct span text)
{
	struct span key, value, before = { 0 };
	size_t len = 0;

	while (metadata_next(&text, &key, &value)) {
		size_t both = before.len < key.len ? before.len : key.len;

		assert(key.len >= 1 && key.len <= METADATA_KEY_MAX);
		assert(value.len <= METADATA_VALUE_MAX);
		if (before.len > 0) {
			int order = memcmp(before.data, key.data, both);

			assert(order < 0 || (order == 0 && before.len < key.len));
		}
		before = key;
		len += key.len + value.len;
	}
	assert(text.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum metadata_flag flag = size > 0 && data[0] % 2 == 1 ? METADATA_MERGE : METADATA_REPLACE;
	const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
	struct span old = span_of(data, end == NULL ? 0 : (size_t)(end - data));
	struct span text = end == NULL ? span_of(data, size) : span_of(end + 1, size - old.len - 1);
	struct buf out, again;
	struct err err;

	buf_init(&out, 2 * size + 1);
	buf_init(&again, 2 * size + 1);
	if (metadata_change(flag, old, text, &out, &err) != 0) {
		assert(err.code == ERR_BAD_REQUEST && out.len == 0);
	} else {
		assert(buf_ok(&out) && out.len <= size);
		check(buf_span(&out));
		assert(metadata_change(METADATA_MERGE, buf_span(&out), text, &again, &err) == 0);
		assert(span_equal(buf_span(&out), buf_span(&again)));
		buf_clear(&again);
		assert(metadata_change(METADATA_REPLACE, old, buf_span(&out), &again, &err) == 0);
		assert(span_equal(buf_span(&out), buf_span(&again)));
	}
	buf_fini(&out);
	buf_fini(&again);
	return 0;
}
