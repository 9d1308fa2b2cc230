/* What decodes as a head or as a header encodes to the same bytes, and no header is
 * taken whose seal is not right.  The input: a secret, then a header, then a head. */
#include "store/record.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static void try_header(const uint8_t *bytes, const struct record_key *key, uint32_t spot)
{
	uint8_t again[RECORD_HEADER_LEN], seal[8];
	struct record record;
	struct file_id id;

	if (record_decode(bytes, key, spot, &record) != RECORD_GOOD)
		return;
	record_encode(&record, key, again);
	assert(memcmp(again, bytes, sizeof again) == 0);
	crypto_shorthash(seal, bytes, RECORD_HEADER_LEN - sizeof seal, key->secret);
	assert(memcmp(seal, bytes + RECORD_HEADER_LEN - sizeof seal, sizeof seal) == 0);
	assert(record_has_mark(bytes, key));
	assert(record.spot == spot);
	if (record_id(&record, &id))
		assert(strcmp(id.name, record.name) == 0);
}

/* The same bytes, sealed: what is behind the seal is checked too. */
static void try_sealed(const uint8_t *bytes, const struct record_key *key)
{
	uint8_t sealed[RECORD_HEADER_LEN];

	memcpy(sealed, bytes, sizeof sealed);
	memcpy(sealed, key->mark, sizeof key->mark);
	crypto_shorthash(
		sealed + RECORD_HEADER_LEN - 8, sealed, RECORD_HEADER_LEN - 8, key->secret);
	try_header(sealed, key, load_le32(sealed + 16));
}

static void try_head(const uint8_t *bytes)
{
	uint8_t again[VOLUME_HEAD_LEN];
	struct volume_head head;

	if (!volume_head_decode(bytes, &head))
		return;
	volume_head_encode(&head, again);
	assert(memcmp(again, bytes, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_key key;

	if (size < RECORD_SECRET_LEN + RECORD_HEADER_LEN)
		return 0;
	record_key_init(&key, data);
	data += RECORD_SECRET_LEN;
	size -= RECORD_SECRET_LEN;
	try_header(data, &key, load_le32(data + 16));
	try_sealed(data, &key);
	if (size >= RECORD_HEADER_LEN + VOLUME_HEAD_LEN)
		try_head(data + RECORD_HEADER_LEN);
	return 0;
}
