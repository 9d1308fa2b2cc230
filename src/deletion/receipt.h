/* receipt.h - what was asked to be deleted, by whom, and where that has been done.
 *
 * A receipt is opened before the first place is touched, with all places that are known,
 * and closed when each is confirmed, or has left.  So what a crash interrupts is found again
 * and done.  A request for a picture whose receipt is still open is noted in that one.
 *
 *     receipt  picture, opened, closed, owner (the process that opened it), next_try
 *     asked    receipt, at, user, hostid, peer
 *     place    receipt, picture, cache ('' is the store), confirmed, outcome, tries, error,
 *              left (when it was found to be in the configuration no more)
 *
 * Times are Unix seconds, next_try milliseconds.  A struct receipts belongs to one thread
 * at a time, several processes may have the same file; errors are those of meta/db.h. */
#pragma once

#include "deletion/deletion.h"

struct receipts;

struct receipts *receipts_open(const char *path, bool read_only, struct err *err);
void receipts_close(struct receipts *receipts); /* NULL is fine */

/* Changes are made between these two. */
int receipts_begin(struct receipts *receipts, struct err *err);
int receipts_commit(struct receipts *receipts, struct err *err);
void receipts_rollback(struct receipts *receipts);

struct receipt_request {
	int64_t at; /* Unix seconds */
	uint32_t user, hostid;
	const char *peer;
	const char *owner;
	int64_t next_try_ms; /* when others may take it that its owner has died */
};

/* Open a receipt for the deletion, or join the one that is open: its places become the
 * deletion's too. */
int receipt_open(struct receipts *receipts, struct deletion *deletion,
	const struct receipt_request *request, struct err *err);

/* Add the places from `from` on. */
int receipt_add(struct receipts *receipts, struct deletion *deletion, size_t from, struct err *err);

/* Note how the places are now; close the receipt if none is outstanding, otherwise it is
 * to be tried again at `next_try_ms` at the earliest. */
int receipt_save(struct receipts *receipts, const struct deletion *deletion, int64_t now,
	int64_t next_try_ms, struct err *err);

/* What `owner` left open when it died may be taken at once. */
int receipts_disown(struct receipts *receipts, const char *owner, struct err *err);

/* `cache` is configured: what was not confirmed there when it had left is outstanding again. */
int receipts_reopen(struct receipts *receipts, const char *cache, struct err *err);

/* Take at most `max` open receipts whose next_try has come for `owner`, and have everybody
 * else wait until `next_try_ms`.  Returns how many, in `out`, which the caller fini()s; or -1. */
int receipts_take(struct receipts *receipts, const char *owner, int64_t now_ms, int64_t next_try_ms,
	struct deletion *out, int max, struct err *err);

int receipts_count_open(struct receipts *receipts, int64_t *count, struct err *err);

/* ---- reading ---- */

struct receipt {
	int64_t number;
	char picture[FILE_ID_TEXT_MAX + 1];
	int64_t opened, closed; /* closed 0: something is outstanding */
	int64_t left;           /* places that have left, and are not confirmed */
};

struct receipt_asked {
	int64_t at;
	uint32_t user, hostid;
	char peer[64];
};

struct receipt_reader {
	void (*receipt)(void *context, const struct receipt *receipt);
	void (*asked)(void *context, const struct receipt_asked *asked);
	/* `err.text` and `tries` of an outstanding one. */
	void (*place)(void *context, const struct deletion_place *place, int64_t tries);
	void (*end)(void *context); /* of a receipt */
	void *context;
};

/* Read the receipts of `picture`, or of something that was made from it, oldest first;
 * of all that are open if it is NULL.  Returns how many, or -1. */
int receipts_read(struct receipts *receipts, const char *picture,
	const struct receipt_reader *reader, struct err *err);
