/* monit_varnish.h - a cache's figures as rows, and the differences of two looks at it. */
#pragma once

#include "monitor/report.h"
#include "varnish/varnish_stats.h"

extern const struct report_kind monit_varnish_cache, monit_varnish_backend;

/* Fill the rows of the cache `name`.  `before` is a look `interval_ms` earlier, or NULL; a
 * worker that was started anew in between has no figures of an interval. */
void monit_varnish_put(struct report *report, const char *name, const struct varnish_stats *before,
	const struct varnish_stats *now, int64_t interval_ms);

int monit_varnish_main(int argc, char **argv);
