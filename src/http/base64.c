#include "http/base64.h"

#include <string.h>

enum { BLANK = 64, PADDING = 65, WRONG = 66 };

static uint8_t value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	if (c == '=')
		return PADDING;
	return c == '\r' || c == '\n' || c == ' ' || c == '\t' ? BLANK : WRONG;
}

bool base64_decode(struct span text, struct buf *out)
{
	uint8_t *to = buf_reserve(out, text.len / 4 * 3 + 3);
	size_t digits = 0, pads = 0, len = 0;
	uint8_t table[256];
	uint32_t bits = 0;

	if (to == NULL)
		return false;
	for (int c = 0; c < 256; c++)
		table[c] = value_of((uint8_t)c);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = table[text.data[i]];

		if (value < BLANK && pads == 0) {
			bits = bits << 6 | value;
			if (++digits % 4 == 0) {
				to[len++] = (uint8_t)(bits >> 16);
				to[len++] = (uint8_t)(bits >> 8);
				to[len++] = (uint8_t)bits;
			}
		} else if (value == PADDING) {
			pads++;
		} else if (value != BLANK) {
			return false;
		}
	}
	if (digits % 4 == 1 || pads > 2 || (pads > 0 && (digits + pads) % 4 != 0))
		return false;
	if (digits % 4 == 2) {
		to[len++] = (uint8_t)(bits >> 4);
	} else if (digits % 4 == 3) {
		to[len++] = (uint8_t)(bits >> 10);
		to[len++] = (uint8_t)(bits >> 2);
	}
	out->len += len;
	return true;
}
