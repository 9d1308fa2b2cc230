#include "core/conf_value.h"

#include "core/address.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 60 }; /* of a wrong value, in an error */

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit size_units[] = {
	{ "", 1 },
	{ "K", INT64_C(1) << 10 },
	{ "M", INT64_C(1) << 20 },
	{ "G", INT64_C(1) << 30 },
	{ "T", INT64_C(1) << 40 },
	{ NULL, 0 },
};
static const struct unit duration_units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60000 },
	{ "h", 3600000 },
	{ "d", 86400000 },
	{ NULL, 0 },
};

static const struct unit *units_of(enum conf_type type)
{
	return type == CONF_SIZE ? size_units : type == CONF_DURATION ? duration_units : no_units;
}

static void *check_memory(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static char *copy_text(struct span text)
{
	char *copy = check_memory(malloc(text.len + 1));

	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

static int refuse(struct err *err, struct span text, const char *what)
{
	bool cut = text.len > SHOWN_MAX;

	return err_set(err, ERR_CONFIG, "'%.*s%s' is not %s", cut ? SHOWN_MAX : (int)text.len,
		(const char *)text.data, cut ? "..." : "", what);
}

/* Text that may go on as a C string; the reader has refused NULs already, but a command
 * line's value comes straight here. */
static bool plain_text(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.data[i] < 0x20 && text.data[i] != '\t') || text.data[i] == 0x7f)
			return false;
	return true;
}

static int parse_bool(struct span text, bool *out, struct err *err)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (span_is(text, words[i])) {
			*out = i % 2 == 1;
			return 0;
		}
	return refuse(err, text, "yes or no");
}

static int refuse_number(const struct conf_key *key, struct span text, struct err *err)
{
	switch (key->type) {
	case CONF_SIZE:
		return refuse(err, text, "a size: digits, then K, M, G, T or nothing (bytes)");
	case CONF_DURATION:
		return refuse(err, text, "a time: digits, then ms, s, m, h or d");
	default:
		return refuse(err, text, "a whole number");
	}
}

static int refuse_bounds(const struct conf_key *key, struct span text, struct err *err)
{
	struct buf low, high;

	buf_init(&low, 64);
	buf_init(&high, 64);
	conf_value_put_bound(key, key->min, &low);
	conf_value_put_bound(key, key->max, &high);
	err_set(err, ERR_CONFIG, "'%.*s' is not between %.*s and %.*s",
		text.len > SHOWN_MAX ? SHOWN_MAX : (int)text.len, (const char *)text.data,
		(int)low.len, (const char *)low.data, (int)high.len, (const char *)high.data);
	buf_fini(&low);
	buf_fini(&high);
	return -1;
}

static int parse_number(const struct conf_key *key, struct span text, int64_t *out, struct err *err)
{
	bool minus = key->type == CONF_INT && text.len > 1 && text.data[0] == '-';
	size_t start = minus ? 1 : 0, at = start;
	const struct unit *unit = units_of(key->type);
	int64_t value = 0;

	for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, text.data[at] - '0', &value))
			return refuse(err, text, "a number that fits 64 bits");
	if (at == start)
		return refuse_number(key, text, err);
	while (unit->name != NULL && !span_is(span_of(text.data + at, text.len - at), unit->name))
		unit++;
	/* "0" says the same in every unit. */
	if (unit->name == NULL && !(value == 0 && at == text.len))
		return refuse_number(key, text, err);
	if (unit->name != NULL && __builtin_mul_overflow(value, unit->factor, &value))
		return refuse(err, text, "a number that fits 64 bits");
	if (minus)
		value = -value;
	if ((key->min != 0 || key->max != 0) && (value < key->min || value > key->max))
		return refuse_bounds(key, text, err);
	*out = value;
	return 0;
}

static int parse_mode(struct span text, int64_t *out, struct err *err)
{
	int64_t mode = 0;
	bool good = text.len == 3 || (text.len == 4 && text.data[0] == '0');

	for (size_t i = 0; good && i < text.len; i++) {
		good = text.data[i] >= '0' && text.data[i] <= '7';
		mode = mode * 8 + text.data[i] - '0';
	}
	if (!good)
		return refuse(err, text, "a file mode of three octal digits, such as 660");
	*out = mode;
	return 0;
}

static int parse_choice(const struct conf_key *key, struct span text, int64_t *out, struct err *err)
{
	const char *word = key->choices;
	char what[128];

	for (int64_t index = 0; *word != '\0'; index++) {
		size_t len = strcspn(word, "|");

		if (text.len > 0 && span_equal(text, span_of(word, len))) {
			*out = index;
			return 0;
		}
		word += len + (word[len] == '|' ? 1 : 0);
	}
	snprintf(what, sizeof what, "one of %s", key->choices);
	return refuse(err, text, what);
}

/* `path` from `folder`, without "//", "." and "..": by its text, so a link in front of
 * a ".." is not followed. */
static char *absolute(const char *folder, struct span path)
{
	bool relative = path.len == 0 || path.data[0] != '/';
	size_t folder_len = relative ? strlen(folder) : 0, len = 0;
	char *joined = check_memory(malloc(folder_len + path.len + 2));
	char *out = check_memory(malloc(folder_len + path.len + 3));

	sprintf(joined, "%.*s/%.*s", (int)folder_len, folder, (int)path.len,
		(const char *)path.data);
	for (const char *at = joined; *at != '\0';) {
		size_t part = strcspn(at, "/");

		if (part == 2 && memcmp(at, "..", 2) == 0) {
			while (len > 0 && out[--len] != '/')
				continue;
		} else if (part > 0 && !(part == 1 && *at == '.')) {
			out[len++] = '/';
			memcpy(out + len, at, part);
			len += part;
		}
		at += part + (at[part] == '/' ? 1 : 0);
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	free(joined);
	return out;
}

static void free_list(struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_list){ 0 };
}

static struct conf_list parse_list(const struct conf_key *key, const char *folder, struct span text)
{
	struct conf_list list = { 0 };
	size_t cap = 0;

	for (size_t at = 0; at < text.len;) {
		size_t start = at;
		struct span word;

		while (at < text.len && memchr(" \t,", text.data[at], 3) == NULL)
			at++;
		word = span_of(text.data + start, at - start);
		at++;
		if (word.len == 0)
			continue;
		if (list.count == cap) {
			cap = cap == 0 ? 4 : 2 * cap;
			list.items = check_memory(realloc(list.items, cap * sizeof *list.items));
		}
		list.items[list.count++] = key->type == CONF_PATHS ? absolute(folder, word)
								   : copy_text(word);
	}
	return list;
}

static void set_text(char **slot, char *text)
{
	free(*slot);
	*slot = text;
}

static int set_address(char **slot, struct span text, struct err *err)
{
	struct address address;
	char *copy = copy_text(text);

	if (text.len > 0 && !address_parse(copy, &address)) {
		free(copy);
		return refuse(err, text, "an address: host:port, [v6]:port or unix:/path");
	}
	set_text(slot, copy);
	return 0;
}

int conf_value_set(const struct conf_key *key, const char *folder, struct span text, void *target,
	struct err *err)
{
	char *slot = (char *)target + key->offset;
	struct conf_list list;

	if (!plain_text(text))
		return err_set(err, ERR_CONFIG, "a control character stands in the value");
	if (text.len == 0 && key->value[0] != '\0' && key->type != CONF_TEXT &&
		key->type != CONF_LIST && key->type != CONF_PATHS)
		return err_set(err, ERR_CONFIG, "a value is missing");
	switch (key->type) {
	case CONF_TEXT:
		set_text((char **)(void *)slot, copy_text(text));
		return 0;
	case CONF_PATH:
		set_text((char **)(void *)slot,
			text.len == 0 ? copy_text(text) : absolute(folder, text));
		return 0;
	case CONF_BOOL:
		return parse_bool(text, (bool *)slot, err);
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
		return parse_number(key, text, (int64_t *)(void *)slot, err);
	case CONF_MODE:
		return parse_mode(text, (int64_t *)(void *)slot, err);
	case CONF_CHOICE:
		return parse_choice(key, text, (int64_t *)(void *)slot, err);
	case CONF_ADDRESS:
		return set_address((char **)(void *)slot, text, err);
	case CONF_LIST:
	case CONF_PATHS:
		list = parse_list(key, folder, text);
		free_list((struct conf_list *)(void *)slot);
		*(struct conf_list *)(void *)slot = list;
		return 0;
	}
	abort();
}

void conf_value_free(const struct conf_key *key, void *target)
{
	char *slot = (char *)target + key->offset;

	switch (key->type) {
	case CONF_TEXT:
	case CONF_PATH:
	case CONF_ADDRESS:
		set_text((char **)(void *)slot, NULL);
		break;
	case CONF_LIST:
	case CONF_PATHS:
		free_list((struct conf_list *)(void *)slot);
		break;
	default:
		break;
	}
}

void conf_value_put_bound(const struct conf_key *key, int64_t value, struct buf *out)
{
	const struct unit *best = units_of(key->type);

	for (const struct unit *unit = best; unit->name != NULL; unit++)
		if (value != 0 && value % unit->factor == 0)
			best = unit;
	buf_printf(out, "%" PRId64 "%s", value / best->factor, value == 0 ? "" : best->name);
}
