/* quarantine.h - what of a store path does not match, as a list for whoever runs it.
 *
 * Reads refuse what does not match whether it is on the list or not; the list is the
 * report.  STORE/quarantine has a line for each place, the oldest first:
 *
 *     SECONDS<tab>WHERE<tab>REASON
 *
 * SECONDS is when it was found the last time (Unix), WHERE a place like
 * "data/00/1F.vol@8192" (a record's offset) or "names.db@M00/00/00/...", REASON a
 * sentence.  A line that makes no sense is passed over: what it said is found again. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum { QUARANTINE_MAX = 10000, QUARANTINE_WHERE_MAX = 200, QUARANTINE_REASON_MAX = 400 };

struct quarantine_entry {
	int64_t seen;
	char where[QUARANTINE_WHERE_MAX];
	char reason[QUARANTINE_REASON_MAX];
};

struct quarantine {
	struct quarantine_entry *entries;
	size_t count;
	bool changed; /* since it was read or written */
};

/* The list as text, and back. */
void quarantine_parse(struct quarantine *list, struct span text);
void quarantine_put(const struct quarantine *list, struct buf *out);

/* Read the list of a store path; without a file it is empty.  Ended by quarantine_fini. */
int quarantine_read(struct quarantine *list, const char *folder, struct err *err);
void quarantine_fini(struct quarantine *list);

/* Bring it to the disk if it was changed; an empty list is no file. */
int quarantine_write(struct quarantine *list, const char *folder, struct err *err);

/* It was found at `now` that `where` does not match.  Returns true if it was not on the
 * list.  Beyond QUARANTINE_MAX nothing is added: the disk is lost by then. */
bool quarantine_note(struct quarantine *list, int64_t now, const char *where, const char *reason);

/* Take off what was found for the last time before `then`: it is right again, or gone. */
void quarantine_forget_before(struct quarantine *list, int64_t then);

/* Write the place of a record to `out`. */
void quarantine_where(uint16_t volume, uint64_t offset, char out[QUARANTINE_WHERE_MAX]);
