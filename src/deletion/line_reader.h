/* line_reader.h - the lines of a file that others may be appending to. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <sys/types.h>

struct line_reader {
	int fd;
	off_t offset; /* of the next line */
	off_t start;  /* of the line that was read last */
	uint8_t *bytes;
	size_t at, len;
	bool eof;
};

/* Read `fd`, which stays the caller's, from `offset` on. */
void line_reader_init(struct line_reader *reader, int fd, off_t offset);
void line_reader_fini(struct line_reader *reader);

/* The next line without its newline, borrowed until the next call; of a line of over
 * 64 KiB pieces of that size, as if each were one.  `whole` is false at the end of the
 * file if the newline is missing: the line is passed over then or read again, as the
 * caller likes (offset).  Returns 1, 0 at the end, or -1 with err. */
int line_reader_next(struct line_reader *reader, struct span *line, bool *whole, struct err *err);
