#include "http/http_range.h"

/* Take decimal digits off the front of `text`.  Returns false if there are none; a
 * number that is too large is the greatest one, which is as far outside. */
static bool take_number(struct span *text, uint64_t *number)
{
	size_t at = 0;
	uint64_t value = 0;

	for (; at < text->len && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
		unsigned digit = text->data[at] - '0';

		if (value > (UINT64_MAX - digit) / 10)
			value = UINT64_MAX;
		else
			value = value * 10 + digit;
	}
	*text = span_of(text->data + at, text->len - at);
	*number = value;
	return at > 0;
}

static bool take_char(struct span *text, uint8_t c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;
	*text = span_of(text->data + 1, text->len - 1);
	return true;
}

/* "-N": the last N bytes. */
static enum http_range suffix(struct span text, uint64_t size, uint64_t *first, uint64_t *len)
{
	uint64_t count;

	if (!take_number(&text, &count) || text.len != 0)
		return HTTP_RANGE_WHOLE;
	if (count == 0 || size == 0)
		return HTTP_RANGE_OUTSIDE;
	*len = count < size ? count : size;
	*first = size - *len;
	return HTTP_RANGE_PART;
}

enum http_range http_range_parse(struct span value, uint64_t size, uint64_t *first, uint64_t *len)
{
	static const struct span unit = { (const uint8_t *)"bytes=", 6 };
	struct span text;
	uint64_t from, to;

	if (value.len <= unit.len || !span_equal_nocase(span_of(value.data, unit.len), unit))
		return HTTP_RANGE_WHOLE;
	text = span_of(value.data + unit.len, value.len - unit.len);
	if (take_char(&text, '-'))
		return suffix(text, size, first, len);
	if (!take_number(&text, &from) || !take_char(&text, '-'))
		return HTTP_RANGE_WHOLE;
	if (text.len == 0)
		to = UINT64_MAX;
	else if (!take_number(&text, &to) || text.len != 0 || to < from)
		return HTTP_RANGE_WHOLE;
	if (from >= size)
		return HTTP_RANGE_OUTSIDE;
	*first = from;
	*len = (to < size ? to + 1 : size) - from;
	return HTTP_RANGE_PART;
}
