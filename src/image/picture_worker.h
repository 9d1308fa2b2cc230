/* picture_worker.h - the processes behind a picture_checker.
 *
 *     checker --fork, before it has threads--> nursery --fork--> worker, worker, ...
 *
 * The nursery is a small process with one thread that starts libvips once and forks
 * a worker whenever the checker asks for one; a checker with threads could not do
 * that safely.  It touches no picture.  It ends with the checker, its workers with it.
 *
 * All sockets are SOCK_SEQPACKET pairs.  To the nursery: one byte, with two descriptors,
 * the worker's end of its socket and the memory in which its pictures will lie.
 * Back: an int32, 0 or an errno value, with a pidfd of the worker when it is 0.
 * From a new worker: a struct picture_verdict, ERR_NONE once it is confined.
 * To a worker: a struct picture_job.  Back: a struct picture_verdict. */
#pragma once

#include "image/picture.h"

struct picture_job {
	uint64_t len; /* of the picture, which lies at the start of the shared memory */
};

struct picture_verdict {
	int32_t code; /* enum err_code */
	uint32_t format, width, height, frames;
	uint32_t leaving; /* the worker has served enough; it ends after this */
	char text[200];   /* the sentence, when code is not ERR_NONE */
};

/* What the nursery says first of all. */
struct picture_hello {
	unsigned formats; /* readable ones of those that were asked for; 0: it failed */
	char text[200];   /* why */
};

/* Be the nursery until the peer of `control` closes it.  Called in a fresh child. */
_Noreturn void picture_nursery(int control, const struct picture_checker_conf *conf);
