/* varnish_stats.h - the figures of a varnishd on this machine, from its shared memory.
 *
 * src/varnish is the only user of libvarnishapi.  Whoever reads needs to be in varnishd's
 * group, or root.  A struct varnish belongs to one thread at a time. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { VARNISH_BACKENDS_MAX = 64, VARNISH_NAME_MAX = 64 };

struct varnish_backend {
	char vcl[VARNISH_NAME_MAX], name[VARNISH_NAME_MAX];
	bool probed;                      /* it has a probe, as far as is known */
	bool healthy;                     /* so says its last probe; of one without probe always */
	unsigned good, threshold, window; /* of the last probes; 0 if nothing is known */
	uint64_t connections;             /* open now */
	uint64_t requests, failed;        /* failed: connections that could not be made */
	uint64_t refused;                 /* fetches not tried since it was sick, or busy */
};

struct varnish_stats {
	uint64_t uptime_s;
	uint64_t hits, misses, passes, requests;
	uint64_t objects;                /* in the cache now */
	uint64_t evicted, expired;       /* for want of room; by age */
	uint64_t purged;                 /* by purges and keys */
	uint64_t used_bytes, free_bytes; /* of the stores that have a limit */
	uint64_t fetch_failed, thread_failed;
	struct varnish_backend backends[VARNISH_BACKENDS_MAX];
	size_t backend_count;
};

/* Hits of a hundred requests that were looked up; negative if there were none. */
double varnish_hit_rate(uint64_t hits, uint64_t misses);

struct varnish;

/* Attach to the varnishd whose name or working folder (-n) is `name`; empty: the default.
 * ERR_UNREACHABLE if there is none, or it may not be read. */
struct varnish *varnish_open(const char *name, struct err *err);
void varnish_close(struct varnish *varnish); /* NULL is fine */

/* Read all figures.  With `log`, the log is looked through for what probes said: the whole
 * of it at the first call, then what is new. */
int varnish_read(struct varnish *varnish, bool log, struct varnish_stats *out, struct err *err);

/* ---- what a probe said, as it stands in the log ---- */

struct varnish_probe {
	char vcl[VARNISH_NAME_MAX], name[VARNISH_NAME_MAX];
	bool healthy;
	unsigned good, threshold, window;
};

/* Read a record Backend_health:
 *
 *     boot.gateway Still healthy 4---X-RH 4 3 4 0.000307 0.000312 "HTTP/1.1 404 Not Found"
 *
 * name, what has changed, flags, good, threshold, window, and more that is not used.
 * Returns false, and leaves `*out` alone, if it is anything else. */
bool varnish_probe_parse(struct span record, struct varnish_probe *out);
