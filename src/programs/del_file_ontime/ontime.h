/* ontime.h - a run through the delete log: what is due is sent to be deleted. */
#pragma once

#include "deletion/delete_queue.h"
#include "net/frame_client.h"

struct ontime {
	const char *log;
	struct frame_client *client; /* of admin_proxy, or of cs_del_svr itself */
	enum byte_order order;
	int64_t older_than_ms;
	int batch; /* pictures in a package */
	/* May be NULL.  True: end the run after the batch that is under way. */
	bool (*stop)(void);
};

struct ontime_sum {
	uint64_t deleted, failed;
	struct delete_figures queue;
};

/* Returns 0 when nothing is left that is due; failed ones wait in LOG.again then.  -1 with
 * err if the run had to end before: nobody answers, the disk is full. */
int ontime_run(const struct ontime *ontime, struct ontime_sum *sum, struct err *err);

/* Call `visit` for each picture that a run would have deleted now; changes nothing. */
int ontime_dry_run(const struct ontime *ontime,
	void (*visit)(void *context, const struct delete_line *line), void *context,
	struct err *err);
