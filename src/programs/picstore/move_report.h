/* move_report.h - how an import or an export goes, for who watches and for who reads it
 * later: a line that is drawn anew where stderr is a terminal, a line now and then where
 * it is not, one for each failure, and the sum in the end. */
#pragma once

#include "core/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum move_outcome {
	MOVE_DONE,
	MOVE_ALREADY, /* was there */
	MOVE_DELETED, /* had been deleted, here or there */
	MOVE_PASSED,  /* is nothing to be moved */
	MOVE_FAILED,
	MOVE_OUTCOMES,
};

struct cli;

struct move_report {
	const struct cli *cli;
	const char *verb; /* "imported" */
	FILE *failures;   /* a line each: what, word, sentence; or NULL */
	pthread_mutex_t lock;
	uint64_t total; /* 0: not known */
	uint64_t counts[MOVE_OUTCOMES];
	uint64_t bytes;
	int64_t started_ms, told_ms;
	bool terminal, drawn;
};

/* `failures` is a file to write, or NULL.  -1 with err if it cannot be made. */
int move_report_start(struct move_report *report, const struct cli *cli, const char *verb,
	const char *failures, struct err *err);

/* Of `what` came that.  "ID<tab>WHAT" goes to stdout, if `id` is not NULL, as put does for
 * files: the id first, so that others can take it.  `err` of what failed or was passed
 * over.  Any thread. */
void move_report_add(struct move_report *report, const char *what, enum move_outcome outcome,
	uint64_t bytes, const char *id, const struct err *err);

/* The sum.  Returns the exit status: 1 if anything failed. */
int move_report_end(struct move_report *report);

/* "12 of 40 imported, 1 failed, 3.1 MiB, 1.2 MiB/s, 0:03 left" */
void move_report_text(const struct move_report *report, int64_t now_ms, bool end, char out[200]);
