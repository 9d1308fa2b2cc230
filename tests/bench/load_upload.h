/* load_upload.h - uploads of a picture that is never twice the same, over any protocol.
 *
 * Each upload sends the picture with its running number as eight hex digits in place of
 * some of its bytes.  A protocol says what stands around the picture and what the
 * answer means; connections, sending, waiting and times are here. */
#pragma once

#include "load.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOAD_AROUND_MAX = 2048, LOAD_ANSWER_MAX = 4096, LOAD_STAMP_LEN = 8 };

struct load_upload {
	int fd;
	bool busy;
	size_t index;    /* of this run, from 0 */
	size_t len;      /* of its picture */
	uint32_t crc;    /* of it */
	unsigned number; /* the running one */
	int64_t start_us;
	char stamp[LOAD_STAMP_LEN + 1];
	uint8_t head[LOAD_AROUND_MAX], tail[LOAD_AROUND_MAX];
	size_t head_len, tail_len;
	size_t sent;
	uint8_t answer[LOAD_ANSWER_MAX];
	size_t answer_len;
};

struct load_protocol {
	void (*ask)(struct load_upload *upload);  /* fill head and tail */
	bool (*take)(struct load_upload *upload); /* is the answer complete?  Then check it */
};

struct load_uploads {
	const char *address;
	struct load_protocol protocol;
	size_t connections, count;
	unsigned first; /* running number */
	const uint8_t *picture;
	size_t picture_len;
	size_t stamp_at; /* where those bytes are; 0: in the middle */
	bool drawn; /* send only the beginning, of a length drawn by the number */
	size_t wrong;
	uint64_t bytes; /* of pictures that were sent */
	struct load_times times;
};

enum { LOAD_DRAWN_MIN = 1000, LOAD_DRAWN_MAX = 100000 };

/* The whole file, in memory that stays; its length to `*len`. */
const uint8_t *load_picture(const char *file, size_t *len);

/* Upload `count` times. */
void load_uploads_run(struct load_uploads *uploads);

/* Note that an answer was wrong, and say so on stderr unless that was done often enough. */
void load_uploads_wrong(struct load_uploads *uploads, size_t index, const char *what);
