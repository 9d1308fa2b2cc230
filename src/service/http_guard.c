#include "service/http_guard.h"

#include "core/clock.h"
#include "service/ticker.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct http_guard {
	_Atomic int64_t *cut;
	struct ticker *ticker;
	pthread_mutex_t lock;
	struct http_guarded list; /* its head; under `lock` */
};

/* The owner of the connection sees its end and leaves. */
static void cut_late(void *context)
{
	struct http_guard *guard = context;
	int64_t now_ms = clock_mono_ms();

	pthread_mutex_lock(&guard->lock);
	for (struct http_guarded *at = guard->list.next; at != &guard->list; at = at->next) {
		if (atomic_load(&at->deadline_ms) > now_ms)
			continue;
		atomic_store(&at->deadline_ms, HTTP_GUARD_NEVER);
		shutdown(at->fd, SHUT_RDWR);
		atomic_fetch_add(guard->cut, 1);
	}
	pthread_mutex_unlock(&guard->lock);
}

struct http_guard *http_guard_new(int64_t step_ms, _Atomic int64_t *cut, struct err *err)
{
	struct http_guard *guard = calloc(1, sizeof *guard);

	if (guard == NULL)
		abort();
	guard->cut = cut;
	guard->list.prev = guard->list.next = &guard->list;
	pthread_mutex_init(&guard->lock, NULL);
	guard->ticker = ticker_new(step_ms, cut_late, guard, err);
	if (guard->ticker != NULL)
		return guard;
	http_guard_free(guard);
	return NULL;
}

void http_guard_free(struct http_guard *guard)
{
	if (guard == NULL)
		return;
	ticker_free(guard->ticker);
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
