#include "core/crc32.h"
#include "programs/picstore/tiny_png.h"
#include "unit.h"

#include <string.h>

TEST(a_picture_is_a_row_of_sound_chunks)
{
	static const char *const types[] = { "IHDR", "IDAT", "IEND" };
	struct buf png;
	struct cursor in;

	buf_init(&png, 1 << 20);
	tiny_png(&png, 1);
	assert_true(buf_ok(&png));
	in = cursor_of(buf_span(&png));
	assert_true(span_equal(cursor_get_span(&in, 8), SPAN("\x89PNG\r\n\x1a\n")));
	for (size_t i = 0; i < 3; i++) {
		uint32_t len = cursor_get_be32(&in);
		struct span chunk = cursor_get_span(&in, 4 + (size_t)len);

		assert_memory_equal(chunk.data, types[i], 4);
		assert_int_equal(cursor_get_be32(&in), crc32_add(0, chunk));
	}
	assert_true(cursor_end(&in));
	buf_fini(&png);
}

TEST(another_seed_is_another_picture)
{
	struct buf a, b;

	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	tiny_png(&a, 1);
	tiny_png(&b, 2);
	assert_int_equal(a.len, b.len);
	assert_false(span_equal(buf_span(&a), buf_span(&b)));
	buf_fini(&a);
	buf_fini(&b);
}
