/* privileges.h - what a daemon gives away before it looks at anything from outside. */
#pragma once

#include "core/err.h"

/* Limits and habits that need no user: as many descriptors as allowed, umask 027, no
 * SIGPIPE. */
void privileges_prepare(void);

/* Make the folder `path` if it is not there, owned by `user` when root: for sockets, as
 * on most systems /run is empty after a boot.  The folder above must be there. */
int privileges_make_folder(const char *path, const char *user, struct err *err);

/* From here on files and sockets are made as `user` would make them, while privileged
 * ports can still be bound.  Does nothing when not root or `user` is empty. */
int privileges_files_as(const char *user, struct err *err);

/* Become `user` for good, groups included, and never gain privileges again.  When not
 * root or `user` is empty, only the latter. */
int privileges_drop(const char *user, struct err *err);
