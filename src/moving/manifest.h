/* manifest.h - the list of what an export has, a line each.
 *
 *     picstore export 2
 *     WORD<tab>ID<tab>SIZE<tab>CRC<tab>SHA256<tab>PATH<tab>TIME<tab>NAMES
 *     ...
 *     end<tab>LINES<tab>BYTES
 *
 *     WORD      what ID is; TIME; NAMES
 *     picture   of a volume; "-"; the ids that it had elsewhere
 *     slave     TIME; its master, and if that is a slave too the first master
 *     appender  TIME; "-"
 *     finished  an appender that was given its final name; TIME; "-"
 *     metadata  FastDFS metadata of the file ID, which stands before it; "-"; "-"
 *
 * SIZE, TIME (Unix seconds of the last change) and the figures of the last line are decimal,
 * CRC is the CRC-32 and SHA256 the SHA-256 of the content in lower-case hex.  NAMES are ids
 * with commas between them, or "-".  PATH is "pictures/ID" of pictures and finished files, whose
 * id tells the content; of slaves and appenders "changing/ID.HASH", and of metadata
 * "metadata/ID.HASH", where HASH is the beginning of SHA256: what is exported later does not
 * change what an older list is about.  In an export that is a stream each line of a file is
 * followed by its bytes and a newline.
 *
 * A line has one spelling.  What lacks its last line was cut off. */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"

#define MANIFEST_FIRST_LINE "picstore export 2"

enum {
	MANIFEST_NAMES_MAX = 16,
	MANIFEST_SHA_LEN = 32,
	MANIFEST_PATH_MAX = FILE_ID_TEXT_MAX + 32,
	MANIFEST_LINE_MAX = 9 + 20 + 9 + 2 * MANIFEST_SHA_LEN + 1 + 32 + 20 +
			    (MANIFEST_NAMES_MAX + 2) * (FILE_ID_TEXT_MAX + 1) + 1, /* newline too */
};

enum manifest_kind {
	MANIFEST_PICTURE,
	MANIFEST_SLAVE,
	MANIFEST_APPENDER,
	MANIFEST_FINISHED,
	MANIFEST_METADATA,
};

struct manifest_file {
	enum manifest_kind kind;
	struct file_id id;
	uint64_t size;
	uint32_t crc;
	uint8_t sha[MANIFEST_SHA_LEN];
	int64_t changed; /* Unix seconds; of slaves, appenders and finished files */
	/* Of a picture those that it had elsewhere, of a slave its masters: one or two. */
	struct file_id names[MANIFEST_NAMES_MAX];
	size_t name_count;
};

enum manifest_line {
	MANIFEST_NONSENSE,
	MANIFEST_FILE,
	MANIFEST_END,
};

/* Append the line with its newline. */
void manifest_put_file(struct buf *out, const struct manifest_file *file);
void manifest_put_end(struct buf *out, uint64_t files, uint64_t bytes);

/* Read a line, without its newline, that is not the first.  Fills `*file`, or the figures
 * of the last line. */
enum manifest_line manifest_parse(
	struct span line, struct manifest_file *file, uint64_t *files, uint64_t *bytes);

/* Where the bytes lie below the export's folder; id, kind and sha are filled. */
void manifest_path(const struct manifest_file *file, char out[MANIFEST_PATH_MAX]);
