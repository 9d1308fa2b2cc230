#include "http/header_param.h"

#include <string.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span header_trim(struct span text)
{
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	while (text.len > 0 && is_blank(text.data[0]))
		text = span_of(text.data + 1, text.len - 1);
	return text;
}

static struct span until(struct span text, uint8_t stop)
{
	const uint8_t *found = text.len > 0 ? memchr(text.data, stop, text.len) : NULL;

	return found == NULL ? text : span_of(text.data, (size_t)(found - text.data));
}

static struct span behind(struct span text, size_t len)
{
	return len < text.len ? span_of(text.data + len, text.len - len) : span_of(NULL, 0);
}

struct span header_word(struct span value)
{
	return header_trim(until(value, ';'));
}

/* The length of the quoted string that `text` starts with, quotes included; 0 if it
 * does not end.  A backslash takes the sense from a quote behind it and from nothing
 * else: old browsers send C:\pictures\ as it is. */
static size_t quoted_len(struct span text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] == '"')
			return i + 1;
		if (text.data[i] == '\\' && i + 1 < text.len && text.data[i + 1] == '"')
			i++;
	}
	return 0;
}

int header_param_next(struct span *rest, struct header_param *param)
{
	struct span text = *rest;
	size_t len = until(text, ';').len;

	/* In front of the first parameter stands the word, of a later one nothing. */
	do {
		text = header_trim(behind(text, len + 1));
		len = 0;
	} while (text.len > 0 && text.data[0] == ';');
	*rest = span_of(NULL, 0);
	if (text.len == 0)
		return 0;
	len = until(until(text, ';'), '=').len;
	*param = (struct header_param){ .name = header_trim(span_of(text.data, len)) };
	text = behind(text, len);
	if (text.len > 0 && text.data[0] == '=')
		text = header_trim(behind(text, 1));
	if (text.len > 0 && text.data[0] == '"') {
		len = quoted_len(text);
		if (len == 0)
			return -1;
		param->quoted = true;
		param->value = span_of(text.data + 1, len - 2);
		text = header_trim(behind(text, len));
		if (text.len > 0 && text.data[0] != ';')
			return -1;
	} else {
		param->value = header_word(text);
		text = behind(text, until(text, ';').len);
	}
	*rest = text;
	return param->name.len > 0 ? 1 : -1;
}
