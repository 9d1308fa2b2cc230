/* manifest.h - the list of what an export has, a line each.
 *
 *     picstore export 1
 *     picture<tab>ID<tab>SIZE<tab>CRC<tab>SHA256<tab>PATH<tab>NAMES
 *     metadata<tab>ID<tab>SIZE<tab>CRC<tab>SHA256<tab>PATH<tab>-
 *     ...
 *     end<tab>PICTURES<tab>BYTES
 *
 * SIZE and the figures of the last line are decimal, CRC is the CRC-32 and SHA256 the
 * SHA-256 of the content in lower-case hex, PATH is "pictures/" or "metadata/" and the id,
 * NAMES are the ids that the picture had elsewhere, with commas, or "-".  FastDFS metadata
 * of a file stands behind the file.  In an export that is a stream
 * each line of a picture is followed by its bytes and a newline.
 *
 * A line has one spelling.  What lacks its last line was cut off. */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"

#define MANIFEST_FIRST_LINE "picstore export 1"

enum {
	MANIFEST_NAMES_MAX = 16,
	MANIFEST_SHA_LEN = 32,
	MANIFEST_LINE_MAX = 8 + 20 + 8 + 2 * MANIFEST_SHA_LEN + 16 +
			    (MANIFEST_NAMES_MAX + 2) * (FILE_ID_TEXT_MAX + 1) + 1, /* newline too */
};

struct manifest_picture {
	bool is_metadata; /* of the file `id` */
	struct file_id id;
	uint64_t size;
	uint32_t crc;
	uint8_t sha[MANIFEST_SHA_LEN];
	struct file_id names[MANIFEST_NAMES_MAX];
	size_t name_count;
};

enum manifest_line {
	MANIFEST_NONSENSE,
	MANIFEST_PICTURE,
	MANIFEST_END,
};

/* Append the line with its newline. */
void manifest_put_picture(struct buf *out, const struct manifest_picture *picture);
void manifest_put_end(struct buf *out, uint64_t pictures, uint64_t bytes);

/* Read a line, without its newline, that is not the first.  Fills `*picture`, or the
 * figures of the last line. */
enum manifest_line manifest_parse(
	struct span line, struct manifest_picture *picture, uint64_t *pictures, uint64_t *bytes);

/* Where the bytes lie below the export's folder. */
void manifest_path(const struct file_id *id, bool is_metadata, char out[FILE_ID_TEXT_MAX + 16]);
