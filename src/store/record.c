#include "store/record.h"

#include "core/crc32.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum {
	VERSION = 1,
	SEALED_LEN = 120, /* bytes of the header that the seal covers */
	CRC_AT = 508,
};

static_assert(crypto_shorthash_KEYBYTES == RECORD_SECRET_LEN, "the secret is SipHash's key");
static_assert(crypto_shorthash_BYTES == 8, "a seal is SipHash's output");

static const uint8_t head_magic[8] = { 'p', 'i', 'c', 's', 'V', 'O', 'L', '1' };
static const uint8_t end_magic[8] = { 'p', 'i', 'c', 's', '-', 'e', 'n', 'd' };

static bool all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static void put_text(uint8_t *out, size_t width, const char *text)
{
	size_t len = strnlen(text, width);

	memcpy(out, text, len);
	memset(out + len, 0, width - len);
}

/* Read a NUL padded field; false if there is anything behind its first NUL. */
static bool get_text(const uint8_t *in, size_t width, char *out)
{
	size_t len = strnlen((const char *)in, width);

	memcpy(out, in, len);
	out[len] = '\0';
	return all_zero(in + len, width - len);
}

void volume_head_encode(const struct volume_head *head, uint8_t out[VOLUME_HEAD_LEN])
{
	memset(out, 0, VOLUME_HEAD_LEN);
	memcpy(out, head_magic, sizeof head_magic);
	store_le32(out + 8, VERSION);
	store_le32(out + 12, head->number);
	out[16] = head->path;
	put_text(out + 32, FILE_ID_GROUP_MAX, head->group);
	memcpy(out + 48, head->secret, RECORD_SECRET_LEN);
	store_le64(out + 64, (uint64_t)head->created);
	store_le32(out + CRC_AT, crc32_add(0, span_of(out, CRC_AT)));
}

bool volume_head_decode(const uint8_t in[VOLUME_HEAD_LEN], struct volume_head *head)
{
	struct volume_head out = { 0 };

	if (memcmp(in, head_magic, sizeof head_magic) != 0 || load_le32(in + 8) != VERSION)
		return false;
	if (load_le32(in + CRC_AT) != crc32_add(0, span_of(in, CRC_AT)))
		return false;
	if (load_le32(in + 12) > UINT16_MAX || !all_zero(in + 17, 15) || !all_zero(in + 72, 436))
		return false;
	out.number = (uint16_t)load_le32(in + 12);
	out.path = in[16];
	if (!get_text(in + 32, FILE_ID_GROUP_MAX, out.group))
		return false;
	memcpy(out.secret, in + 48, RECORD_SECRET_LEN);
	out.created = (int64_t)load_le64(in + 64);
	*head = out;
	return true;
}

void record_key_init(struct record_key *key, const uint8_t secret[RECORD_SECRET_LEN])
{
	static const uint8_t text[] = "picstore record";

	memcpy(key->secret, secret, RECORD_SECRET_LEN);
	crypto_shorthash(key->mark, text, sizeof text - 1, secret);
}

uint64_t record_room(uint64_t len)
{
	return (RECORD_HEADER_LEN + len + RECORD_END_LEN + RECORD_BLOCK - 1) / RECORD_BLOCK;
}

void record_of_picture(struct record *record, const struct file_id *id)
{
	*record = (struct record){
		.kind = RECORD_PICTURE,
		.crc = id->crc,
		.spot = id->random,
		.room = (uint32_t)record_room(id->size),
		.batch = id->random,
		.len = id->size,
		.stored = id->time,
	};
	assert(id->name_len == FILE_ID_NAME_LEN);
	memcpy(record->group, id->group, sizeof record->group);
	memcpy(record->name, id->name, sizeof record->name);
}

void record_encode(
	const struct record *record, const struct record_key *key, uint8_t out[RECORD_HEADER_LEN])
{
	memset(out, 0, RECORD_HEADER_LEN);
	memcpy(out, key->mark, sizeof key->mark);
	out[8] = (uint8_t)record->kind;
	out[9] = (uint8_t)record->cold;
	store_le32(out + 12, record->crc);
	store_le32(out + 16, record->spot);
	store_le32(out + 20, record->room);
	store_le64(out + 24, record->len);
	store_le64(out + 32, (uint64_t)record->stored);
	store_le64(out + 40, (uint64_t)record->deleted);
	put_text(out + 48, FILE_ID_GROUP_MAX, record->group);
	put_text(out + 64, FILE_ID_NAME_LEN, record->name);
	store_le32(out + 108, record->batch);
	crypto_shorthash(out + SEALED_LEN, out, SEALED_LEN, key->secret);
}

/* Is the seal right, given that the mark is what it should be?  A header whose mark
 * alone has changed is found out that way. */
static bool seal_ok(const uint8_t in[RECORD_HEADER_LEN], const struct record_key *key)
{
	uint8_t bytes[SEALED_LEN], seal[8];

	memcpy(bytes, in, SEALED_LEN);
	memcpy(bytes, key->mark, sizeof key->mark);
	crypto_shorthash(seal, bytes, SEALED_LEN, key->secret);
	return memcmp(seal, in + SEALED_LEN, sizeof seal) == 0;
}

static bool decode_fields(const uint8_t in[RECORD_HEADER_LEN], struct record *out)
{
	if (in[8] < RECORD_PICTURE || in[8] > RECORD_TORN)
		return false;
	out->kind = (enum record_kind)in[8];
	out->crc = load_le32(in + 12);
	out->spot = load_le32(in + 16);
	out->room = load_le32(in + 20);
	out->len = load_le64(in + 24);
	out->stored = (int64_t)load_le64(in + 32);
	out->deleted = (int64_t)load_le64(in + 40);
	out->batch = load_le32(in + 108);
	out->cold = (enum engine_cold)in[9];
	if (in[9] > (out->kind == RECORD_TORN ? ENGINE_COLD_NONE : ENGINE_COLD_EMPTY) ||
		!all_zero(in + 10, 2) || !all_zero(in + 112, 8))
		return false;
	if (out->len > UINT32_MAX || out->room == 0 || out->room > record_room(out->len))
		return false;
	if (out->batch > out->spot)
		return false;
	/* Only what is no picture any more may have less room than one. */
	if (out->kind == RECORD_PICTURE && out->room != record_room(out->len))
		return false;
	return get_text(in + 48, FILE_ID_GROUP_MAX, out->group) &&
	       get_text(in + 64, FILE_ID_NAME_LEN, out->name);
}

enum record_found record_decode(const uint8_t in[RECORD_HEADER_LEN], const struct record_key *key,
	uint32_t spot, struct record *record)
{
	bool marked = record_has_mark(in, key), sealed = seal_ok(in, key);
	struct record out = { 0 };

	if (!marked && !sealed)
		return RECORD_NONE;
	if (!marked || !sealed || !decode_fields(in, &out) || out.spot != spot)
		return RECORD_DAMAGED;
	*record = out;
	return RECORD_GOOD;
}

bool record_has_mark(const uint8_t *in, const struct record_key *key)
{
	return memcmp(in, key->mark, sizeof key->mark) == 0;
}

bool record_names(const struct record *record, const struct file_id *id)
{
	return id->name_len == FILE_ID_NAME_LEN &&
	       memcmp(record->name, id->name, FILE_ID_NAME_LEN) == 0 &&
	       strcmp(record->group, id->group) == 0 && record->len == id->size &&
	       record->crc == id->crc;
}

bool record_id(const struct record *record, struct file_id *id)
{
	return file_id_parse_name(span_str(record->group), span_str(record->name), id);
}

static void end_seal(const struct record *record, const struct record_key *key, uint8_t out[8])
{
	uint8_t place[8];

	store_le32(place, record->spot);
	store_le32(place + 4, record->room);
	crypto_shorthash(out, place, sizeof place, key->secret);
}

void record_end_encode(
	const struct record *record, const struct record_key *key, uint8_t out[RECORD_END_LEN])
{
	end_seal(record, key, out);
	memcpy(out + 8, end_magic, sizeof end_magic);
}

bool record_end_ok(
	const struct record *record, const struct record_key *key, const uint8_t in[RECORD_END_LEN])
{
	uint8_t seal[8];

	end_seal(record, key, seal);
	return memcmp(in, seal, 8) == 0 && memcmp(in + 8, end_magic, sizeof end_magic) == 0;
}
