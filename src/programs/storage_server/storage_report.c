#include "programs/storage_server/storage_report.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/steady_cond.h"
#include "fdfs/fdfs_call.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct line { /* to one tracker */
	struct storage_report *report;
	struct fdfs_peer tracker;
	pthread_t thread;
	bool up, told;
};

struct storage_report {
	struct storage_report_conf conf;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned changes; /* under `lock`, as is `ending` */
	bool ending;
	size_t count;
	struct line lines[];
};

/* Wait for the next beat's time, or for something to tell; false at the end. */
static bool wait_turn(struct storage_report *report, unsigned *seen)
{
	int64_t until_ms = clock_mono_ms() + report->conf.interval_ms;
	bool go;

	pthread_mutex_lock(&report->lock);
	while (!report->ending && *seen == report->changes)
		if (!steady_cond_wait_ms(&report->wake, &report->lock, until_ms))
			break;
	*seen = report->changes;
	go = !report->ending;
	pthread_mutex_unlock(&report->lock);
	return go;
}

static int send_beat(
	struct line *line, struct fdfs_pool *pool, struct span package, struct err *err)
{
	const struct storage_report_conf *conf = &line->report->conf;
	struct fdfs_call call = {
		.peer = &line->tracker,
		.head = package,
		.reads = true, /* beating twice does no harm */
		.connect_ms = conf->connect_timeout_ms,
		.deadline = clock_mono_ms() + conf->answer_timeout_ms,
	};

	if (fdfs_call(pool, &call, err) < 0)
		return -1;
	fdfs_call_end(pool, &call, true);
	if (call.status != 0)
		return err_set(err, ERR_NOT_ALLOWED,
			"%s: refuses this storage with status %d; its log says why",
			line->tracker.text, call.status);
	return 0;
}

/* A line when it changes, and when it first fails; not one a beat. */
static void note(struct line *line, bool up, const struct err *err)
{
	if (up && !line->up) {
		log_info("tracker %s knows this storage", line->tracker.text);
		(*line->report->conf.trackers_up)++;
	} else if (!up && (line->up || !line->told)) {
		log_warn("tracker %s", err->text);
	}
	if (!up && line->up)
		(*line->report->conf.trackers_up)--;
	line->up = up;
	line->told = true;
}

static void *beat_on(void *context)
{
	struct line *line = context;
	struct storage_report *report = line->report;
	struct fdfs_pool *pool = fdfs_pool_new(1);
	struct fdfs_beat *beat = malloc(sizeof *beat);
	struct buf package;
	unsigned seen = 0;

	assert(pool != NULL && beat != NULL);
	buf_init(&package, 1 << 16);
	do {
		struct err err;
		size_t begun;

		if (!report->conf.fill(report->conf.context, beat))
			continue;
		buf_clear(&package);
		begun = fdfs_begin(&package, FDFS_BEAT, 0);
		fdfs_put_beat(&package, beat);
		fdfs_end(&package, begun, 0);
		assert(buf_ok(&package));
		note(line, send_beat(line, pool, buf_span(&package), &err) == 0, &err);
	} while (wait_turn(report, &seen));
	fdfs_pool_free(pool); /* ends the connection */
	buf_fini(&package);
	free(beat);
	return NULL;
}

struct storage_report *storage_report_start(const struct storage_report_conf *conf, struct err *err)
{
	struct storage_report *report = calloc(
		1, sizeof *report + conf->tracker_count * sizeof report->lines[0]);

	assert(report != NULL);
	report->conf = *conf;
	pthread_mutex_init(&report->lock, NULL);
	steady_cond_init(&report->wake);
	for (size_t i = 0; i < conf->tracker_count; i++) {
		struct line *line = &report->lines[i];

		line->report = report;
		if (!fdfs_peer_parse(conf->trackers[i], &line->tracker)) {
			err_set(err, ERR_CONFIG, "tracker_server '%.60s' is not host:port",
				conf->trackers[i]);
			goto fail;
		}
		if (pthread_create(&line->thread, NULL, beat_on, line) != 0) {
			err_set(err, ERR_INTERNAL, "cannot start a thread");
			goto fail;
		}
		report->count++;
	}
	return report;
fail:
	storage_report_free(report);
	return NULL;
}

void storage_report_now(struct storage_report *report)
{
	if (report == NULL)
		return;
	pthread_mutex_lock(&report->lock);
	report->changes++;
	pthread_cond_broadcast(&report->wake);
	pthread_mutex_unlock(&report->lock);
}

void storage_report_end(struct storage_report *report)
{
	if (report == NULL)
		return;
	pthread_mutex_lock(&report->lock);
	report->ending = true;
	pthread_cond_broadcast(&report->wake);
	pthread_mutex_unlock(&report->lock);
}

void storage_report_free(struct storage_report *report)
{
	if (report == NULL)
		return;
	storage_report_end(report);
	for (size_t i = 0; i < report->count; i++)
		pthread_join(report->lines[i].thread, NULL);
	pthread_cond_destroy(&report->wake);
	pthread_mutex_destroy(&report->lock);
	free(report);
}
