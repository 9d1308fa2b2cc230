/* delete_log.h - appending to the delete log, which several processes write and one takes
 * over now and then.
 *
 * Who writes holds an exclusive flock on the file, has made sure that the path still
 * names it, and appends whole lines with one write.  So whoever renames the file under
 * the same lock gets whole lines, and no line goes to a file that has been read to its
 * end.  A line that a crash tore is ended with a newline before the next one begins. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

struct delete_log;

/* Make the folder (but not those above it) and the file if they are missing. */
struct delete_log *delete_log_open(const char *path, struct err *err);
void delete_log_close(struct delete_log *log); /* NULL is fine */

/* Append `lines`, each with its newline, and bring them to the disk.  Returns -1 with
 * ERR_FULL or ERR_IO; of what was not written nothing is left, but what could not be
 * brought to the disk may be found there.  One thread at a time. */
int delete_log_append(struct delete_log *log, struct span lines, struct err *err);

/* Rename the log to `to` while nobody writes; the next line makes a new one.  Returns 1,
 * 0 if there is no log or an empty one, or -1. */
int delete_log_take(const char *path, const char *to, struct err *err);

/* A file that root has made becomes that of the owner of its folder, so that the daemons
 * can use it. */
void delete_log_give(int fd, const char *path);

/* Bring the names in the folder of `path` to the disk. */
int delete_log_sync_folder(const char *path, struct err *err);
