/* progress.h - a bar on stderr for who watches; nothing where stderr is no terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write the bar's line: at most `width` columns, fewer than 200.
 *
 *     stored [######..........]  12/40  3.1 MiB  1.2 MiB/s  0:03 left */
void progress_format(char out[200], const char *what, size_t done, size_t total, uint64_t bytes,
	int64_t elapsed_ms, int width);

/* "3.1 MiB", at most 15 characters. */
void progress_size(char out[16], uint64_t bytes);

struct progress {
	const char *what; /* "stored" */
	size_t total, done;
	uint64_t bytes;
	int64_t started_ms, drawn_ms; /* of clock_mono_ms() */
	bool shown, drawn;            /* stderr is a terminal; the bar stands there now */
};

/* All of this, and lines for stdout, only under one lock. */
void progress_start(struct progress *progress, const char *what, size_t total);
void progress_step(struct progress *progress, uint64_t bytes); /* one more is done */
/* So much is done, of a total that is known by now. */
void progress_set(struct progress *progress, size_t done, size_t total, uint64_t bytes);
void progress_hide(struct progress *progress); /* a line on stdout follows */
void progress_drop(struct progress *progress); /* take it away */
void progress_end(struct progress *progress);  /* leave it there, complete */
