/* binlog.h - a line of the log in which a FastDFS storage notes what is done to files.
 *
 *     1572660675 C M00/00/00/oYYBAF285cOIHiVCAACI-7zX1qUAAAAVgAACC8AAIkT490.txt
 *
 * The Unix time, a letter for what was done, the name without the group; some letters
 * have another name or figures behind it.  Capitals: a client asked this storage; small
 * letters: it was copied from another of the group.  In data/sync/binlog.000 and on.
 * Source of the format: logs and descriptions of it that are public. */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"

enum { BINLOG_LINE_MAX = 512 };

enum binlog_what {
	BINLOG_MADE,    /* C, L: there is such a file from now on */
	BINLOG_REMOVED, /* D */
	BINLOG_RENAMED, /* R: `id` is the new name, `other` the old one */
	BINLOG_CHANGED, /* anything else: content or metadata */
};

struct binlog_line {
	int64_t time;
	enum binlog_what what;
	struct file_id id;
	struct file_id other;
};

/* Read a line, without its newline, of a storage of `group`.  False if it is none. */
bool binlog_parse(struct span line, const char *group, struct binlog_line *out);
