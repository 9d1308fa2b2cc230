#include "deletion/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct job {
	struct job *next;
	int (*work)(void *context, struct receipts *receipts, struct err *err);
	void *context;
	int result;
	struct err err;
	bool done;
};

struct ledger {
	struct receipts *receipts;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	struct job *first, **last;
	bool ending;
};

/* One job as a transaction of its own. */
static void do_alone(struct ledger *ledger, struct job *job)
{
	job->result = receipts_begin(ledger->receipts, &job->err);
	if (job->result != 0)
		return;
	job->result = job->work(job->context, ledger->receipts, &job->err);
	if (job->result < 0)
		receipts_rollback(ledger->receipts);
	else if (receipts_commit(ledger->receipts, &job->err) != 0)
		job->result = -1;
}

static bool do_together(struct ledger *ledger, struct job *jobs)
{
	struct err err;

	if (receipts_begin(ledger->receipts, &err) != 0)
		return false;
	for (struct job *job = jobs; job != NULL; job = job->next) {
		job->result = job->work(job->context, ledger->receipts, &job->err);
		if (job->result < 0) {
			receipts_rollback(ledger->receipts);
			return false;
		}
	}
	return receipts_commit(ledger->receipts, &err) == 0;
}

static void do_all(struct ledger *ledger, struct job *jobs)
{
	if (jobs->next != NULL && do_together(ledger, jobs))
		return;
	for (struct job *job = jobs; job != NULL; job = job->next)
		do_alone(ledger, job);
}

static void *run(void *argument)
{
	struct ledger *ledger = argument;

	pthread_mutex_lock(&ledger->lock);
	while (ledger->first != NULL || !ledger->ending) {
		struct job *jobs = ledger->first, *next;

		if (jobs == NULL) {
			pthread_cond_wait(&ledger->wake, &ledger->lock);
			continue;
		}
		ledger->first = NULL;
		ledger->last = &ledger->first;
		pthread_mutex_unlock(&ledger->lock);
		do_all(ledger, jobs);
		pthread_mutex_lock(&ledger->lock);
		/* A job is its caller's as soon as it is done. */
		for (; jobs != NULL; jobs = next) {
			next = jobs->next;
			jobs->done = true;
		}
		pthread_cond_broadcast(&ledger->done);
	}
	pthread_mutex_unlock(&ledger->lock);
	return NULL;
}

struct ledger *ledger_open(const char *path, struct err *err)
{
	struct ledger *ledger = calloc(1, sizeof *ledger);

	assert(ledger != NULL);
	pthread_mutex_init(&ledger->lock, NULL);
	pthread_cond_init(&ledger->wake, NULL);
	pthread_cond_init(&ledger->done, NULL);
	ledger->last = &ledger->first;
	ledger->receipts = receipts_open(path, false, err);
	if (ledger->receipts == NULL)
		goto fail;
	if (pthread_create(&ledger->thread, NULL, run, ledger) != 0) {
		err_set(err, ERR_INTERNAL, "cannot start a thread");
		goto fail;
	}
	ledger->has_thread = true;
	return ledger;
fail:
	ledger_close(ledger);
	return NULL;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	if (ledger->has_thread) {
		pthread_mutex_lock(&ledger->lock);
		ledger->ending = true;
		pthread_cond_signal(&ledger->wake);
		pthread_mutex_unlock(&ledger->lock);
		pthread_join(ledger->thread, NULL);
	}
	receipts_close(ledger->receipts);
	pthread_cond_destroy(&ledger->wake);
	pthread_cond_destroy(&ledger->done);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger);
}

int ledger_do(struct ledger *ledger,
	int (*work)(void *context, struct receipts *receipts, struct err *err), void *context,
	struct err *err)
{
	struct job job = { .work = work, .context = context };

	pthread_mutex_lock(&ledger->lock);
	*ledger->last = &job;
	/* cppcheck-suppress autoVariables ; whoever does the job takes it out again before it is done */
	ledger->last = &job.next;
	pthread_cond_signal(&ledger->wake);
	while (!job.done)
		pthread_cond_wait(&ledger->done, &ledger->lock);
	pthread_mutex_unlock(&ledger->lock);
	if (job.result < 0 && err != NULL)
		*err = job.err;
	return job.result;
}
