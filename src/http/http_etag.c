#include "http/http_etag.h"

#include <string.h>

static struct span skip(struct span text, size_t len)
{
	return span_of(text.data + len, text.len - len);
}

static struct span skip_separators(struct span text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t' || text.data[0] == ','))
		text = skip(text, 1);
	return text;
}

bool http_etag_listed(struct span list, struct span etag)
{
	list = skip_separators(list);
	if (span_is(list, "*"))
		return true;
	while (list.len > 0) {
		const uint8_t *end;
		size_t len;

		if (list.len >= 2 && memcmp(list.data, "W/", 2) == 0)
			list = skip(list, 2);
		if (list.len < 2 || list.data[0] != '"')
			return false;
		end = memchr(list.data + 1, '"', list.len - 1);
		if (end == NULL)
			return false;
		len = (size_t)(end - list.data) + 1;
		if (span_equal(span_of(list.data, len), etag))
			return true;
		list = skip_separators(skip(list, len));
	}
	return false;
}
