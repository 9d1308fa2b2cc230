#include "core/file_id.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	DIRS_LEN = 10, /* "M00/00/00/" */
	BASE_LEN = 27,
	BASE_BYTES = 20,
	TRUNK_LEN = 16,
	TRUNK_BYTES = 12,
	FREE_STORAGE_IDS = 1 << 24,
};

#define BIT_32BIT_SIZE (UINT64_C(1) << 63)
#define BIT_TRUNK (UINT64_C(1) << 59)
#define BIT_APPENDER (UINT64_C(1) << 58)
#define BITS_RANDOM (UINT64_C(0x7fffff) << 32)
#define BITS_SIZE UINT64_C(0xffffffff)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of a base64 digit, or -1. */
static int digit_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static void base64_encode(const uint8_t *in, size_t len, char *out)
{
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = alphabet[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*out++ = alphabet[bits << (6 - have) & 63];
}

/* Decode `len` digits; bits that fill no byte must be zero: one name, one spelling. */
static bool base64_decode(const uint8_t *in, size_t len, uint8_t *out)
{
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < len; i++) {
		int value = digit_value(in[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*out++ = (uint8_t)(bits >> have);
		}
	}
	return (bits & ((1U << have) - 1)) == 0;
}

static bool hex2(const uint8_t *text, uint8_t *value)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *high = memchr(digits, text[0], 16), *low = memchr(digits, text[1], 16);

	if (high == NULL || low == NULL)
		return false;
	*value = (uint8_t)((high - digits) << 4 | (low - digits));
	return true;
}

static bool is_alnum(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_ext_char(uint8_t c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

bool file_id_group_ok(struct span group)
{
	if (group.len == 0 || group.len > FILE_ID_GROUP_MAX)
		return false;
	for (size_t i = 0; i < group.len; i++)
		if (!is_alnum(group.data[i]))
			return false;
	return true;
}

bool file_id_ext_ok(struct span ext)
{
	if (ext.len > FILE_ID_EXT_MAX)
		return false;
	for (size_t i = 0; i < ext.len; i++)
		if (!is_ext_char(ext.data[i]))
			return false;
	return true;
}

bool file_id_prefix_ok(struct span prefix, struct span ext)
{
	if (prefix.len == 0 || prefix.len > FILE_ID_PREFIX_MAX)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (!is_ext_char(prefix.data[i]))
			return false;
	return ext.len > 0 || !span_is(prefix, "-m");
}

/* The 7 characters behind the base64: digits, then nothing or a dot and 1 to 6 more. */
static bool parse_tail(const uint8_t *tail, struct file_id *id)
{
	size_t digits = 0;
	struct span ext;

	while (digits < FILE_ID_TAIL_LEN && tail[digits] >= '0' && tail[digits] <= '9')
		digits++;
	if (digits == FILE_ID_TAIL_LEN) {
		id->ext[0] = '\0';
		return true;
	}
	ext = span_of(tail + digits + 1, FILE_ID_TAIL_LEN - digits - 1);
	if (tail[digits] != '.' || ext.len == 0 || !file_id_ext_ok(ext))
		return false;
	memcpy(id->ext, ext.data, ext.len);
	id->ext[ext.len] = '\0';
	return true;
}

/* What follows the 27 (and 16) characters of a slave: pad digits, prefix, extension.  A
 * short one must have something of a prefix, or it is the tail of a name that was cut. */
static bool parse_slave_tail(struct span tail, struct file_id *id)
{
	const uint8_t *dot;
	size_t ext_len, digits = 0;

	while (digits < tail.len && tail.data[digits] >= '0' && tail.data[digits] <= '9')
		digits++;
	if (tail.len <= FILE_ID_TAIL_LEN && (digits == tail.len || tail.data[digits] == '.'))
		return false;
	for (size_t i = 0; i < tail.len; i++)
		if (!is_ext_char(tail.data[i]))
			return false;
	dot = memrchr(tail.data, '.', tail.len);
	ext_len = dot == NULL ? 0 : tail.len - (size_t)(dot - tail.data) - 1;
	if (ext_len > FILE_ID_EXT_MAX)
		ext_len = 0;
	memcpy(id->ext, tail.data + tail.len - ext_len, ext_len);
	id->ext[ext_len] = '\0';
	return true;
}

static void decode_base(const uint8_t raw[BASE_BYTES], struct file_id *id)
{
	uint64_t field = load_be64(raw + 8);
	uint32_t number = load_le32(raw);

	memcpy(id->source, raw, 4);
	id->source_is_id = number > 0 && number < FREE_STORAGE_IDS;
	id->time = load_be32(raw + 4);
	id->crc = load_be32(raw + 16);
	id->kind = FILE_ID_NORMAL;
	id->size = field;
	id->random = 0;
	if ((field & BIT_32BIT_SIZE) == 0)
		return;
	id->size = field & BITS_SIZE;
	id->random = (uint32_t)((field & BITS_RANDOM) >> 32);
	if (field & BIT_APPENDER)
		id->kind = FILE_ID_APPENDER;
	else if (field & BIT_TRUNK)
		id->kind = FILE_ID_TRUNK;
}

/* Bits that no FastDFS sets would be spellings that nobody gave out. */
static bool size_field_ok(uint64_t field)
{
	if ((field & BIT_32BIT_SIZE) == 0)
		return field >> 32 != 0 && field >> 55 == 0;
	if ((field & BIT_TRUNK) != 0 && (field & BIT_APPENDER) != 0)
		return false; /* an appender is never part of a trunk file */
	return (field & ~(BIT_32BIT_SIZE | BIT_TRUNK | BIT_APPENDER | BITS_RANDOM | BITS_SIZE)) == 0;
}

static bool parse_name(struct span name, struct file_id *id)
{
	const uint8_t *text = name.data;
	uint8_t raw[BASE_BYTES], trunk[TRUNK_BYTES], high, low;
	size_t at = DIRS_LEN + BASE_LEN;
	struct span tail;

	if (name.len <= DIRS_LEN + BASE_LEN || name.len > FILE_ID_NAME_MAX)
		return false;
	if (text[0] != 'M' || text[3] != '/' || text[6] != '/' || text[9] != '/')
		return false;
	if (!hex2(text + 1, &id->path) || !hex2(text + 4, &high) || !hex2(text + 7, &low))
		return false;
	if (!base64_decode(text + DIRS_LEN, BASE_LEN, raw) || !size_field_ok(load_be64(raw + 8)))
		return false;
	id->dir = (uint16_t)(high << 8 | low);
	decode_base(raw, id);
	if (id->kind == FILE_ID_TRUNK) {
		if (name.len < FILE_ID_TRUNK_NAME_LEN || !base64_decode(text + at, TRUNK_LEN, trunk))
			return false;
		id->trunk = load_be32(trunk);
		id->trunk_offset = load_be32(trunk + 4);
		id->trunk_slot = load_be32(trunk + 8);
		at += TRUNK_LEN;
	}
	tail = span_of(text + at, name.len - at);
	if (tail.len != FILE_ID_TAIL_LEN || !parse_tail(tail.data, id)) {
		id->kind = FILE_ID_SLAVE;
		if (!parse_slave_tail(tail, id))
			return false;
	}
	memcpy(id->name, name.data, name.len);
	id->name[name.len] = '\0';
	id->name_len = (uint8_t)name.len;
	return true;
}

bool file_id_parse_name(struct span group, struct span name, struct file_id *id)
{
	struct file_id out = { 0 };

	if (!file_id_group_ok(group) || !parse_name(name, &out))
		return false;
	memcpy(out.group, group.data, group.len);
	*id = out;
	return true;
}

bool file_id_parse(struct span text, struct file_id *id)
{
	const uint8_t *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
	size_t group_len;

	if (slash == NULL)
		return false;
	group_len = (size_t)(slash - text.data);
	return file_id_parse_name(span_of(text.data, group_len),
		span_of(slash + 1, text.len - group_len - 1), id);
}

static uint64_t size_field(const struct file_id *id)
{
	if (id->kind == FILE_ID_APPENDER)
		return BIT_32BIT_SIZE | BIT_APPENDER | (uint64_t)id->random << 32;
	if (id->size >> 32 != 0)
		return id->size;
	return BIT_32BIT_SIZE | (uint64_t)id->random << 32 | id->size;
}

bool file_id_make(struct file_id *id, uint32_t pad)
{
	struct file_id out = *id;
	size_t ext_len = strnlen(id->ext, sizeof id->ext);
	size_t digits = ext_len == 0 ? FILE_ID_TAIL_LEN : FILE_ID_TAIL_LEN - 1 - ext_len;
	uint8_t raw[BASE_BYTES];
	char *at;

	if (!file_id_group_ok(span_str(id->group)) || !file_id_ext_ok(span_of(id->ext, ext_len)))
		return false;
	assert(id->kind == FILE_ID_NORMAL || id->kind == FILE_ID_APPENDER);
	assert(id->random >> 23 == 0 && id->size >> 55 == 0);
	memcpy(raw, id->source, 4);
	store_be32(raw + 4, id->time);
	store_be64(raw + 8, size_field(id));
	store_be32(raw + 16, id->crc);
	snprintf(out.name, sizeof out.name, "M%02X/%02X/%02X/", id->path, id->dir >> 8, id->dir & 255);
	base64_encode(raw, BASE_BYTES, out.name + DIRS_LEN);
	at = out.name + DIRS_LEN + BASE_LEN;
	for (size_t i = 0; i < digits; i++, pad /= 10)
		*at++ = (char)('0' + pad % 10);
	if (ext_len > 0)
		*at++ = '.';
	memcpy(at, id->ext, ext_len);
	at[ext_len] = '\0';
	out.name_len = FILE_ID_NAME_LEN;
	if (id->kind == FILE_ID_APPENDER)
		out.size = 0;
	else if (id->size >> 32 != 0)
		out.random = 0;
	out.source_is_id = file_id_source_id(&out) != 0;
	*id = out;
	return true;
}

bool file_id_slave(
	const struct file_id *master, const char *prefix, const char *ext, struct file_id *slave)
{
	const char *dot = NULL;
	size_t stem = master->name_len, len;
	char name[FILE_ID_NAME_MAX + FILE_ID_PREFIX_MAX + FILE_ID_EXT_MAX + 2];

	if (!file_id_prefix_ok(span_str(prefix), span_str(ext)) || !file_id_ext_ok(span_str(ext)))
		return false;
	if (stem > FILE_ID_TAIL_LEN)
		dot = memchr(master->name + stem - FILE_ID_TAIL_LEN, '.', FILE_ID_TAIL_LEN);
	if (dot != NULL)
		stem = (size_t)(dot - master->name);
	len = (size_t)snprintf(name, sizeof name, "%.*s%s%s%s", (int)stem, master->name, prefix,
		*ext == '\0' ? "" : ".", ext);
	return file_id_parse_name(span_str(master->group), span_of(name, len), slave) &&
	       slave->kind == FILE_ID_SLAVE;
}

size_t file_id_format(const struct file_id *id, char out[FILE_ID_TEXT_MAX + 1])
{
	return (size_t)snprintf(out, FILE_ID_TEXT_MAX + 1, "%s/%s", id->group, id->name);
}

bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return strcmp(a->group, b->group) == 0 && strcmp(a->name, b->name) == 0;
}

uint32_t file_id_source_id(const struct file_id *id)
{
	uint32_t number = load_le32(id->source);

	return number < FREE_STORAGE_IDS ? number : 0;
}

void file_id_source_text(const struct file_id *id, char out[16])
{
	if (file_id_source_id(id) != 0)
		snprintf(out, 16, "%" PRIu32, file_id_source_id(id));
	else
		inet_ntop(AF_INET, id->source, out, 16);
}
