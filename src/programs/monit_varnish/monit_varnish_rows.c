/* monit_varnish_rows.c - figures of a cache and of its backends as rows. */
#include "programs/monit_varnish/monit_varnish.h"

#include <stdio.h>

enum { MS_PER_S = 1000, PERCENT = 100 };

static const struct report_column cache_columns[] = {
	{ "cache", "CACHE", REPORT_LABEL, "" },
	{ "uptime", "UP", REPORT_SECONDS, "seconds since its worker was started" },
	{ "hit_rate", "HITS", REPORT_PERCENT, "lookups that were hits since the start" },
	{ "hit_rate_now", "NOW", REPORT_PERCENT, "lookups that were hits in the interval" },
	{ "requests", "REQUESTS", REPORT_COUNTER, "requests of clients" },
	{ "requests_per_second", "A SECOND", REPORT_NUMBER, "requests a second in the interval" },
	{ "hits", "HIT", REPORT_COUNTER, "lookups that were hits" },
	{ "misses", "MISSED", REPORT_COUNTER, "lookups that were misses" },
	{ "objects", "OBJECTS", REPORT_NUMBER, "objects in the cache" },
	{ "evictions", "EVICTED", REPORT_COUNTER, "objects thrown out for want of room" },
	{ "evictions_now", "NOW", REPORT_NUMBER, "objects a second thrown out in the interval" },
	{ "purged", "PURGED", REPORT_COUNTER, "objects purged" },
	{ "used", "USED", REPORT_PERCENT, "memory for objects that is used" },
	{ "used_bytes", "BYTES", REPORT_BYTES, "memory for objects that is used" },
	{ "fetch_failed", "FAILED", REPORT_COUNTER, "fetches from backends that failed" },
};

const struct report_kind monit_varnish_cache = { "cache", cache_columns,
	sizeof cache_columns / sizeof cache_columns[0] };

static const struct report_column backend_columns[] = {
	{ "cache", "CACHE", REPORT_LABEL, "" },
	{ "vcl", "VCL", REPORT_LABEL, "" },
	{ "backend", "BACKEND", REPORT_LABEL, "" },
	{ "health", "HEALTH", REPORT_TEXT, "" },
	{ "healthy", "HEALTHY", REPORT_NUMBER, "1 if its probes find it healthy, or it has none" },
	{ "probes", "PROBES", REPORT_TEXT, "" },
	{ "connections", "CONNECTIONS", REPORT_NUMBER, "connections open" },
	{ "backend_requests", "REQUESTS", REPORT_COUNTER, "requests sent" },
	{ "failed", "FAILED", REPORT_COUNTER, "connections that could not be made" },
	{ "refused", "REFUSED", REPORT_COUNTER, "fetches not tried, as it was sick or busy" },
};

const struct report_kind monit_varnish_backend = { "backend", backend_columns,
	sizeof backend_columns / sizeof backend_columns[0] };

static void put_backend(
	struct report *report, const char *name, const struct varnish_backend *backend)
{
	struct report_row *row = report_add(report, &monit_varnish_backend);
	const char *health = !backend->healthy ? "SICK" : backend->probed ? "healthy" : "no probe";
	char probes[40];

	report_put_text(row, "cache", name);
	report_put_text(row, "vcl", backend->vcl);
	report_put_text(row, "backend", backend->name);
	report_put_text(row, "health", health);
	report_put(row, "healthy", backend->healthy);
	if (backend->window > 0) {
		snprintf(probes, sizeof probes, "%u of %u good", backend->good, backend->window);
		report_put_text(row, "probes", probes);
	}
	report_put(row, "connections", (double)backend->connections);
	report_put(row, "backend_requests", (double)backend->requests);
	report_put(row, "failed", (double)backend->failed);
	report_put(row, "refused", (double)backend->refused);
}

static void put_interval(struct report_row *row, const struct varnish_stats *before,
	const struct varnish_stats *now, int64_t interval_ms)
{
	double seconds = (double)interval_ms / MS_PER_S;
	double rate;

	if (interval_ms <= 0 || now->uptime_s < before->uptime_s ||
		now->requests < before->requests || now->hits < before->hits ||
		now->misses < before->misses || now->evicted < before->evicted)
		return;
	rate = varnish_hit_rate(now->hits - before->hits, now->misses - before->misses);
	if (rate >= 0)
		report_put(row, "hit_rate_now", rate);
	report_put(
		row, "requests_per_second", (double)(now->requests - before->requests) / seconds);
	report_put(row, "evictions_now", (double)(now->evicted - before->evicted) / seconds);
}

void monit_varnish_put(struct report *report, const char *name, const struct varnish_stats *before,
	const struct varnish_stats *now, int64_t interval_ms)
{
	struct report_row *row = report_add(report, &monit_varnish_cache);
	double rate = varnish_hit_rate(now->hits, now->misses);
	uint64_t room = now->used_bytes + now->free_bytes;
	size_t healthy = 0;

	report_put_text(row, "cache", name);
	report_put(row, "uptime", (double)now->uptime_s);
	if (rate >= 0)
		report_put(row, "hit_rate", rate);
	if (before != NULL)
		put_interval(row, before, now, interval_ms);
	report_put(row, "requests", (double)now->requests);
	report_put(row, "hits", (double)now->hits);
	report_put(row, "misses", (double)now->misses);
	report_put(row, "objects", (double)now->objects);
	report_put(row, "evictions", (double)now->evicted);
	report_put(row, "purged", (double)now->purged);
	if (room > 0)
		report_put(row, "used", (double)now->used_bytes / (double)room * PERCENT);
	report_put(row, "used_bytes", (double)now->used_bytes);
	report_put(row, "fetch_failed", (double)now->fetch_failed);
	for (size_t i = 0; i < now->backend_count; i++) {
		put_backend(report, name, &now->backends[i]);
		healthy += now->backends[i].healthy;
	}
	if (rate >= 0)
		snprintf(report->summary, sizeof report->summary,
			"hit rate %.1f %%, %llu objects, %zu of %zu backends healthy", rate,
			(unsigned long long)now->objects, healthy, now->backend_count);
	else
		snprintf(report->summary, sizeof report->summary,
			"no lookups yet, %llu objects, %zu of %zu backends healthy",
			(unsigned long long)now->objects, healthy, now->backend_count);
}
