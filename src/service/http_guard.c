#include "service/http_guard.h"

#include "core/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct http_guard {
	int64_t step_ms;
	_Atomic int64_t *cut;
	pthread_t thread;
	pthread_mutex_t lock; /* of the list and `ending` */
	pthread_cond_t end;
	bool ending;
	struct http_guarded list; /* its head */
};

/* The owner of the connection sees its end and leaves. */
static void cut_late(struct http_guard *guard)
{
	int64_t now_ms = clock_mono_ms();

	for (struct http_guarded *at = guard->list.next; at != &guard->list; at = at->next) {
		if (atomic_load(&at->deadline_ms) > now_ms)
			continue;
		atomic_store(&at->deadline_ms, HTTP_GUARD_NEVER);
		shutdown(at->fd, SHUT_RDWR);
		atomic_fetch_add(guard->cut, 1);
	}
}

static void *watch(void *argument)
{
	struct http_guard *guard = argument;

	pthread_mutex_lock(&guard->lock);
	while (!guard->ending) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += guard->step_ms % 1000 * 1000000;
		until.tv_sec += guard->step_ms / 1000 + until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&guard->end, &guard->lock, &until);
		cut_late(guard);
	}
	pthread_mutex_unlock(&guard->lock);
	return NULL;
}

struct http_guard *http_guard_new(int64_t step_ms, _Atomic int64_t *cut, struct err *err)
{
	struct http_guard *guard = calloc(1, sizeof *guard);
	pthread_condattr_t steady;
	int status;

	if (guard == NULL)
		abort();
	guard->step_ms = step_ms;
	guard->cut = cut;
	guard->list.prev = guard->list.next = &guard->list;
	pthread_mutex_init(&guard->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&guard->end, &steady);
	pthread_condattr_destroy(&steady);
	status = pthread_create(&guard->thread, NULL, watch, guard);
	if (status == 0)
		return guard;
	err_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(status));
	pthread_cond_destroy(&guard->end);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
	return NULL;
}

void http_guard_free(struct http_guard *guard)
{
	if (guard == NULL)
		return;
	pthread_mutex_lock(&guard->lock);
	guard->ending = true;
	pthread_cond_signal(&guard->end);
	pthread_mutex_unlock(&guard->lock);
	pthread_join(guard->thread, NULL);
	pthread_cond_destroy(&guard->end);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
}

void http_guard_enter(
	struct http_guard *guard, struct http_guarded *guarded, int fd, int64_t deadline_ms)
{
	guarded->fd = fd;
	atomic_store(&guarded->deadline_ms, deadline_ms);
	pthread_mutex_lock(&guard->lock);
	guarded->prev = guard->list.prev;
	guarded->next = &guard->list;
	guarded->prev->next = guarded->next->prev = guarded;
	pthread_mutex_unlock(&guard->lock);
}

void http_guard_leave(struct http_guard *guard, struct http_guarded *guarded)
{
	pthread_mutex_lock(&guard->lock);
	guarded->prev->next = guarded->next;
	guarded->next->prev = guarded->prev;
	pthread_mutex_unlock(&guard->lock);
}
