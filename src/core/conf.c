#include "core/conf.h"

#include "core/buf.h"
#include "core/conf_value.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 1 << 20,
	NAME_MAX_LEN = 31, /* of sections, keys and the names behind sections */
	SHOWN_MAX = 60,
};

struct seen {
	char heading[2 * NAME_MAX_LEN + 2]; /* "storage g01" */
	int line;
};

struct reader {
	const struct conf_table *table;
	const char *file;
	char *folder;
	void *target;
	struct err *err;
	int line;

	char section[NAME_MAX_LEN + 1]; /* empty in front of the first heading */
	void *section_target;
	int *key_lines; /* a key of the table: the line that set it in this section, or 0 */
	struct seen *seen;
	size_t seen_count;
};

static void *check_memory(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

bool conf_takes_name(const struct conf_table *table, const char *section)
{
	for (size_t i = 0; table->named != NULL && table->named[i] != NULL; i++)
		if (strcmp(table->named[i], section) == 0)
			return true;
	return false;
}

static const struct conf_key *find_key(
	const struct conf_table *table, const char *section, struct span name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->keys[i].section, section) == 0 &&
			span_is(name, table->keys[i].name))
			return &table->keys[i];
	return NULL;
}

static bool section_exists(const struct conf_table *table, struct span section)
{
	for (size_t i = 0; i < table->count; i++)
		if (span_is(section, table->keys[i].section))
			return true;
	return false;
}

/* Number of letters to insert, take away or change to make `b` of `a`. */
static size_t distance(struct span a, const char *b)
{
	size_t row[NAME_MAX_LEN + 2], width = strlen(b);

	if (a.len > NAME_MAX_LEN || width > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t best = corner + (a.data[i - 1] == (uint8_t)b[j - 1] ? 0 : 1);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[width];
}

static int refuse(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(struct reader *reader, const char *format, ...)
{
	char text[sizeof reader->err->text];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return err_set(reader->err, ERR_CONFIG, "%s:%d: %s", reader->file, reader->line, text);
}

static int shown(struct span text)
{
	return text.len > SHOWN_MAX ? SHOWN_MAX : (int)text.len;
}

static int refuse_key(struct reader *reader, struct span name)
{
	const struct conf_table *table = reader->table;
	const char *best = NULL, *elsewhere = NULL;
	size_t best_distance = 3; /* a slip of the finger is one or two */

	for (size_t i = 0; i < table->count; i++) {
		const struct conf_key *key = &table->keys[i];

		if (strcmp(key->section, reader->section) != 0) {
			if (span_is(name, key->name))
				elsewhere = key->section;
			continue;
		}
		if (distance(name, key->name) < best_distance) {
			best_distance = distance(name, key->name);
			best = key->name;
		}
	}
	if (best != NULL)
		return refuse(reader, "[%s] has no key '%.*s'; is '%s' meant?", reader->section,
			shown(name), (const char *)name.data, best);
	if (elsewhere != NULL)
		return refuse(reader, "[%s] has no key '%.*s'; [%s] has one", reader->section,
			shown(name), (const char *)name.data, elsewhere);
	return refuse(reader, "[%s] has no key '%.*s'", reader->section, shown(name),
		(const char *)name.data);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span text)
{
	while (text.len > 0 && is_space(text.data[0]))
		text = span_of(text.data + 1, text.len - 1);
	while (text.len > 0 && is_space(text.data[text.len - 1]))
		text.len--;
	return text;
}

static bool name_ok(struct span name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (memchr(allowed, name.data[i], sizeof allowed - 1) == NULL)
			return false;
	return true;
}

/* A heading may stand once, so that what belongs together stands together. */
static int note_heading(struct reader *reader, struct span section, struct span name)
{
	struct seen seen = { .line = reader->line };

	snprintf(seen.heading, sizeof seen.heading, "%.*s%s%.*s", (int)section.len,
		(const char *)section.data, name.len > 0 ? " " : "", (int)name.len,
		(const char *)name.data);
	for (size_t i = 0; i < reader->seen_count; i++)
		if (strcmp(reader->seen[i].heading, seen.heading) == 0)
			return refuse(reader, "[%s] has begun in line %d already", seen.heading,
				reader->seen[i].line);
	if ((reader->seen_count & (reader->seen_count - 1)) == 0) /* full at powers of two */
		reader->seen = check_memory(
			realloc(reader->seen, (2 * reader->seen_count + 1) * sizeof *reader->seen));
	reader->seen[reader->seen_count++] = seen;
	return 0;
}

static int open_instance(struct reader *reader, struct span name)
{
	const struct conf_table *table = reader->table;
	char text[NAME_MAX_LEN + 1];
	struct err err = { 0 };

	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	reader->section_target = table->instance(reader->target, reader->section, text, &err);
	if (reader->section_target == NULL)
		return refuse(reader, "%s", err.text);
	return 0;
}

static int read_heading(struct reader *reader, struct span line)
{
	struct span inside, section, name;

	if (line.data[line.len - 1] != ']')
		return refuse(reader, "a heading is [section] or [section name] and nothing else");
	inside = trim(span_of(line.data + 1, line.len - 2));
	section = inside;
	for (section.len = 0; section.len < inside.len; section.len++)
		if (is_space(section.data[section.len]))
			break;
	name = trim(span_of(inside.data + section.len, inside.len - section.len));
	if (!section_exists(reader->table, section))
		return refuse(reader, "there is no section [%.*s]", shown(section),
			(const char *)section.data);
	memcpy(reader->section, section.data, section.len);
	reader->section[section.len] = '\0';
	memset(reader->key_lines, 0, reader->table->count * sizeof *reader->key_lines);
	reader->section_target = reader->target;
	if (!conf_takes_name(reader->table, reader->section)) {
		if (name.len > 0)
			return refuse(reader, "[%s] takes no name", reader->section);
		return note_heading(reader, section, name);
	}
	if (name.len == 0)
		return refuse(reader, "[%s] needs a name, as in [%s g01]", reader->section,
			reader->section);
	if (!name_ok(name))
		return refuse(reader,
			"'%.*s' is not a name: up to %d letters, digits, dots, dashes, underscores",
			shown(name), (const char *)name.data, NAME_MAX_LEN);
	if (note_heading(reader, section, name) != 0)
		return -1;
	return open_instance(reader, name);
}

/* What other ini files allow, and what would silently become part of a value here. */
static int check_value(struct reader *reader, struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((value.data[i] == '#' || value.data[i] == ';') &&
			(i == 0 || is_space(value.data[i - 1])))
			return refuse(reader, "a comment needs a line of its own");
	if (value.len > 0 && (value.data[0] == '"' || value.data[0] == '\''))
		return refuse(reader, "a value is written without quotes");
	return 0;
}

static int read_key(struct reader *reader, struct span line)
{
	const uint8_t *equals = memchr(line.data, '=', line.len);
	const struct conf_key *key;
	struct span name, value;
	struct err err = { 0 };
	int *key_line;

	if (equals == NULL)
		return refuse(reader, "'%.*s' is neither [section] nor key = value", shown(line),
			(const char *)line.data);
	if (reader->section[0] == '\0')
		return refuse(reader, "a key needs a [section] above it");
	name = trim(span_of(line.data, (size_t)(equals - line.data)));
	value = trim(span_of(equals + 1, line.len - (size_t)(equals + 1 - line.data)));
	key = find_key(reader->table, reader->section, name);
	if (key == NULL)
		return refuse_key(reader, name);
	key_line = &reader->key_lines[key - reader->table->keys];
	if (*key_line != 0)
		return refuse(reader, "'%s' has been set in line %d already", key->name, *key_line);
	*key_line = reader->line;
	if (check_value(reader, value) != 0)
		return -1;
	if (conf_value_set(key, reader->folder, value, reader->section_target, &err) != 0)
		return refuse(reader, "%s: %s", key->name, err.text);
	return 0;
}

static int read_line(struct reader *reader, struct span line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	for (size_t i = 0; i < line.len; i++)
		if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
			return refuse(reader, "a control character stands in column %zu", i + 1);
	line = trim(line);
	if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
		return 0;
	return line.data[0] == '[' ? read_heading(reader, line) : read_key(reader, line);
}

/* The folder that relative paths in `file` start at; the current one for NULL. */
static char *folder_of(const char *file)
{
	const char *slash = file == NULL ? NULL : strrchr(file, '/');
	char given[PATH_MAX], real[PATH_MAX];

	if (slash == NULL)
		snprintf(given, sizeof given, ".");
	else
		snprintf(given, sizeof given, "%.*s/", (int)(slash - file), file);
	if (realpath(given, real) != NULL)
		return check_memory(strdup(real));
	return check_memory(strdup(given[0] == '/' ? given : "/"));
}

int conf_read_text(const struct conf_table *table, const char *file, const char *text, size_t len,
	void *target, struct err *err)
{
	struct err own = { 0 };
	struct reader reader = {
		.table = table,
		.file = file,
		.folder = folder_of(file),
		.target = target,
		.err = err == NULL ? &own : err,
		.key_lines = check_memory(calloc(table->count + 1, sizeof(int))),
	};
	struct span rest = span_of(text, len);
	int result = 0;

	if (rest.len >= 3 && memcmp(rest.data, "\xef\xbb\xbf", 3) == 0)
		rest = span_of(rest.data + 3, rest.len - 3);
	while (rest.len > 0 && result == 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		size_t line_len = end == NULL ? rest.len : (size_t)(end - rest.data);
		size_t taken = end == NULL ? line_len : line_len + 1;

		reader.line++;
		result = read_line(&reader, span_of(rest.data, line_len));
		rest = span_of(rest.data + taken, rest.len - taken);
	}
	free(reader.folder);
	free(reader.key_lines);
	free(reader.seen);
	return result;
}

int conf_read_file(const struct conf_table *table, const char *file, void *target, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY), result = -1;
	size_t len = 0;
	ssize_t got = 0;
	char *text;

	if (fd < 0)
		return err_set(err, ERR_CONFIG, "cannot open %s: %s", file, strerror(errno));
	text = check_memory(malloc(FILE_MAX + 1));
	while (len <= FILE_MAX && (got = read(fd, text + len, FILE_MAX + 1 - len)) > 0)
		len += (size_t)got;
	if (got < 0)
		err_set(err, ERR_CONFIG, "cannot read %s: %s", file, strerror(errno));
	else if (len > FILE_MAX)
		err_set(err, ERR_CONFIG, "%s is over 1 MB: it is no configuration", file);
	else
		result = conf_read_text(table, file, text, len, target, err);
	free(text);
	close(fd);
	return result;
}

int conf_set(const struct conf_table *table, const char *section, const char *name,
	const char *value, void *target, struct err *err)
{
	const struct conf_key *key = find_key(table, section, span_str(name));
	char *folder;
	int result;

	if (key == NULL)
		return err_set(err, ERR_CONFIG, "there is no key %s.%s", section, name);
	folder = folder_of(NULL);
	result = conf_value_set(key, folder, span_str(value), target, err);
	free(folder);
	if (result != 0)
		err_prefix(err, "%s.%s", section, name);
	return result;
}

static int set_default(const struct conf_key *key, void *target, struct err *err)
{
	if (conf_value_set(key, "/", span_str(key->value), target, err) != 0)
		return err_prefix(err, "default of %s.%s", key->section, key->name);
	return 0;
}

int conf_defaults(const struct conf_table *table, void *target, struct err *err)
{
	for (size_t i = 0; i < table->count; i++)
		if (!conf_takes_name(table, table->keys[i].section) &&
			set_default(&table->keys[i], target, err) != 0)
			return -1;
	return 0;
}

int conf_instance_defaults(
	const struct conf_table *table, const char *section, void *instance, struct err *err)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->keys[i].section, section) == 0 &&
			set_default(&table->keys[i], instance, err) != 0)
			return -1;
	return 0;
}

void conf_free(const struct conf_table *table, const char *section, void *target)
{
	for (size_t i = 0; i < table->count; i++) {
		const char *of = table->keys[i].section;

		if (section == NULL ? !conf_takes_name(table, of) : strcmp(of, section) == 0)
			conf_value_free(&table->keys[i], target);
	}
}
