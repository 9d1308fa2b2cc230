#include "proto_kit.h"

#include "unit.h"

#include <string.h>

struct span hex(const char *text)
{
	static uint8_t bytes[4096];
	static const char digits[] = "0123456789abcdef";
	size_t len = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		assert_true(len < sizeof bytes);
		if (*text == '.') {
			bytes[len++] = 0;
			continue;
		}
		bytes[len] = (uint8_t)((strchr(digits, text[0]) - digits) << 4 |
				       (strchr(digits, text[1]) - digits));
		len++;
		text++;
	}
	return span_of(bytes, len);
}

struct buf out;

struct buf *fresh(void)
{
	buf_fini(&out);
	buf_init(&out, 1 << 20);
	return &out;
}

void expect(const char *text)
{
	struct span want = hex(text);

	assert_true(buf_ok(&out));
	assert_int_equal(out.len, want.len);
	assert_memory_equal(out.data, want.data, want.len);
}
