#include "moving/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HASH_LEN = 8 }; /* bytes of the SHA-256 in a path */

static const struct {
	const char *word, *folder;
	bool hash; /* in the path */
	bool time;
	size_t names_min, names_max;
} kinds[] = {
	[MANIFEST_PICTURE] = { "picture", "pictures", false, false, 0, MANIFEST_NAMES_MAX },
	[MANIFEST_SLAVE] = { "slave", "changing", true, true, 1, 2 },
	[MANIFEST_APPENDER] = { "appender", "changing", true, true, 0, 0 },
	[MANIFEST_FINISHED] = { "finished", "pictures", false, true, 0, 0 },
	[MANIFEST_METADATA] = { "metadata", "metadata", true, false, 0, 0 },
};

void manifest_path(const struct manifest_file *file, char out[MANIFEST_PATH_MAX])
{
	char text[FILE_ID_TEXT_MAX + 1];

	file_id_format(&file->id, text);
	out += sprintf(out, "%s/%s", kinds[file->kind].folder, text);
	if (!kinds[file->kind].hash)
		return;
	*out++ = '.';
	for (size_t i = 0; i < HASH_LEN; i++)
		out += sprintf(out, "%02x", file->sha[i]);
}

void manifest_put_file(struct buf *out, const struct manifest_file *file)
{
	char text[FILE_ID_TEXT_MAX + 1], path[MANIFEST_PATH_MAX];

	file_id_format(&file->id, text);
	manifest_path(file, path);
	buf_printf(out, "%s\t%s\t%" PRIu64 "\t%08" PRIx32 "\t", kinds[file->kind].word, text,
		file->size, file->crc);
	for (size_t i = 0; i < MANIFEST_SHA_LEN; i++)
		buf_printf(out, "%02x", file->sha[i]);
	buf_printf(out, "\t%s\t", path);
	if (kinds[file->kind].time)
		buf_printf(out, "%" PRId64 "\t", file->changed);
	else
		buf_put_str(out, "-\t");
	for (size_t i = 0; i < file->name_count; i++) {
		file_id_format(&file->names[i], text);
		buf_printf(out, "%s%s", i > 0 ? "," : "", text);
	}
	buf_put_str(out, file->name_count > 0 ? "\n" : "-\n");
}

void manifest_put_end(struct buf *out, uint64_t pictures, uint64_t bytes)
{
	buf_printf(out, "end\t%" PRIu64 "\t%" PRIu64 "\n", pictures, bytes);
}

/* What stands before the next `end`, which is passed; false if there is none. */
static bool take(struct span *line, char end, struct span *field)
{
	const uint8_t *at = line->len == 0 ? NULL : memchr(line->data, end, line->len);

	if (at == NULL)
		return false;
	*field = span_of(line->data, (size_t)(at - line->data));
	line->data += field->len + 1;
	line->len -= field->len + 1;
	return true;
}

static bool number(struct span field, uint64_t *out)
{
	if (field.len < 1 || field.len > 19 || (field.len > 1 && field.data[0] == '0'))
		return false;
	*out = 0;
	for (size_t i = 0; i < field.len; i++) {
		if (field.data[i] < '0' || field.data[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(field.data[i] - '0');
	}
	return true;
}

static bool hex(struct span field, uint8_t *out, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	if (field.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *high = memchr(digits, field.data[2 * i], 16);
		const char *low = memchr(digits, field.data[2 * i + 1], 16);

		if (high == NULL || low == NULL)
			return false;
		out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

static bool names(struct span field, struct manifest_file *file)
{
	struct span name;

	file->name_count = 0;
	if (span_is(field, "-"))
		return true;
	while (file->name_count < kinds[file->kind].names_max) {
		bool more = take(&field, ',', &name);

		if (!file_id_parse(more ? name : field, &file->names[file->name_count++]))
			return false;
		if (!more)
			return true;
	}
	return false;
}

static bool get_time(struct span field, struct manifest_file *file)
{
	uint64_t seconds = 0;

	if (!kinds[file->kind].time)
		return span_is(field, "-");
	if (!number(field, &seconds) || seconds > INT64_MAX)
		return false;
	file->changed = (int64_t)seconds;
	return true;
}

static bool get_file(struct span line, struct manifest_file *file)
{
	char path[MANIFEST_PATH_MAX];
	uint8_t crc[4];
	struct span field;

	file->changed = 0;
	if (!take(&line, '\t', &field) || !file_id_parse(field, &file->id) ||
		!take(&line, '\t', &field) || !number(field, &file->size) ||
		!take(&line, '\t', &field) || !hex(field, crc, sizeof crc) ||
		!take(&line, '\t', &field) || !hex(field, file->sha, MANIFEST_SHA_LEN) ||
		!take(&line, '\t', &field))
		return false;
	file->crc = load_be32(crc);
	manifest_path(file, path);
	return span_is(field, path) && take(&line, '\t', &field) && get_time(field, file) &&
	       names(line, file) && file->name_count >= kinds[file->kind].names_min;
}

enum manifest_line manifest_parse(
	struct span line, struct manifest_file *file, uint64_t *files, uint64_t *bytes)
{
	struct span word, field;

	if (!take(&line, '\t', &word))
		return MANIFEST_NONSENSE;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!span_is(word, kinds[i].word))
			continue;
		file->kind = (enum manifest_kind)i;
		return get_file(line, file) ? MANIFEST_FILE : MANIFEST_NONSENSE;
	}
	if (span_is(word, "end") && take(&line, '\t', &field) && number(field, files) &&
		number(line, bytes))
		return MANIFEST_END;
	return MANIFEST_NONSENSE;
}
