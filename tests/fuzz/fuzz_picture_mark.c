/* fuzz_picture_mark.c - what takes a mark has it afterwards, is of the same length for each
 * number, and can be marked again.
 *
 * The first byte is the format, the rest the picture. */
#include "image/picture_mark.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t number = UINT64_C(0xfedcba9876543210);
	enum picture_format format;
	struct span picture;
	struct buf out, other;
	struct err err = { 0 };

	if (size == 0)
		return 0;
	format = data[0] % PICTURE_FORMATS;
	picture = span_of(data + 1, size - 1);
	buf_init(&out, size + PICTURE_MARK_MAX);
	buf_init(&other, size + PICTURE_MARK_MAX);
	if (picture_mark(picture, format, number, &out, &err) != 0) {
		assert(err.code == ERR_TRUNCATED || err.code == ERR_UNSUPPORTED);
	} else {
		assert(out.len > picture.len && out.len <= picture.len + PICTURE_MARK_MAX);
		assert(picture_has_mark(buf_span(&out), number));
		assert(picture_mark(picture, format, 0, &other, &err) == 0);
		assert(other.len == out.len);
		/* It can be marked again, since its form is whole. */
		buf_clear(&other);
		assert(picture_mark(buf_span(&out), format, 1, &other, &err) == 0 ||
			err.code == ERR_TOO_LARGE);
	}
	buf_fini(&out);
	buf_fini(&other);
	return 0;
}
