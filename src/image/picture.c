#include "image/picture.h"

#include <string.h>

static const struct {
	const char *name, *mime, *extension;
} table[PICTURE_FORMATS] = {
	[PICTURE_NONE] = { "none", "application/octet-stream", "" },
	[PICTURE_JPEG] = { "jpeg", "image/jpeg", "jpg" },
	[PICTURE_PNG] = { "png", "image/png", "png" },
	[PICTURE_GIF] = { "gif", "image/gif", "gif" },
	[PICTURE_WEBP] = { "webp", "image/webp", "webp" },
	[PICTURE_AVIF] = { "avif", "image/avif", "avif" },
	[PICTURE_HEIC] = { "heic", "image/heic", "heic" },
};

/* What clients have been seen to call them, besides name and extension. */
static const struct {
	const char *word;
	enum picture_format format;
} aliases[] = {
	{ "pjpeg", PICTURE_JPEG },
	{ "jpe", PICTURE_JPEG },
	{ "jfif", PICTURE_JPEG },
	{ "x-png", PICTURE_PNG },
	{ "heif", PICTURE_HEIC },
};

static bool has(struct span bytes, size_t offset, const char *magic, size_t len)
{
	return bytes.len >= offset + len && memcmp(bytes.data + offset, magic, len) == 0;
}

static enum picture_format brand_format(const uint8_t *brand)
{
	static const char heic[][5] = { "heic", "heix", "hevc", "hevx", "heim", "heis" };

	if (memcmp(brand, "avif", 4) == 0 || memcmp(brand, "avis", 4) == 0)
		return PICTURE_AVIF;
	for (size_t i = 0; i < sizeof heic / sizeof heic[0]; i++)
		if (memcmp(brand, heic[i], 4) == 0)
			return PICTURE_HEIC;
	return PICTURE_NONE;
}

/* The box that opens every HEIF file: size u32 big endian, "ftyp", major brand,
 * version u32, compatible brands.  A general major brand leaves it to the others. */
static enum picture_format sniff_heif(struct span bytes)
{
	enum picture_format format;
	size_t end;

	if (!has(bytes, 4, "ftyp", 4) || bytes.len < 16)
		return PICTURE_NONE;
	end = load_be32(bytes.data);
	if (end < 16 || end > bytes.len || end > 256)
		return PICTURE_NONE;
	format = brand_format(bytes.data + 8);
	if (format != PICTURE_NONE)
		return format;
	if (!has(bytes, 8, "mif1", 4) && !has(bytes, 8, "msf1", 4))
		return PICTURE_NONE;
	for (size_t at = 16; at + 4 <= end && format == PICTURE_NONE; at += 4)
		format = brand_format(bytes.data + at);
	return format;
}

enum picture_format picture_sniff(struct span bytes)
{
	if (has(bytes, 0, "\xff\xd8\xff", 3))
		return PICTURE_JPEG;
	if (has(bytes, 0, "\x89PNG\r\n\x1a\n", 8))
		return PICTURE_PNG;
	if (has(bytes, 0, "GIF87a", 6) || has(bytes, 0, "GIF89a", 6))
		return PICTURE_GIF;
	if (has(bytes, 0, "RIFF", 4) && has(bytes, 8, "WEBP", 4))
		return PICTURE_WEBP;
	return sniff_heif(bytes);
}

const char *picture_name(enum picture_format format)
{
	return table[format].name;
}

const char *picture_mime(enum picture_format format)
{
	return table[format].mime;
}

const char *picture_extension(enum picture_format format)
{
	return table[format].extension;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum picture_format picture_format_of(struct span word)
{
	static const char prefix[] = "image/";
	const uint8_t *semicolon = word.len > 0 ? memchr(word.data, ';', word.len) : NULL;

	if (semicolon != NULL) /* "image/jpeg; charset=binary" */
		word.len = (size_t)(semicolon - word.data);
	while (word.len > 0 && is_space(word.data[word.len - 1]))
		word.len--;
	while (word.len > 0 && is_space(word.data[0]))
		word = span_of(word.data + 1, word.len - 1);
	if (word.len > strlen(prefix) &&
		span_equal_nocase(span_of(word.data, strlen(prefix)), span_str(prefix)))
		word = span_of(word.data + strlen(prefix), word.len - strlen(prefix));
	else if (word.len > 1 && word.data[0] == '.')
		word = span_of(word.data + 1, word.len - 1);
	for (int format = PICTURE_NONE + 1; format < PICTURE_FORMATS; format++)
		if (span_equal_nocase(word, span_str(table[format].name)) ||
			span_equal_nocase(word, span_str(table[format].extension)))
			return (enum picture_format)format;
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		if (span_equal_nocase(word, span_str(aliases[i].word)))
			return aliases[i].format;
	return PICTURE_NONE;
}
