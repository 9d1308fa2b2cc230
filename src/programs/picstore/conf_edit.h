/* conf_edit.h - changing single values in the text of an ini file, so that comments,
 * order and everything else stay as their owner wrote them. */
#pragma once

#include "core/buf.h"

/* Copy `text` to `out` with `key` of [section] set to `value`: in place if it stands
 * there, else as the first line of the section, else in a new section at the end. */
void conf_edit_set(
	struct span text, const char *section, const char *key, const char *value, struct buf *out);
