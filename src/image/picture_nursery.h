/* picture_nursery.h - the processes behind picture_jobs.
 *
 *     pool --fork, before it has threads--> nursery --fork--> worker, worker, ...
 *
 * The nursery is a small process with one thread that prepares the trade (starts
 * libvips) once and forks a worker whenever the pool asks for one; a pool with threads
 * could not do that safely.  It touches no picture.  It ends with the pool, its workers
 * with it.
 *
 * All sockets are SOCK_SEQPACKET pairs.  To the nursery: one byte, with two descriptors,
 * the worker's end of its socket and the memory that holds its pictures, and behind them,
 * at a multiple of the page size, what it makes of them.  Back: an int32, 0 or an errno
 * value, with a pidfd of the worker when it is 0.
 * From a new worker: a struct picture_reply, ERR_NONE once it is confined.
 * To a worker: a struct picture_ask.  Back: a struct picture_reply. */
#pragma once

#include "image/picture_jobs.h"

struct picture_ask {
	uint64_t len; /* of the picture, which lies at the start of the shared memory */
	uint8_t wish[PICTURE_WISH_MAX];
};

struct picture_reply {
	int32_t code;     /* enum err_code */
	uint32_t leaving; /* the worker has served enough; it ends after this */
	uint64_t result_len;
	uint8_t finding[PICTURE_FINDING_MAX];
	char text[200]; /* the sentence, when code is not ERR_NONE */
};

/* What the nursery says first of all. */
struct picture_hello {
	unsigned formats; /* that it can work on, of those that were asked for; 0: it failed */
	char text[200];   /* why */
};

/* Where the results lie in the shared memory, and how long it is. */
size_t picture_room_at(const struct picture_jobs_conf *conf);
size_t picture_memory_len(const struct picture_jobs_conf *conf);

/* Be the nursery until the peer of `control` closes it.  Called in a fresh child. */
_Noreturn void picture_nursery(int control, const struct picture_jobs_conf *conf);
