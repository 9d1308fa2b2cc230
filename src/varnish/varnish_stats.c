#include "varnish/varnish_stats.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vapi/vsc.h>
#include <vapi/vsl.h>
#include <vapi/vsm.h>

enum { NEWEST_PROBES = 7, /* the last three, as bits */ PERCENT = 100 };

struct varnish {
	struct vsm *vsm;
	struct vsc *vsc;
	struct VSL_data *vsl;
	struct VSL_cursor *cursor;
	struct varnish_probe probes[VARNISH_BACKENDS_MAX];
	size_t probe_count;
};

double varnish_hit_rate(uint64_t hits, uint64_t misses)
{
	return hits + misses == 0 ? -1 : (double)hits / (double)(hits + misses) * PERCENT;
}

struct varnish *varnish_open(const char *name, struct err *err)
{
	struct varnish *varnish = calloc(1, sizeof *varnish);

	assert(varnish != NULL);
	varnish->vsm = VSM_New();
	varnish->vsc = VSC_New();
	varnish->vsl = VSL_New();
	assert(varnish->vsm != NULL && varnish->vsc != NULL && varnish->vsl != NULL);
	if ((name[0] != '\0' && VSM_Arg(varnish->vsm, 'n', name) < 0) ||
		VSM_Arg(varnish->vsm, 't', "0") < 0 || VSM_Attach(varnish->vsm, -1) != 0) {
		const char *why = VSM_Error(varnish->vsm);

		err_set(err, ERR_UNREACHABLE, "cannot read the figures of varnishd%s%.80s: %.100s",
			name[0] == '\0' ? "" : " in ", name, why == NULL ? "it does not run" : why);
		for (char *c = err->text; *c != '\0'; c++)
			if ((unsigned char)*c < 0x20)
				*c = ' ';
		varnish_close(varnish);
		return NULL;
	}
	return varnish;
}

static void close_log(struct varnish *varnish)
{
	if (varnish->cursor != NULL)
		VSL_DeleteCursor(varnish->cursor);
	varnish->cursor = NULL;
}

void varnish_close(struct varnish *varnish)
{
	if (varnish == NULL)
		return;
	close_log(varnish);
	VSL_Delete(varnish->vsl);
	VSC_Destroy(&varnish->vsc, varnish->vsm);
	VSM_Destroy(&varnish->vsm);
	free(varnish);
}

/* ---- counters ---- */

struct figure {
	const char *name;
	size_t offset;
};

#define MAIN(counter, field)                                                                       \
	{                                                                                          \
		"MAIN." counter, offsetof(struct varnish_stats, field)                             \
	}

static const struct figure figures[] = {
	MAIN("uptime", uptime_s),
	MAIN("cache_hit", hits),
	MAIN("cache_miss", misses),
	MAIN("s_pass", passes),
	MAIN("client_req", requests),
	MAIN("n_object", objects),
	MAIN("n_lru_nuked", evicted),
	MAIN("n_expired", expired),
	MAIN("n_obj_purged", purged),
	MAIN("fetch_failed", fetch_failed),
	MAIN("threads_failed", thread_failed),
};

#undef MAIN

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The backend "VBE.<vcl>.<name>.<counter>" is about; NULL if there is no room. */
static struct varnish_backend *backend_of(
	struct varnish_stats *stats, const char *vcl, size_t vcl_len, const char *name, size_t len)
{
	struct varnish_backend *backend;

	if (vcl_len >= VARNISH_NAME_MAX || len >= VARNISH_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < stats->backend_count; i++) {
		backend = &stats->backends[i];
		if (strlen(backend->vcl) == vcl_len && memcmp(backend->vcl, vcl, vcl_len) == 0 &&
			strlen(backend->name) == len && memcmp(backend->name, name, len) == 0)
			return backend;
	}
	if (stats->backend_count == VARNISH_BACKENDS_MAX)
		return NULL;
	backend = &stats->backends[stats->backend_count++];
	*backend = (struct varnish_backend){ .healthy = true };
	memcpy(backend->vcl, vcl, vcl_len);
	memcpy(backend->name, name, len);
	return backend;
}

static void put_backend(struct varnish_stats *stats, const char *point, uint64_t value)
{
	const char *vcl = point + strlen("VBE.");
	const char *dot = strchr(vcl, '.'), *counter = strrchr(vcl, '.');
	struct varnish_backend *backend;

	if (dot == NULL || counter == dot)
		return;
	backend = backend_of(stats, vcl, (size_t)(dot - vcl), dot + 1, (size_t)(counter - dot - 1));
	if (backend == NULL)
		return;
	counter++;
	if (strcmp(counter, "happy") == 0) {
		/* Bits of the last 64 probes, the newest lowest; all zero without a probe. */
		backend->probed = value != 0;
		backend->healthy = value == 0 || (value & NEWEST_PROBES) != 0;
	} else if (strcmp(counter, "conn") == 0) {
		backend->connections = value;
	} else if (strcmp(counter, "req") == 0) {
		backend->requests = value;
	} else if (strcmp(counter, "fail") == 0) {
		backend->failed = value;
	} else if (strcmp(counter, "unhealthy") == 0 || strcmp(counter, "busy") == 0) {
		backend->refused += value;
	}
}

static int put_point(void *context, const struct VSC_point *const point)
{
	struct varnish_stats *stats = context;
	uint64_t value;

	if (point == NULL)
		return 0;
	value = VSC_Value(point);
	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
		if (strcmp(point->name, figures[i].name) == 0)
			memcpy((char *)stats + figures[i].offset, &value, sizeof value);
	if (strncmp(point->name, "VBE.", 4) == 0)
		put_backend(stats, point->name, value);
	/* Transient has no limit: it says nothing about the room for pictures. */
	if ((strncmp(point->name, "SMA.", 4) == 0 || strncmp(point->name, "SMF.", 4) == 0) &&
		strncmp(point->name + 4, "Transient.", 10) != 0) {
		if (ends_with(point->name, ".g_bytes"))
			stats->used_bytes += value;
		else if (ends_with(point->name, ".g_space"))
			stats->free_bytes += value;
	}
	return 0;
}

/* ---- probes ---- */

static void note_probe(struct varnish *varnish, const struct varnish_probe *probe)
{
	for (size_t i = 0; i < varnish->probe_count; i++)
		if (strcmp(varnish->probes[i].name, probe->name) == 0 &&
			strcmp(varnish->probes[i].vcl, probe->vcl) == 0) {
			varnish->probes[i] = *probe;
			return;
		}
	if (varnish->probe_count < VARNISH_BACKENDS_MAX)
		varnish->probes[varnish->probe_count++] = *probe;
}

/* A log that cannot be read, or overtakes us, is no failure: the counters tell less, but
 * enough. */
static void read_log(struct varnish *varnish)
{
	struct varnish_probe probe;
	int next = 1;

	if (varnish->cursor == NULL)
		varnish->cursor = VSL_CursorVSM(varnish->vsl, varnish->vsm, VSL_COPT_TAILSTOP);
	while (varnish->cursor != NULL && (next = (int)VSL_Next(varnish->cursor)) == vsl_more) {
		const uint32_t *record = varnish->cursor->rec.ptr;

		if (VSL_TAG(record) == SLT_Backend_health &&
			varnish_probe_parse(span_of(VSL_CDATA(record), VSL_LEN(record)), &probe))
			note_probe(varnish, &probe);
	}
	/* At the end of a log that stops there a cursor is done. */
	if (next != vsl_end || varnish->cursor == NULL) {
		VSL_ResetError(varnish->vsl);
		close_log(varnish);
	}
}

static void put_probes(const struct varnish *varnish, struct varnish_stats *stats)
{
	for (size_t i = 0; i < stats->backend_count; i++) {
		struct varnish_backend *backend = &stats->backends[i];

		for (size_t j = 0; j < varnish->probe_count; j++) {
			const struct varnish_probe *probe = &varnish->probes[j];

			if (strcmp(probe->name, backend->name) != 0 ||
				(probe->vcl[0] != '\0' && strcmp(probe->vcl, backend->vcl) != 0))
				continue;
			backend->probed = true;
			backend->healthy = probe->healthy;
			backend->good = probe->good;
			backend->threshold = probe->threshold;
			backend->window = probe->window;
		}
	}
}

int varnish_read(struct varnish *varnish, bool log, struct varnish_stats *out, struct err *err)
{
	unsigned status = VSM_Status(varnish->vsm);

	*out = (struct varnish_stats){ 0 };
	if ((status & VSM_MGT_RUNNING) == 0)
		return err_set(err, ERR_UNREACHABLE, "varnishd has ended");
	if ((status & VSM_WRK_RUNNING) == 0)
		return err_set(err, ERR_UNREACHABLE, "varnishd runs, but its worker does not");
	if ((status & VSM_WRK_RESTARTED) != 0) {
		close_log(varnish);
		varnish->probe_count = 0;
	}
	VSC_Iter(varnish->vsc, varnish->vsm, put_point, out);
	if (log) {
		read_log(varnish);
		put_probes(varnish, out);
	}
	return 0;
}
