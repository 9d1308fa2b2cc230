#include "net/peer_log.h"

#include "core/clock.h"

void peer_log_trouble(struct peer_log *log, enum net_trouble what, const char *peer)
{
	const struct peer_kind *kind = &log->kinds[what];
	unsigned hidden;

	if (kind->counter != NULL)
		atomic_fetch_add(kind->counter, 1);
	if (!log_limit_pass(&log->limits[what], clock_mono_ms(), &hidden))
		return;
	if (hidden > 0)
		log_line(kind->level, "%s %s (and %u more such lines left out)", peer, kind->text,
			hidden);
	else
		log_line(kind->level, "%s %s", peer, kind->text);
}

void peer_log_refused(struct peer_log *log, const struct package *package, const char *peer,
	enum ret ret, const char *why)
{
	unsigned hidden;

	if (!log_limit_pass(&log->refused, clock_mono_ms(), &hidden))
		return;
	if (ret == RET_TOO_LARGE)
		log_warn("command %u from %s refused: its package of %u bytes is over max_package",
			package->cmd, peer, package->len);
	else
		log_warn("command %u from %s refused: %s", package->cmd, peer, why);
}
