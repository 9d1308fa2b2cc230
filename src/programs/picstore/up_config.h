/* up_config.h - the settings of a home: written at its first start, then kept in step
 * with where the home is. */
#pragma once

#include "programs/picstore/up_place.h"
#include "service/settings.h"

enum { UP_STANDARD_PORTS = -1, UP_PORT_BASE_MAX = 65000 };

/* Read HOME/etc/picstore.conf, or make it.  With `port_base` every port is set anew:
 * base + 1 varnishd, + 2 lighttpd, + 3 tracker, from + 4 on the storages; a new file
 * has the standard ports without.  `*text` gets what is to be in the file, and nothing
 * is written yet.  Returns settings that the caller frees, or NULL. */
struct settings *up_config_read(
	const struct up_place *place, int64_t port_base, struct buf *text, struct err *err);

/* Write it, if that is not what the file has already. */
int up_config_write(const struct up_place *place, const struct buf *text, struct err *err);
