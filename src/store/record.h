/* record.h - what stands in a volume file: its head, and records one after another.
 *
 * A volume is a file of blocks of 512 bytes.  Block 0 is the head and block 8 its
 * copy, records start at block 16.  Every record starts at a block: a header of 128
 * bytes, the content right behind it, zeros, and a mark of 16 bytes that ends the
 * record's last block.  Integers are little endian; bytes called zero must be zero.
 *
 *     head: offset  size
 *     0     8   "picsVOL1"
 *     8     4   version of the format: 1
 *     12    4   number of the volume, HH * 256 + LL
 *     16    1   number of the store path, pp of Mpp
 *     17    15  zero
 *     32    16  group, NUL padded
 *     48    16  secret: random bytes that never leave this file
 *     64    8   created, Unix seconds
 *     72    436 zero
 *     508   4   CRC-32 of bytes 0 to 507
 *
 *     record header: offset  size
 *     0     8   mark: SipHash-2-4(secret, "picstore record"), the same in all records
 *               of a volume
 *     8     1   kind: 1 picture; 2 deleted, its bytes are still there; 3 deleted and
 *               erased; 4 torn: a crash cut its upload off
 *     9     1   cold: what a cold store has of it (store/tier.h): 0 nothing; 1 perhaps a
 *               copy; 2 the only bytes, those here count no more; 3 those here are erased
 *     10    2   zero
 *     12    4   CRC-32 of the content
 *     16    4   spot: offset of this header in the volume / 512
 *     20    4   room: bytes from this header to the end of the end mark / 512
 *     24    8   length of the content
 *     32    8   stored, Unix seconds
 *     40    8   deleted, Unix seconds; 0 for a picture
 *     48    16  group, NUL padded
 *     64    44  name, "M00/00/00/..."
 *     108   4   batch: spot of the first record that was written with this one, before
 *               the same flush
 *     112   8   zero
 *     120   8   seal: SipHash-2-4(secret, bytes 0 to 119)
 *
 *     end mark: offset  size
 *     0     8   SipHash-2-4(secret, spot and room as above)
 *     8     8   "pics-end"
 *
 * The seal is keyed because a picture's content may be anything, also a volume file
 * that somebody uploads: without the secret nobody can make bytes that a read or a
 * walk takes for a header.  The end mark is never zero, so that the last byte of a
 * volume that is not zero tells where the last record ends, and it is written last,
 * so that a record which a crash cut off is known by its absence.
 *
 * Everything here is pure: bytes in, bytes out. */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"
#include "store/engine.h"

enum {
	RECORD_BLOCK = FILE_ID_SPOT_UNIT,
	RECORD_HEADER_LEN = 128,
	RECORD_END_LEN = 16,
	RECORD_SECRET_LEN = 16,
	VOLUME_HEAD_LEN = RECORD_BLOCK,
	VOLUME_HEAD_COPY = 8,   /* block of the head's copy */
	VOLUME_FIRST_SPOT = 16, /* block of the first record */
};

#define RECORD_SPOT_END (UINT32_C(1) << 23) /* spots are below: 23 bits of an id */

/* What seals and marks of one volume are made with. */
struct record_key {
	uint8_t secret[RECORD_SECRET_LEN];
	uint8_t mark[8];
};

enum record_kind {
	RECORD_PICTURE = 1,
	RECORD_DELETED = 2,
	RECORD_ERASED = 3,
	RECORD_TORN = 4,
};

struct record {
	enum record_kind kind;
	enum engine_cold cold; /* of a torn record: ENGINE_COLD_NONE */
	uint32_t crc;
	uint32_t spot, room; /* in blocks */
	uint32_t batch;      /* a spot, not above `spot` */
	uint64_t len;
	int64_t stored, deleted;
	char group[FILE_ID_GROUP_MAX + 1];
	char name[FILE_ID_NAME_LEN + 1];
};

struct volume_head {
	uint16_t number;
	uint8_t path;
	char group[FILE_ID_GROUP_MAX + 1];
	uint8_t secret[RECORD_SECRET_LEN];
	int64_t created;
};

void volume_head_encode(const struct volume_head *head, uint8_t out[VOLUME_HEAD_LEN]);

/* Returns false if `in` is anything but what volume_head_encode makes. */
bool volume_head_decode(const uint8_t in[VOLUME_HEAD_LEN], struct volume_head *head);

void record_key_init(struct record_key *key, const uint8_t secret[RECORD_SECRET_LEN]);

/* Blocks that a record with `len` bytes of content takes. */
uint64_t record_room(uint64_t len);

/* Are the bytes of this picture here? */
static inline bool record_is_here(const struct record *record)
{
	return record->cold < ENGINE_COLD_ONLY;
}

/* Are there bytes under this record that nobody is to see any more? */
static inline bool record_is_to_erase(const struct record *record)
{
	return record->kind == RECORD_DELETED ||
	       (record->kind == RECORD_PICTURE && record->cold == ENGINE_COLD_ONLY);
}

/* Fill all of `record` for the new picture `id`, which is a batch by itself; room and spot
 * follow from the id. */
void record_of_picture(struct record *record, const struct file_id *id);

void record_encode(
	const struct record *record, const struct record_key *key, uint8_t out[RECORD_HEADER_LEN]);

enum record_found {
	RECORD_NONE,    /* no header of this volume */
	RECORD_DAMAGED, /* a header of this volume, but bytes of it have changed */
	RECORD_GOOD,
};

/* Tell what the bytes at block `spot` are; fills `record` if it is RECORD_GOOD. */
enum record_found record_decode(const uint8_t in[RECORD_HEADER_LEN], const struct record_key *key,
	uint32_t spot, struct record *record);

/* Could a header start here?  Quick, for scanning: never false where record_decode
 * with these bytes is RECORD_GOOD. */
bool record_has_mark(const uint8_t *in, const struct record_key *key);

/* Is this the record that `id` names: its name and group, size and CRC? */
bool record_names(const struct record *record, const struct file_id *id);

/* The id that the record names.  Returns false if the name is not one (which a
 * sealed header rules out). */
bool record_id(const struct record *record, struct file_id *id);

void record_end_encode(
	const struct record *record, const struct record_key *key, uint8_t out[RECORD_END_LEN]);
bool record_end_ok(const struct record *record, const struct record_key *key,
	const uint8_t in[RECORD_END_LEN]);
