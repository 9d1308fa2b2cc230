#include "programs/picstore/conf_edit.h"

#include <string.h>

static struct span trimmed(struct span line)
{
	while (line.len > 0 && strchr(" \t\r\n", line.data[line.len - 1]) != NULL)
		line.len--;
	while (line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
		line.data++;
		line.len--;
	}
	return line;
}

/* The line with its newline, taken off the front of `text`. */
static struct span next_line(struct span *text)
{
	const uint8_t *end = memchr(text->data, '\n', text->len);
	size_t len = end == NULL ? text->len : (size_t)(end - text->data) + 1;
	struct span line = { text->data, len };

	text->data += len;
	text->len -= len;
	return line;
}

static bool is_heading(struct span line, const char *section)
{
	size_t len = strlen(section);

	line = trimmed(line);
	return line.len >= len + 2 && line.data[0] == '[' &&
	       memcmp(line.data + 1, section, len) == 0 && line.data[len + 1] == ']';
}

static bool is_any_heading(struct span line)
{
	line = trimmed(line);
	return line.len > 0 && line.data[0] == '[';
}

static bool is_setting(struct span line, const char *key)
{
	size_t len = strlen(key);
	const uint8_t *sign;

	line = trimmed(line);
	if (line.len < len || memcmp(line.data, key, len) != 0)
		return false;
	sign = memchr(line.data, '=', line.len);
	return sign != NULL && trimmed(span_of(line.data, (size_t)(sign - line.data))).len == len;
}

/* Where in `text` the key stands, or its section, as the offset of the line. */
static bool find(
	struct span text, const char *section, const char *key, size_t *heading, size_t *setting)
{
	const uint8_t *start = text.data;
	bool inside = false, any = false;

	*setting = SIZE_MAX;
	while (text.len > 0) {
		size_t at = (size_t)(text.data - start);
		struct span line = next_line(&text);

		if (is_any_heading(line)) {
			inside = is_heading(line, section);
			if (inside && !any)
				*heading = at;
			any = any || inside;
		} else if (inside && is_setting(line, key)) {
			*setting = at;
			return true;
		}
	}
	return any;
}

void conf_edit_set(
	struct span text, const char *section, const char *key, const char *value, struct buf *out)
{
	size_t heading = 0, setting, split;
	struct span rest;

	if (!find(text, section, key, &heading, &setting)) {
		buf_put_span(out, text);
		if (text.len > 0 && text.data[text.len - 1] != '\n')
			buf_put_str(out, "\n");
		buf_printf(out, "%s[%s]\n%s = %s\n", text.len > 0 ? "\n" : "", section, key, value);
		return;
	}
	split = setting != SIZE_MAX ? setting : heading;
	rest = span_of(text.data + split, text.len - split);
	buf_put(out, text.data, split);
	if (setting == SIZE_MAX) {
		struct span line = next_line(&rest);

		buf_put_span(out, line);
		if (line.data[line.len - 1] != '\n')
			buf_put_str(out, "\n");
	} else {
		next_line(&rest);
	}
	buf_printf(out, "%s = %s\n", key, value);
	buf_put_span(out, rest);
}
