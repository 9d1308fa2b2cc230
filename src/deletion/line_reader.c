#include "deletion/line_reader.h"

#include "core/disk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 64 << 10 };

void line_reader_init(struct line_reader *reader, int fd, off_t offset)
{
	*reader = (struct line_reader){ .fd = fd, .offset = offset, .bytes = malloc(SIZE) };
	assert(reader->bytes != NULL);
}

void line_reader_fini(struct line_reader *reader)
{
	free(reader->bytes);
	*reader = (struct line_reader){ .fd = -1 };
}

static int fill(struct line_reader *reader, struct err *err)
{
	ssize_t got;

	memmove(reader->bytes, reader->bytes + reader->at, reader->len - reader->at);
	reader->len -= reader->at;
	reader->at = 0;
	do
		got = disk_pread(reader->fd, reader->bytes + reader->len, SIZE - reader->len,
			reader->offset + (off_t)reader->len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_errno(err, "cannot read the delete log");
	reader->eof = got == 0;
	reader->len += (size_t)got;
	return 0;
}

int line_reader_next(struct line_reader *reader, struct span *line, bool *whole, struct err *err)
{
	for (;;) {
		const uint8_t *from = reader->bytes + reader->at;
		size_t have = reader->len - reader->at;
		const uint8_t *end = have == 0 ? NULL : memchr(from, '\n', have);

		if (end == NULL && have < SIZE && !reader->eof) {
			if (fill(reader, err) != 0)
				return -1;
			continue;
		}
		if (have == 0)
			return 0;
		*whole = end != NULL || have == SIZE;
		*line = span_of(from, end == NULL ? have : (size_t)(end - from));
		have = line->len + (end != NULL);
		reader->start = reader->offset;
		reader->offset += (off_t)have;
		reader->at += have;
		return 1;
	}
}
