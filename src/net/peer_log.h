/* peer_log.h - log lines and figures about what peers of a server do wrong, of each kind not
 * more than a few lines a second: any number of strangers can cause them. */
#pragma once

#include "core/log.h"
#include "core/log_limit.h"
#include "net/net_server.h"
#include "wire/package.h"
#include "wire/ret.h"

#include <stdatomic.h>

/* Zeroed but for what is set here.  Belongs to the loop's thread. */
struct peer_log {
	struct peer_kind {
		_Atomic int64_t *counter; /* NULL: not counted */
		enum log_level level;
		const char *text; /* goes on behind the peer's address */
	} kinds[NET_TROUBLES];
	struct log_limit limits[NET_TROUBLES];
	struct log_limit refused;
};

void peer_log_trouble(struct peer_log *log, enum net_trouble what, const char *peer);

/* Of a framed package that was refused with `ret`; `why` is said unless it was too long. */
void peer_log_refused(struct peer_log *log, const struct package *package, const char *peer,
	enum ret ret, const char *why);
