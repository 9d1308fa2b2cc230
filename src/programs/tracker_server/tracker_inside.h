/* tracker_inside.h - what the files of the tracker's answers share. */
#pragma once

#include "programs/tracker_server/tracker_answers.h"

struct question {
	struct tracker_answers *tracker;
	uint8_t cmd;
	struct span body;
	int64_t now_ms, now;
	struct buf *out;
	struct err *err;
};

/* Fills q->err, returns -1. */
int tracker_bad_length(const struct question *q);

/* NULL, with q->err, if there is no such group. */
const struct cluster_group *tracker_find_group(const struct question *q, const char *name);

/* The figures of a group and of a storage, as lists show them. */
void tracker_group_record(const struct question *q, const struct cluster_group *group,
	struct fdfs_group_record *record);
void tracker_storage_record(const struct question *q, const struct cluster_storage *storage,
	struct fdfs_storage_record *record);

/* tracker_stats.c: the commands of newer monitoring tools.  True if q->cmd is one; then
 * *result is 0 or -1, as of tracker_answer. */
bool tracker_stats_answer(const struct question *q, int *result);
