#include "moving/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *word_of(const struct manifest_picture *picture)
{
	return picture->is_metadata ? "metadata" : "picture";
}

void manifest_path(const struct file_id *id, bool is_metadata, char out[FILE_ID_TEXT_MAX + 16])
{
	strcpy(out, is_metadata ? "metadata/" : "pictures/");
	file_id_format(id, out + strlen(out));
}

void manifest_put_picture(struct buf *out, const struct manifest_picture *picture)
{
	char text[FILE_ID_TEXT_MAX + 1], path[FILE_ID_TEXT_MAX + 16];

	file_id_format(&picture->id, text);
	manifest_path(&picture->id, picture->is_metadata, path);
	buf_printf(out, "%s\t%s\t%" PRIu64 "\t%08" PRIx32 "\t", word_of(picture), text,
		picture->size, picture->crc);
	for (size_t i = 0; i < MANIFEST_SHA_LEN; i++)
		buf_printf(out, "%02x", picture->sha[i]);
	buf_printf(out, "\t%s\t", path);
	for (size_t i = 0; i < picture->name_count; i++) {
		file_id_format(&picture->names[i], text);
		buf_printf(out, "%s%s", i > 0 ? "," : "", text);
	}
	buf_put_str(out, picture->name_count > 0 ? "\n" : "-\n");
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

static bool names(struct span field, struct manifest_picture *picture)
{
	struct span name;

	picture->name_count = 0;
	if (span_is(field, "-"))
		return true;
	while (picture->name_count < MANIFEST_NAMES_MAX) {
		bool more = take(&field, ',', &name);

		if (!file_id_parse(more ? name : field, &picture->names[picture->name_count++]))
			return false;
		if (!more)
			return true;
	}
	return false;
}

static bool get_picture(struct span line, struct manifest_picture *picture)
{
	char path[FILE_ID_TEXT_MAX + 16];
	uint8_t crc[4];
	struct span field;

	if (!take(&line, '\t', &field) || !file_id_parse(field, &picture->id) ||
		!take(&line, '\t', &field) || !number(field, &picture->size) ||
		!take(&line, '\t', &field) || !hex(field, crc, sizeof crc) ||
		!take(&line, '\t', &field) || !hex(field, picture->sha, MANIFEST_SHA_LEN) ||
		!take(&line, '\t', &field))
		return false;
	picture->crc = load_be32(crc);
	manifest_path(&picture->id, picture->is_metadata, path);
	return span_is(field, path) && names(line, picture) &&
	       (!picture->is_metadata || picture->name_count == 0);
}

enum manifest_line manifest_parse(
	struct span line, struct manifest_picture *picture, uint64_t *pictures, uint64_t *bytes)
{
	struct span word, field;

	if (!take(&line, '\t', &word))
		return MANIFEST_NONSENSE;
	picture->is_metadata = span_is(word, "metadata");
	if (picture->is_metadata || span_is(word, "picture"))
		return get_picture(line, picture) ? MANIFEST_PICTURE : MANIFEST_NONSENSE;
	if (span_is(word, "end") && take(&line, '\t', &field) && number(field, pictures) &&
		number(line, bytes))
		return MANIFEST_END;
	return MANIFEST_NONSENSE;
}
