/* pending.h - the journal of a storage on a shared engine: what was sent to the engine and
 * may not have come to its end.
 *
 * One SQLite file.  A row is a put or a remove by its name, and goes through
 *
 *     under way   sent, the answer is not there yet
 *     in doubt    the answer was "unknown", or never came: the picture is to be removed, and
 *                 nobody minds.  Of a put nobody was told the id; a remove was asked for
 *
 * and is dropped when its outcome is known.  A row that is under way survives the end of
 * the process, but need not survive that of the machine: flushing it would cost each put a
 * turn of the disk.  Its end is written in the same way, and after a crash of the machine
 * one may be there without the other.  Such puts are therefore left alone: the picture may
 * have been answered.  What is in doubt is on the disk.
 *
 * A crash of the process makes all that was under way doubtful when it starts again.
 *
 * From any thread; all may wait for the disk.  Errors are those of db.h. */
#pragma once

#include "core/err.h"
#include "core/file_id.h"

#include <stdbool.h>
#include <stdint.h>

enum pending_what { PENDING_PUT, PENDING_REMOVE, PENDING_KINDS };

/* A put that was not yet answered may still arrive after a remove of the same name. */
enum { PENDING_AGAIN_S = 61 };

struct pending;

/* Make or open the file at `path`.  `boot` tells this run of the machine from others (NULL: as
 * the kernel says); `left` is called for each put that was under way when the machine went
 * down: they are told of once and forgotten.  Times, here and below, are seconds of a clock
 * that only goes forward.  ERR_BUSY if another process has the file. */
struct pending *pending_open(const char *path, const char *boot, int64_t now_s,
	void (*left)(void *context, const char *name), void *context, struct err *err);
void pending_close(struct pending *pending); /* NULL is fine */

/* It is about to be sent.  Of a put ERR_BUSY if there is another of this name. */
int pending_begin(
	struct pending *pending, enum pending_what what, const char *name, struct err *err);

/* Its outcome is known. */
int pending_end(struct pending *pending, const char *name, struct err *err);

/* Its outcome is not known.  On the disk when this returns 0. */
int pending_doubt(struct pending *pending, enum pending_what what, const char *name, int64_t now_s,
	struct err *err);

/* Is it in doubt?  Quick if nothing is.  Also true if that cannot be told. */
bool pending_is_doubtful(struct pending *pending, const char *name);

/* What is in doubt and due at `now_s`, the oldest first.  Returns how many, -1 with err. */
struct pending_row {
	enum pending_what what;
	char name[FILE_ID_NAME_MAX + 1];
};

int pending_due(struct pending *pending, int64_t now_s, struct pending_row *rows, int most,
	struct err *err);

/* A remove of it that began at `now_s` ended: whether the picture is `gone` is known then.
 * Returns 1 if the row was dropped, 0 if it will be due again, -1 with err. */
int pending_tried(struct pending *pending, enum pending_what what, const char *name, bool gone,
	int64_t now_s, struct err *err);

/* How many are in doubt. */
void pending_count(const struct pending *pending, int64_t counts[PENDING_KINDS]);
