/* files.h - reading and writing whole files. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>

/* Append the file at `path`, or stdin if it is "-", to `out`, within its limit:
 * ERR_TOO_LARGE.  Only regular files are read by name. */
int files_read(const char *path, struct buf *out, struct err *err);

/* Write `bytes` to a file that is there whole or not at all: a temporary file in the
 * same folder, then a rename.  ERR_EXISTS if it exists already, unless `replace`. */
int files_write(const char *path, struct span bytes, bool replace, struct err *err);

struct files_list {
	char **paths;
	size_t count;
};

/* Add `path`, and if it is a folder the regular files in it, sorted, and in those below
 * it; names with a dot in front and symbolic links in folders are passed over.  Returns
 * 0, or -1 if something could not be looked at; `list` is usable all the same. */
int files_add(struct files_list *list, const char *path, struct err *err);
void files_list_fini(struct files_list *list);

/* The extension for an id: that of `path` in lower case, or "" if ids cannot have it. */
void files_ext(const char *path, char out[7]);
