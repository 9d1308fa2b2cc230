#include "programs/cs_del_svr/deleters.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What one caller waits for.  Threads take from it one by one. */
struct batch {
	struct batch *next;
	struct deletion *deletions;
	struct err *errs;
	size_t count, taken, done;
};

struct worker {
	struct deleters *deleters;
	struct deletion_tools tools;
	pthread_t thread;
};

struct deleters {
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	struct batch *first, **last; /* those that have something to take */
	bool ending;
	struct worker *workers;
	size_t count; /* of them, started */
};

/* One of the first batch, which then is the last: a long one lets others through. */
static bool take(struct deleters *deleters, struct batch **batch, size_t *at)
{
	struct batch *first = deleters->first;

	if (first == NULL)
		return false;
	*batch = first;
	*at = first->taken++;
	deleters->first = first->next;
	if (deleters->first == NULL)
		deleters->last = &deleters->first;
	first->next = NULL;
	if (first->taken < first->count) {
		*deleters->last = first;
		deleters->last = &first->next;
	}
	return true;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct deleters *deleters = worker->deleters;
	struct batch *batch;
	size_t at;

	pthread_mutex_lock(&deleters->lock);
	for (;;) {
		struct err *err;

		if (!take(deleters, &batch, &at)) {
			if (deleters->ending)
				break;
			pthread_cond_wait(&deleters->wake, &deleters->lock);
			continue;
		}
		pthread_mutex_unlock(&deleters->lock);
		err = &batch->errs[at];
		if (deletion_run(&batch->deletions[at], &worker->tools, err) == 0)
			err->code = ERR_NONE;
		pthread_mutex_lock(&deleters->lock);
		if (++batch->done == batch->count)
			pthread_cond_broadcast(&deleters->done);
	}
	pthread_mutex_unlock(&deleters->lock);
	return NULL;
}

struct deleters *deleters_new(int64_t count, const struct deletion_tools *tools, struct err *err)
{
	struct deleters *deleters = calloc(1, sizeof *deleters);

	assert(deleters != NULL && count > 0);
	pthread_mutex_init(&deleters->lock, NULL);
	pthread_cond_init(&deleters->wake, NULL);
	pthread_cond_init(&deleters->done, NULL);
	deleters->last = &deleters->first;
	deleters->workers = calloc((size_t)count, sizeof *deleters->workers);
	assert(deleters->workers != NULL);
	for (; deleters->count < (size_t)count; deleters->count++) {
		struct worker *worker = &deleters->workers[deleters->count];
		int status;

		worker->deleters = deleters;
		worker->tools = *tools;
		worker->tools.web = web_new();
		status = pthread_create(&worker->thread, NULL, work, worker);
		if (status != 0) {
			web_free(worker->tools.web);
			err_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(status));
			deleters_free(deleters);
			return NULL;
		}
	}
	return deleters;
}

void deleters_run(
	struct deleters *deleters, struct deletion *deletions, struct err *errs, size_t count)
{
	struct batch batch = { .deletions = deletions, .errs = errs, .count = count };

	if (count == 0)
		return;
	pthread_mutex_lock(&deleters->lock);
	*deleters->last = &batch;
	/* cppcheck-suppress autoVariables ; the last of its work takes it out again */
	deleters->last = &batch.next;
	pthread_cond_broadcast(&deleters->wake);
	while (batch.done < batch.count)
		pthread_cond_wait(&deleters->done, &deleters->lock);
	pthread_mutex_unlock(&deleters->lock);
}

void deleters_free(struct deleters *deleters)
{
	if (deleters == NULL)
		return;
	pthread_mutex_lock(&deleters->lock);
	deleters->ending = true;
	pthread_cond_broadcast(&deleters->wake);
	pthread_mutex_unlock(&deleters->lock);
	for (size_t i = 0; i < deleters->count; i++) {
		pthread_join(deleters->workers[i].thread, NULL);
		web_free(deleters->workers[i].tools.web);
	}
	pthread_cond_destroy(&deleters->wake);
	pthread_cond_destroy(&deleters->done);
	pthread_mutex_destroy(&deleters->lock);
	free(deleters->workers);
	free(deleters);
}
