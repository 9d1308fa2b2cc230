/* cut_memory_inside.h - what the files of cut_memory share. */
#pragma once

#include "meta/cut_memory.h"
#include "meta/db.h"

#include <pthread.h>

/* What a row of `made` is about. */
enum {
	DOOMED = -1,    /* a picture that nobody was told of: to be removed */
	SUPERSEDED = 0, /* it was not found once, and another was made */
	STANDS = 1,     /* the answer to its key; one a key */
};

struct cut_memory {
	pthread_mutex_t lock; /* the queries are used by one thread at a time */
	struct db *db;
	struct db_query *get, *put, *state, *list, *origins, *forget, *doomed, *removed;
	pthread_mutex_t batch_lock;
	pthread_cond_t batch_done;
	struct cut_change *waiting; /* under `batch_lock`, the last one first */
	bool under_way;             /* under `batch_lock` */
	struct db_query *begin, *end, *pending, *settle, *in_vain, *making;
};

/* ?1 and all that was made of it, however often over.  UNION ends circles. */
#define THE_FAMILY                                                                                 \
	"WITH RECURSIVE family (id) AS (SELECT ?1"                                                 \
	" UNION SELECT made.id FROM made JOIN family ON made.source = family.id) "

/* Something that is done within a transaction, perhaps one of others too, and perhaps
 * twice: when the first one is taken back. */
struct cut_change {
	int (*apply)(struct cut_memory *memory, struct cut_change *change, struct err *err);
	const struct cut_key *key;
	const struct cut_storing *storing;
	const char *id;
	uint64_t number;
	struct cut_name *stands;

	int result;
	struct err err;
	bool done; /* under `batch_lock` */
	struct cut_change *next;
};

/* Returns when it is on the disk, or -1 with err.  Any thread. */
int cut_memory_change(struct cut_memory *memory, struct cut_change *mine, struct err *err);

/* Values 1 to 7 of a query. */
void cut_memory_put_key(struct db_query *query, const struct cut_key *key);

bool cut_memory_prepare_storing(struct cut_memory *memory, struct err *err);

/* With the lock held. */
int cut_memory_end_locked(struct cut_memory *memory, uint64_t number, struct err *err);
