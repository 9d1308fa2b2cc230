/* db_copy.h - a whole database copied while others use it. */
#pragma once

#include "core/err.h"

/* Make the file `to` the database `from` as it is at one moment; one that is there is
 * replaced.  On return it is on the disk.  Whoever writes to `from` does not wait.
 * ERR_NOT_FOUND if there is no `from`, else the errors of db.h.  What a crash leaves
 * behind is "TO.new". */
int db_copy(const char *from, const char *to, struct err *err);
