/* multipart.h - the parts of a multipart/form-data body (RFC 7578, RFC 2046).
 *
 *     preamble, ignored
 *     --boundary CRLF
 *     Content-Disposition: form-data; name="file"; filename="2m.jpg" CRLF
 *     Content-Type: image/jpeg CRLF
 *     CRLF
 *     bytes CRLF
 *     --boundary-- CRLF
 *     epilogue, ignored
 *
 * Clients differ, and all of these are taken: a quoted or a bare boundary, blanks
 * behind it, folded part headers, headers in any order or missing, backslashes in file
 * names, which old browsers send as whole paths, quotes in them as \" or %22, and
 * filename* of RFC 5987.  A body without its final boundary was cut off on its way
 * and is refused. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum {
	MULTIPART_BOUNDARY_MAX = 70,
	MULTIPART_PARTS_MAX = 64,
	MULTIPART_HEADERS_MAX = 8192, /* bytes of one part's headers */
	MULTIPART_NAME_MAX = 63,      /* a longer field name reads as "" */
	MULTIPART_FILENAME_MAX = 511, /* a longer file name loses its front */
};

struct multipart {
	struct span rest; /* behind the last boundary line, with that line's CRLF */
	char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CRLF, two dashes, boundary */
	size_t delimiter_len;
	unsigned parts;
	bool ended;
};

struct multipart_part {
	char name[MULTIPART_NAME_MAX + 1];
	bool has_filename;
	char filename[MULTIPART_FILENAME_MAX + 1]; /* without NULs, otherwise as sent: clean it */
	struct span data;                          /* borrowed from the body */
};

/* Start reading.  `body` must stay until the last part is used.  ERR_BAD_REQUEST if
 * `content_type` has no usable boundary, or the body not its first line. */
int multipart_open(
	struct multipart *multipart, struct span content_type, struct span body, struct err *err);

/* The next part: 1 when there is one, 0 behind the last, -1 with ERR_BAD_REQUEST. */
int multipart_next(struct multipart *multipart, struct multipart_part *part, struct err *err);
