/* volume_list.h - which volumes a store path has, and who may write to it. */
#pragma once

#include "core/err.h"

/* The number of the newest volume, or -1.  Reads two folders of at most 256 names,
 * however many volumes there are. */
int volume_list_newest(const char *folder);

/* The lowest number above `after` (-1 for the first), or -1. */
int volume_list_next(const char *folder, int after);

/* Can all volumes be listed?  0, or -1 with err where a folder does not open: the functions
 * above would take its volumes for ones that are not there. */
int volume_list_check(const char *folder, struct err *err);

/* Take the lock of a store path, for writing.  Returns a descriptor that is closed to
 * unlock, or -1: ERR_BUSY if another process has it. */
int volume_list_lock(const char *folder, struct err *err);
