/* varnish_probe.c - the words of a record Backend_health. */
#include "varnish/varnish_stats.h"

#include <string.h>

enum { DIGITS_MAX = 4 };

/* The next word of `*rest`, up to a space; empty at the end. */
static struct span take_word(struct span *rest)
{
	struct span word = { rest->data, 0 };

	while (word.len < rest->len && word.data[word.len] != ' ')
		word.len++;
	rest->data += word.len;
	rest->len -= word.len;
	if (rest->len > 0) {
		rest->data++;
		rest->len--;
	}
	return word;
}

static bool take_number(struct span *rest, unsigned *out)
{
	struct span word = take_word(rest);

	if (word.len == 0 || word.len > DIGITS_MAX)
		return false;
	*out = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(word.data[i] - '0');
	}
	return true;
}

static bool copy_word(struct span word, char out[VARNISH_NAME_MAX])
{
	if (word.len == 0 || word.len >= VARNISH_NAME_MAX ||
		memchr(word.data, '\0', word.len) != NULL)
		return false;
	memcpy(out, word.data, word.len);
	out[word.len] = '\0';
	return true;
}

/* "boot.gateway"; without a dot there is no VCL in it. */
static bool take_name(struct span word, struct varnish_probe *probe)
{
	const uint8_t *dot = word.len == 0 ? NULL : memchr(word.data, '.', word.len);
	size_t vcl_len = dot == NULL ? 0 : (size_t)(dot - word.data);

	probe->vcl[0] = '\0';
	if (dot == NULL)
		return copy_word(word, probe->name);
	return copy_word(span_of(word.data, vcl_len), probe->vcl) &&
	       copy_word(span_of(dot + 1, word.len - vcl_len - 1), probe->name);
}

bool varnish_probe_parse(struct span record, struct varnish_probe *out)
{
	struct varnish_probe probe;
	struct span change, state;

	if (record.len > 0 && record.data[record.len - 1] == '\0')
		record.len--;
	if (!take_name(take_word(&record), &probe))
		return false;
	change = take_word(&record);
	state = take_word(&record);
	if (!span_is(change, "Still") && !span_is(change, "Went") && !span_is(change, "Back"))
		return false;
	probe.healthy = span_is(state, "healthy");
	if (!probe.healthy && !span_is(state, "sick"))
		return false;
	if (take_word(&record).len == 0 || !take_number(&record, &probe.good) ||
		!take_number(&record, &probe.threshold) || !take_number(&record, &probe.window))
		return false;
	*out = probe;
	return true;
}
