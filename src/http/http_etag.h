/* http_etag.h - entity tags in conditional requests. */
#pragma once

#include "core/buf.h"

/* True if `list`, the value of If-None-Match, is "*" or names `etag` (in quotes), weak
 * tags (W/"...") included.  Reading stops at what is no tag: such a list matches
 * only by what stands before. */
bool http_etag_listed(struct span list, struct span etag);
