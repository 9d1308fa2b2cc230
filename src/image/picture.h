/* picture.h - is this a picture, of which format, how large, and does it decode?
 *
 * picture_sniff looks at the first bytes and runs in any process.  Everything that
 * decodes runs in a picture_checker: a pool of child processes that are confined
 * (no files, no network, bounded memory and time) and may die without harm. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum picture_format {
	PICTURE_NONE,
	PICTURE_JPEG,
	PICTURE_PNG,
	PICTURE_GIF,
	PICTURE_WEBP,
	PICTURE_AVIF,
	PICTURE_HEIC,
	PICTURE_FORMATS
};

/* The format that the first bytes say, PICTURE_NONE for anything else. */
enum picture_format picture_sniff(struct span bytes);

const char *picture_name(enum picture_format format); /* "jpeg" */
const char *picture_mime(
	enum picture_format format); /* "image/jpeg"; of NONE application/octet-stream */
const char *picture_extension(enum picture_format format); /* "jpg" */

/* The format that a word means: "jpg", "JPEG", "image/jpeg", "image/pjpeg" (as old
 * browsers say), ".jpg"; PICTURE_NONE for other words. */
enum picture_format picture_format_of(struct span word);

struct picture_limits {
	uint32_t max_width, max_height;
	uint64_t max_pixels;             /* width x height x frames */
	uint64_t max_pixels_progressive; /* of pictures that cannot be decoded in strips */
	uint32_t max_frames;
	unsigned formats; /* bit 1 << format for each that is accepted */
	bool decode;      /* every pixel, not just the header */
};

struct picture_facts {
	enum picture_format format;
	uint32_t width, height; /* as it is shown, after its EXIF orientation */
	uint32_t frames;
};

struct picture_checker;

struct picture_checker_conf {
	struct picture_limits limits;
	int workers;
	int64_t timeout_ms; /* of one picture */
	uint64_t memory;    /* bytes that one worker may use for a picture */
	uint64_t max_bytes; /* of one picture */
};

/* Start the workers; call it before the process has threads that do more than wait, and
 * before it has read secrets, which the workers would inherit.  Formats that the
 * decoders on this machine cannot read are taken out of limits.formats.  NULL with err. */
struct picture_checker *picture_checker_new(
	const struct picture_checker_conf *conf, struct err *err);
void picture_checker_free(struct picture_checker *checker);

/* The formats that are accepted and can be read here. */
unsigned picture_checker_formats(const struct picture_checker *checker);

/* Check one picture; waits for a free worker within the timeout.  Any thread.
 * ERR_NOT_A_PICTURE, ERR_PIXEL_BOMB, ERR_TRUNCATED, ERR_TOO_LARGE, or ERR_BUSY when no
 * worker came free in time.  A worker that dies or takes too long is replaced; a
 * picture by which two died or one took too long is ERR_TRUNCATED (it cannot be decoded
 * here).  ERR_INTERNAL: no worker can be
 * started any more, the process had better end and be started anew. */
int picture_check(struct picture_checker *checker, struct span bytes, struct picture_facts *facts,
	struct err *err);
