/* target.h - what a request line asks for: "/download.fcgi/<id>?name=cat.jpg".
 *
 * The target is read as the client sent it.  Nothing is decoded and nothing is folded:
 * an id with an escape, a doubled slash or a dot in it is no id, since a second
 * spelling would be a second copy in caches that no purge reaches. */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"

enum { TARGET_NAME_MAX = 765 }; /* 255 bytes, each as %XX */

struct target {
	struct file_id id;
	struct span name; /* value of the query's first "name", as sent; empty if there is none */
};

/* Read "/<id>" or "/download.fcgi/<id>", with any query.  `target->name` borrows from
 * `text`.  Returns false if it is anything else. */
bool target_parse(struct span text, struct target *target);

/* Append a Content-Disposition for a file name from a query (percent-encoded) to
 * `value`.  Refused, with nothing appended, is a name that is empty, not UTF-8, longer
 * than TARGET_NAME_MAX when all is escaped, or that has control characters, slashes,
 * backslashes or double quotes.  picstore.vcl has the same rule for its hits. */
bool target_disposition(struct span name, struct buf *value);
