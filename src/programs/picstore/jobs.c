#include "programs/picstore/jobs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct state {
	const struct jobs *jobs;
	size_t count;
	pthread_mutex_t lock; /* of what is below, and of reports */
	size_t next;          /* to be begun */
	size_t reported;
	bool *done;
};

static void *run(void *context)
{
	struct state *state = context;

	pthread_mutex_lock(&state->lock);
	while (state->next < state->count) {
		size_t i = state->next++;

		pthread_mutex_unlock(&state->lock);
		state->jobs->work(state->jobs->context, i);
		pthread_mutex_lock(&state->lock);
		state->done[i] = true;
		while (state->reported < state->count && state->done[state->reported])
			state->jobs->report(state->jobs->context, state->reported++);
	}
	pthread_mutex_unlock(&state->lock);
	return NULL;
}

void jobs_run(const struct jobs *jobs, size_t count, size_t threads)
{
	struct state state = { .jobs = jobs, .count = count };
	pthread_t others[JOBS_MAX];
	size_t started = 0;

	state.done = calloc(count + 1, sizeof state.done[0]);
	if (state.done == NULL)
		abort();
	pthread_mutex_init(&state.lock, NULL);
	if (threads > count)
		threads = count;
	if (threads > JOBS_MAX)
		threads = JOBS_MAX;
	/* This thread is one of them; fewer than wanted will do. */
	while (started + 1 < threads && pthread_create(&others[started], NULL, run, &state) == 0)
		started++;
	run(&state);
	for (size_t i = 0; i < started; i++)
		pthread_join(others[i], NULL);
	pthread_mutex_destroy(&state.lock);
	free(state.done);
}
