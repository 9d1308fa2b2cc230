/* storage_report.h - tells the trackers, each by a thread of its own, that this storage
 * lives.  A tracker that is away is tried again and again; nobody waits for it. */
#pragma once

#include "core/err.h"
#include "fdfs/proto.h"

#include <stdatomic.h>

struct storage_report_conf {
	char *const *trackers; /* "host:port" each; must outlive the report */
	size_t tracker_count;
	int64_t interval_ms;
	int64_t connect_timeout_ms;
	int64_t answer_timeout_ms;
	/* Fill in the beat; called by many threads.  False: do not beat this time. */
	bool (*fill)(void *context, struct fdfs_beat *beat);
	void *context;
	_Atomic int64_t *trackers_up; /* counts trackers that took the last beat */
};

struct storage_report;

struct storage_report *storage_report_start(
	const struct storage_report_conf *conf, struct err *err);

/* Beat now, as something has changed.  Any thread; NULL is fine. */
void storage_report_now(struct storage_report *report);

/* Take the storage out of the trackers' answers: end the connections.  Any thread. */
void storage_report_end(struct storage_report *report);

/* The same, and wait for the threads.  NULL is fine. */
void storage_report_free(struct storage_report *report);
