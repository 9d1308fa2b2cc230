#include "net/net_loop.h"

#include "net/net_inside.h"

#include <assert.h>
#include <stdlib.h>

struct net_timer {
	uv_timer_t uv;
	void (*tick)(void *context);
	void *context;
};

struct work {
	uv_work_t uv;
	void (*work)(void *context);
	void (*done)(void *context);
	void *context;
};

static void run_posts(struct net_loop *loop)
{
	struct net_post *post;

	pthread_mutex_lock(&loop->lock);
	post = loop->posts;
	loop->posts = NULL;
	loop->last_post = &loop->posts;
	pthread_mutex_unlock(&loop->lock);
	while (post != NULL) {
		struct net_post *next = post->next;

		post->run(post);
		post = next;
	}
}

static void on_wake(uv_async_t *wake)
{
	struct net_loop *loop = wake->data;

	run_posts(loop);
	if (!loop->stop_wanted || loop->stopping)
		return;
	loop->stopping = true;
	for (struct net_part *part = loop->parts; part != NULL; part = part->next)
		part->stop(part);
}

struct net_loop *net_loop_new(struct err *err)
{
	struct net_loop *loop = calloc(1, sizeof *loop);

	/* libuv would have 4, which keeps few disks busy.  It asks at the first work. */
	setenv("UV_THREADPOOL_SIZE", "16", 0);
	if (loop == NULL || uv_loop_init(&loop->uv) != 0) {
		err_set(err, ERR_INTERNAL, "cannot make an event loop");
		free(loop);
		return NULL;
	}
	if (uv_async_init(&loop->uv, &loop->wake, on_wake) != 0) {
		err_set(err, ERR_INTERNAL, "cannot make an event loop's waker");
		uv_loop_close(&loop->uv);
		free(loop);
		return NULL;
	}
	loop->wake.data = loop;
	uv_unref((uv_handle_t *)&loop->wake);
	pthread_mutex_init(&loop->lock, NULL);
	loop->last_post = &loop->posts;
	loop->thread = pthread_self();
	return loop;
}

int net_loop_run(struct net_loop *loop, struct err *err)
{
	loop->thread = pthread_self();
	uv_async_send(&loop->wake); /* of a stop or posts before this line */
	if (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		return err_set(err, ERR_INTERNAL, "the event loop ended early");
	return 0;
}

void net_loop_stop(struct net_loop *loop)
{
	loop->stop_wanted = true;
	uv_async_send(&loop->wake);
}

static void close_handle(uv_handle_t *handle, void *context)
{
	(void)context;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void net_loop_free(struct net_loop *loop)
{
	if (loop == NULL)
		return;
	/* Never run, perhaps: the parts' handles are still open. */
	for (struct net_part *part = loop->parts; part != NULL; part = part->next)
		part->stop(part);
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	uv_walk(&loop->uv, close_handle, NULL);
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		;
	uv_loop_close(&loop->uv);
	while (loop->parts != NULL) {
		struct net_part *part = loop->parts;

		loop->parts = part->next;
		part->free(part);
	}
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void net_loop_post(struct net_loop *loop, struct net_post *post)
{
	bool first;

	post->next = NULL;
	pthread_mutex_lock(&loop->lock);
	first = loop->posts == NULL;
	*loop->last_post = post;
	loop->last_post = &post->next;
	/* Under the lock: once the last post has run the loop may be freed. */
	if (first)
		uv_async_send(&loop->wake);
	pthread_mutex_unlock(&loop->lock);
}

struct call {
	struct net_post post; /* first */
	void (*call)(void *context);
	void *context;
};

static void run_call(struct net_post *post)
{
	struct call *call = (struct call *)post;

	call->call(call->context);
	free(call);
}

void net_loop_call(struct net_loop *loop, void (*function)(void *context), void *context)
{
	struct call *call = calloc(1, sizeof *call);

	assert(call != NULL);
	*call = (struct call){ .post.run = run_call, .call = function, .context = context };
	net_loop_post(loop, &call->post);
}

bool net_loop_stopping(const struct net_loop *loop)
{
	return loop->stopping;
}

bool net_loop_here(const struct net_loop *loop)
{
	return pthread_equal(loop->thread, pthread_self()) != 0;
}

void net_loop_add(struct net_loop *loop, struct net_part *part)
{
	part->next = loop->parts;
	loop->parts = part;
}

static void on_work(uv_work_t *uv)
{
	struct work *work = uv->data;

	work->work(work->context);
}

static void on_worked(uv_work_t *uv, int status)
{
	struct work *work = uv->data;

	(void)status; /* nothing is ever cancelled */
	work->done(work->context);
	free(work);
}

void net_loop_work(struct net_loop *loop, void (*work)(void *context), void (*done)(void *context),
	void *context)
{
	struct work *job = calloc(1, sizeof *job);

	assert(job != NULL);
	*job = (struct work){ .work = work, .done = done, .context = context };
	job->uv.data = job;
	if (uv_queue_work(&loop->uv, &job->uv, on_work, on_worked) != 0)
		abort(); /* only without a function */
}

static void on_tick(uv_timer_t *uv)
{
	struct net_timer *timer = uv->data;

	timer->tick(timer->context);
}

struct net_timer *net_timer_new(
	struct net_loop *loop, int64_t interval_ms, void (*tick)(void *context), void *context)
{
	struct net_timer *timer = calloc(1, sizeof *timer);

	assert(timer != NULL);
	timer->tick = tick;
	timer->context = context;
	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	uv_timer_start(&timer->uv, on_tick, (uint64_t)interval_ms, (uint64_t)interval_ms);
	uv_unref((uv_handle_t *)&timer->uv);
	return timer;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void net_timer_free(struct net_timer *timer)
{
	if (timer != NULL)
		uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}
