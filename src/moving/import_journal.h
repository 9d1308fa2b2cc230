/* import_journal.h - which files of a folder have been imported, and as what.
 *
 * A file has no id that could be asked for, so what is done is noted: after the picture is
 * on the disk of its storage.  A killed import goes on from there; only what was under way
 * at that moment may be stored twice.  (A loss of power on the importing machine may take
 * the last notes along, no more.)  From any thread. */
#pragma once

#include "core/err.h"
#include "core/file_id.h"

struct import_journal;

/* Open or make it.  It belongs to one store: ERR_CONFIG if it was made for another one
 * than `target` names. */
struct import_journal *import_journal_open(const char *path, const char *target, struct err *err);
void import_journal_close(struct import_journal *journal); /* NULL is fine */

/* 1 with the id if `source` is done, 0 if not, -1 with err. */
int import_journal_find(struct import_journal *journal, const char *source,
	char id[FILE_ID_TEXT_MAX + 1], struct err *err);
int import_journal_note(
	struct import_journal *journal, const char *source, const char *id, struct err *err);
