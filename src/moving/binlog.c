#include "moving/binlog.h"

/* The next word; false if there is none.  One space stands between two. */
static bool word(struct span *line, struct span *out)
{
	size_t len = 0;

	while (len < line->len && line->data[len] != ' ')
		len++;
	*out = span_of(line->data, len);
	if (len < line->len)
		len++;
	line->data += len;
	line->len -= len;
	return out->len > 0;
}

static bool time_of(struct span text, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		*out = *out * 10 + (text.data[i] - '0');
	}
	return text.len <= 12;
}

bool binlog_parse(struct span line, const char *group, struct binlog_line *out)
{
	struct span time, letter, name, more;

	if (line.len > BINLOG_LINE_MAX || !word(&line, &time) || time.len > 12 ||
		!time_of(time, &out->time) || !word(&line, &letter) || letter.len != 1 ||
		!word(&line, &name) || !file_id_parse_name(span_str(group), name, &out->id))
		return false;
	switch (letter.data[0] | 0x20) {
	case 'c':
	case 'l':
		out->what = BINLOG_MADE;
		return true;
	case 'd':
		out->what = BINLOG_REMOVED;
		return true;
	case 'r':
		if (word(&line, &more) && file_id_parse_name(span_str(group), more, &out->other)) {
			out->what = BINLOG_RENAMED;
			return true;
		}
		break;
	}
	if ((letter.data[0] | 0x20) < 'a' || (letter.data[0] | 0x20) > 'z')
		return false;
	out->what = BINLOG_CHANGED;
	return true;
}
