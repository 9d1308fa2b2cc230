/* picture_jobs.h - child processes that work on pictures, confined, and may die.
 *
 * A pool of workers that do one kind of work, a trade: picture_checker looks whether a
 * picture is one, picture_cutter makes a smaller one of it.  A worker can compute and
 * nothing else (src/confine/jail.h), and has bounded memory and time for a picture.  What
 * it says is checked like any other bytes from outside: a picture may have taken it over.
 * One that dies or takes too long is replaced. */
#pragma once

#include "image/picture.h"

enum {
	PICTURE_WISH_MAX = 64,    /* bytes that say what is to be done with a picture */
	PICTURE_FINDING_MAX = 32, /* bytes that say what was found */
};

/* One job, as a worker sees it. */
struct picture_job {
	struct span picture;
	const void *wish;
	void *finding;   /* zeroed */
	uint8_t *room;   /* where a result goes */
	size_t room_len; /* the most it may have */
	size_t result_len;
};

struct picture_trade {
	const char *name; /* of the processes: "checker" */

	/* Called once, in the process that the workers are forked from.  Returns those of
	 * `formats` (bits 1 << format) that can be worked on here, 0 with err if none. */
	unsigned (*prepare)(const void *context, unsigned formats, struct err *err);

	/* Called in a worker.  `formats` is what `prepare` returned. */
	int (*work)(
		const void *context, unsigned formats, struct picture_job *job, struct err *err);
};

struct picture_jobs_conf {
	const struct picture_trade *trade;
	const void *context; /* for the trade; used until the pool is freed */
	unsigned formats;    /* that are accepted */
	int workers;
	int64_t timeout_ms;  /* of one picture */
	uint64_t memory;     /* bytes that one worker may use for a picture */
	uint64_t max_bytes;  /* of one picture */
	uint64_t max_result; /* of what is made of it; 0: nothing is */
};

struct picture_jobs;

/* Start the workers; when, and what it returns, is as of picture_checker_new. */
struct picture_jobs *picture_jobs_new(const struct picture_jobs_conf *conf, struct err *err);
void picture_jobs_free(struct picture_jobs *jobs);

/* The formats that are accepted and can be worked on here. */
unsigned picture_jobs_formats(const struct picture_jobs *jobs);

struct picture_order {
	struct span picture;
	const void *wish; /* `wish_len` bytes, at most PICTURE_WISH_MAX */
	size_t wish_len;
	void *finding; /* gets `finding_len` bytes, at most PICTURE_FINDING_MAX */
	size_t finding_len;
	struct buf *result; /* what was made is put here; NULL: nothing is */
};

/* Have one job done; waits for a free worker within the timeout.  Any thread.
 * ERR_NOT_A_PICTURE and ERR_TOO_LARGE without asking a worker; what a worker says, of
 * ERR_BAD_REQUEST, ERR_NOT_A_PICTURE, ERR_PIXEL_BOMB, ERR_TRUNCATED, ERR_TOO_LARGE and
 * ERR_UNSUPPORTED; ERR_TRUNCATED (it cannot be decoded here) when two workers die
 * of it or one takes too long; ERR_BUSY when no worker came free in time.  ERR_INTERNAL: no worker
 * can be started any more, the process had better end and be started anew. */
int picture_jobs_do(struct picture_jobs *jobs, const struct picture_order *order, struct err *err);
