#include "programs/monit_varnish/monit_varnish.h"

#include "core/clock.h"
#include "core/log.h"
#include "monitor/monitor.h"
#include "service/settings.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 1000, INTERVAL_MAX_S = 3600, MS_PER_S = 1000 };

struct asked {
	char *name;          /* of varnishd's folder; NULL: the configuration says */
	const char *shown;   /* the last part of it */
	int64_t interval_ms; /* 0: figures since the start alone */
	struct varnish *varnish;
	struct varnish_stats before;
	int64_t before_ms; /* 0: there is none */
};

static int option(void *context, char letter, const char *value, struct err *err)
{
	struct asked *asked = context;
	char *end;
	double seconds;

	if (letter == 'n') {
		free(asked->name);
		asked->name = strdup(value);
		assert(asked->name != NULL);
		return 0;
	}
	seconds = strtod(value, &end);
	if (end == value || *end != '\0' || !(seconds >= 0 && seconds <= INTERVAL_MAX_S))
		return err_set(
			err, ERR_BAD_REQUEST, "--interval takes seconds, 0 to %d", INTERVAL_MAX_S);
	asked->interval_ms = (int64_t)(seconds * MS_PER_S);
	return 0;
}

static int open_asked(
	void *context, const char *config, char **operands, int count, struct err *err)
{
	struct asked *asked = context;
	struct settings *settings;
	struct err ignored;

	(void)operands;
	(void)count;
	log_init("monit_varnish", LOG_ERROR);
	if (asked->name == NULL) {
		settings = settings_load(config, config != NULL ? err : &ignored);
		if (settings == NULL && config != NULL)
			return -1;
		asked->name = strdup(settings == NULL ? "" : settings->varnish_name);
		assert(asked->name != NULL);
		settings_free(settings);
	}
	asked->shown = asked->name[0] == '\0' ? "varnishd" : asked->name;
	return 0;
}

static int read_now(struct asked *asked, struct varnish_stats *now, struct err *err)
{
	if (asked->varnish == NULL)
		asked->varnish = varnish_open(asked->name, err);
	if (asked->varnish == NULL)
		return -1;
	if (varnish_read(asked->varnish, true, now, err) == 0)
		return 0;
	/* The next look may find another one. */
	varnish_close(asked->varnish);
	asked->varnish = NULL;
	asked->before_ms = 0;
	return -1;
}

static void look(void *context, struct report *report)
{
	struct asked *asked = context;
	struct varnish_stats now;
	struct err err;
	int64_t now_ms;
	int result = 0;

	/* Watching, the last look is the earlier one. */
	if (asked->before_ms == 0 && asked->interval_ms > 0) {
		result = read_now(asked, &asked->before, &err);
		asked->before_ms = clock_mono_ms();
		if (result == 0)
			poll(NULL, 0, (int)asked->interval_ms);
	}
	if (result == 0)
		result = read_now(asked, &now, &err);
	if (result < 0) {
		asked->before_ms = 0;
		report_problem(report, REPORT_CRITICAL, "%s", err.text);
		snprintf(report->summary, sizeof report->summary, "no figures");
		return;
	}
	now_ms = clock_mono_ms();
	monit_varnish_put(report, asked->shown, asked->before_ms == 0 ? NULL : &asked->before, &now,
		now_ms - asked->before_ms);
	asked->before = now;
	asked->before_ms = asked->interval_ms > 0 ? now_ms : 0;
}

static const struct report_kind *const kinds[] = { &monit_varnish_cache, &monit_varnish_backend,
	NULL };

static const struct monitor_option options[] = {
	{ 'n', "name", "NAME",
		"varnishd's working folder or name, as its -n (default: that of the\n"
		"        configuration, else varnishd's own)" },
	{ 'i', "interval", "SECONDS",
		"time between the two looks that figures of now come from; 0: none\n"
		"        (default: 1)" },
	{ 0 },
};

int monit_varnish_main(int argc, char **argv)
{
	struct asked asked = { .interval_ms = INTERVAL_MS };
	const struct monitor monitor = {
		.name = "monit_varnish",
		.label = "VARNISH",
		.summary = "Tells how the Varnish of this machine is doing",
		.operands = "",
		.kinds = kinds,
		/* What a good hit rate is depends on who asks: no threshold for it here. */
		.warning = "evictions_now=~:100",
		.critical = "healthy=1:",
		.options = options,
		.option = option,
		.open = open_asked,
		.look = look,
		.context = &asked,
	};
	int status = monitor_main(&monitor, argc, argv);

	varnish_close(asked.varnish);
	free(asked.name);
	return status;
}
