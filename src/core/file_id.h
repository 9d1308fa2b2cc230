/* file_id.h - the name of a stored picture.
 *
 * An id is a FastDFS id: group, a slash, and the name that the storage gave.
 * Source of the format: FastDFS as observed live, V5.04 to V6.16.
 *
 *     g01 / M00 / 00 / 00 / CgEBxVxREbmAUETXAAEqVyZGQRY 768 .jpg
 *     group path  dirs      27 base64 characters         pad  ext
 *
 * The 27 characters are 20 bytes in URL-safe base64 without padding:
 *
 *     byte  size
 *     0     4     source: the IPv4 address of the storage in network order,
 *                 or its id (1 to 16777215) as a little-endian number
 *     4     4     creation time, Unix seconds, big endian
 *     8     8     size field, big endian, see below
 *     16    4     CRC-32 of the content, big endian
 *
 *     bits of the size field
 *     63        the size is in bits 0 to 31, bits 32 to 54 are random;
 *               when clear, the whole field is the size (4 GiB and more)
 *     59        a trunk file: 16 more base64 characters follow the 27, 12
 *               bytes: trunk number, offset, slot size, each u32 big endian
 *     58        an appender file: its content changes, ask for its size
 *     32..54    23 random bits; in ids of picstore's own volumes the place of
 *               the record, in units of 512 bytes
 *
 * The tail is 7 characters: decimal pad digits, then the extension with its
 * dot.  A slave file has its master's name with its own extension, and a prefix put in
 * between: its name may be shorter than 44 characters, or much longer.
 *
 * An id has exactly one text form.  Caches key on it, so a second spelling would
 * be a second copy that no purge reaches: it is refused, never folded. */
#pragma once

#include "core/buf.h"

enum {
	FILE_ID_GROUP_MAX = 16, /* without the NUL */
	FILE_ID_EXT_MAX = 6,
	FILE_ID_PREFIX_MAX = 16,     /* of a slave file */
	FILE_ID_NAME_LEN = 44,       /* of a normal file: M00/00/00/ + 27 + 7 */
	FILE_ID_TAIL_LEN = 7,        /* of these, pad digits and extension */
	FILE_ID_TRUNK_NAME_LEN = 60, /* of a trunk file */
	FILE_ID_NAME_MAX = 127,      /* of any file, slaves included */
	FILE_ID_TEXT_MAX = FILE_ID_GROUP_MAX + 1 + FILE_ID_NAME_MAX,
	FILE_ID_PATHS = 256,     /* store paths, M00 to MFF */
	FILE_ID_SPOT_UNIT = 512, /* bytes per unit of `random` in our own ids */
};

enum file_id_kind {
	FILE_ID_NORMAL,
	FILE_ID_TRUNK,
	FILE_ID_APPENDER,
	FILE_ID_SLAVE, /* size and crc are its master's, not its own */
};

struct file_id {
	char group[FILE_ID_GROUP_MAX + 1];
	char name[FILE_ID_NAME_MAX + 1]; /* without the group; the whole truth, the rest is decoded */
	uint8_t name_len;

	enum file_id_kind kind;
	uint8_t path;        /* the number behind M */
	uint16_t dir;        /* HH and LL as one number */
	uint8_t source[4];   /* as in the name */
	bool source_is_id;   /* source is a storage id, not an address */
	uint32_t time;       /* Unix seconds */
	uint64_t size;       /* bytes; 0 and meaningless for an appender */
	uint32_t random;     /* 23 bits */
	uint32_t crc;
	char ext[FILE_ID_EXT_MAX + 1]; /* without the dot; of a slave its own */
	uint32_t trunk, trunk_offset, trunk_slot; /* of a trunk file */
};

/* Read the bytes of `text`, which need no NUL, as one whole id, "group/M00/...".
 * Returns false, and leaves `*id` alone, if they are anything else. */
bool file_id_parse(struct span text, struct file_id *id);

/* The same for a group and a name that came apart. */
bool file_id_parse_name(struct span group, struct span name, struct file_id *id);

/* Build the id of a new file of the kind FILE_ID_NORMAL or FILE_ID_APPENDER from group,
 * path, dir, source, time, size, random (23 bits; not used from 4 GiB on), crc and ext
 * in `*id`, and `pad`, from which the pad digits are taken.  Fills name and name_len.
 * Returns false, with `*id` as it was, if group or ext have characters or lengths that
 * ids do not have. */
bool file_id_make(struct file_id *id, uint32_t pad);

/* Name the slave of `master` with this prefix and extension: the master's name up to the
 * first dot in its last 7 characters, the prefix, a dot and the extension if there is
 * one.  Returns false, with `*slave` as it was, if prefix or ext are none, if the name is
 * too long, or if it would look like that of a file which is no slave. */
bool file_id_slave(
	const struct file_id *master, const char *prefix, const char *ext, struct file_id *slave);

/* Write "group/name" and a NUL to `out`; returns the length without the NUL. */
size_t file_id_format(const struct file_id *id, char out[FILE_ID_TEXT_MAX + 1]);

bool file_id_equal(const struct file_id *a, const struct file_id *b);

/* Group names: 1 to 16 of A-Z a-z 0-9. */
bool file_id_group_ok(struct span group);

/* Extensions: 0 to 6 of A-Z a-z 0-9 - _ . */
bool file_id_ext_ok(struct span ext);

/* Prefixes of slaves: 1 to 16 of A-Z a-z 0-9 - _ . ; but not "-m" without an extension,
 * which is how FastDFS calls its metadata. */
bool file_id_prefix_ok(struct span prefix, struct span ext);

/* The numeric storage id in `source`; 0 if it is an address. */
uint32_t file_id_source_id(const struct file_id *id);

/* The source as text: "10.1.1.197" or "100001". */
void file_id_source_text(const struct file_id *id, char out[16]);
