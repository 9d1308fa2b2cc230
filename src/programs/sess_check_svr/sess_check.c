#include "programs/sess_check_svr/sess_check.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/steady_cond.h"
#include "programs/sess_check_svr/sess_key.h"
#include "session/session_rules.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	BATCH_MAX = 1024,
	FORGET_EVERY_S = 30,
	MS_PER_S = 1000,
};

struct job {
	struct job *next;
	struct frame_request *request;
	struct sess_count count;
};

struct sess_check {
	const struct settings *settings;
	const struct sess_store *driver;
	void *store;
	struct upload_key_rules rules;
	uint32_t limit;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, **last; /* under `lock` */
	bool ending;
};

struct service_counter sess_counters[SESS_FIGURES] = {
	FRAME_COUNTERS,
	[SESS_USES] = { "uses", "uses of session keys that were counted", false, 0 },
	[SESS_REFUSED] = { "refused_uses", "uses beyond the number that is allowed", false, 0 },
	[SESS_LOOKS] = { "looks", "questions how often a key was used", false, 0 },
	[SESS_BAD_KEYS] = { "bad_keys", "keys that are not, or not any more, valid", false, 0 },
	[SESS_BATCHES] = { "batches", "visits to the store", false, 0 },
	[SESS_FORGOTTEN] = { "forgotten", "keys forgotten because they have ended", false, 0 },
};

static void add(enum sess_figure figure, int64_t value)
{
	atomic_fetch_add(&sess_counters[figure].value, value);
}

/* ---- the thread that counts ---- */

static void answer(struct sess_check *check, struct job *job, const struct err *failed)
{
	const struct sess_count *count = &job->count;
	struct buf reply;
	struct err err;

	if (failed != NULL) {
		frame_service_reply(job->request, NULL, failed);
	} else if (count->refused) {
		add(SESS_REFUSED, 1);
		err_set(&err, ERR_KEY_EXPIRED, "the session key was used %u times already",
			check->limit);
		frame_service_reply(job->request, NULL, &err);
	} else {
		add(count->use ? SESS_USES : SESS_LOOKS, 1);
		frame_service_reply_init(&reply);
		package_session_reply_encode(&reply, job->request->order, count->used,
			count->used < check->limit ? check->limit - count->used : 0);
		frame_service_reply(job->request, &reply, NULL);
	}
	free(job);
}

static void deal_with(struct sess_check *check, struct job *first)
{
	struct sess_count counts[BATCH_MAX];
	size_t count = 0;
	struct err err = { 0 };
	int result;

	for (struct job *job = first; job != NULL; job = job->next)
		counts[count++] = job->count;
	result = check->driver->count(
		check->store, counts, count, check->limit, clock_unix(), &err);
	add(SESS_BATCHES, 1);
	for (size_t i = 0; i < count; i++) {
		struct job *next = first->next;

		first->count = counts[i];
		answer(check, first, result == 0 ? NULL : &err);
		first = next;
	}
}

/* Take up to BATCH_MAX jobs off the queue, with the lock held. */
static struct job *take_batch(struct sess_check *check)
{
	struct job *first = check->first, **at = &check->first;

	for (int i = 0; i < BATCH_MAX && *at != NULL; i++)
		at = &(*at)->next;
	check->first = *at;
	if (check->first == NULL)
		check->last = &check->first;
	if (first != NULL)
		*at = NULL;
	return first;
}

static void forget(struct sess_check *check)
{
	struct err err = { 0 };
	int64_t count;

	if (check->driver->forget == NULL)
		return;
	count = check->driver->forget(check->store, clock_unix(), &err);
	if (count < 0)
		log_warn("cannot forget old session keys: %s", err.text);
	else
		add(SESS_FORGOTTEN, count);
}

static void *count_thread(void *argument)
{
	struct sess_check *check = argument;
	int64_t forget_at = clock_mono_ms();

	for (;;) {
		struct job *batch;
		bool ending;

		if (clock_mono_ms() >= forget_at) {
			forget(check);
			forget_at = clock_mono_ms() + FORGET_EVERY_S * MS_PER_S;
		}
		pthread_mutex_lock(&check->lock);
		while (check->first == NULL && !check->ending)
			if (!steady_cond_wait_ms(&check->wake, &check->lock, forget_at))
				break;
		batch = take_batch(check);
		ending = check->ending;
		pthread_mutex_unlock(&check->lock);
		if (batch != NULL)
			deal_with(check, batch);
		else if (ending)
			return NULL;
	}
}

/* ---- the loop's thread ---- */

void sess_check_begin(void *state, struct frame_request *request)
{
	struct sess_check *check = state;
	struct package_session session;
	struct sess_count count = { 0 };
	struct err err = { 0 };
	struct job *job;

	if (!package_session_decode(request->body, request->order, &session)) {
		err_set(&err, ERR_BAD_REQUEST, "its body is not that of a session check");
		frame_service_reply(request, NULL, &err);
		return;
	}
	count.use = session.what == SESSION_USE;
	if (sess_key_look(
		    check->settings, &check->rules, session.key, clock_unix(), &count, &err) != 0) {
		add(SESS_BAD_KEYS, 1);
		frame_service_reply(request, NULL, &err);
		return;
	}
	job = calloc(1, sizeof *job);
	assert(job != NULL);
	job->request = request;
	job->count = count;
	pthread_mutex_lock(&check->lock);
	*check->last = job;
	check->last = &job->next;
	pthread_cond_signal(&check->wake);
	pthread_mutex_unlock(&check->lock);
}

/* ---- opening and closing ---- */

int sess_check_open(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct sess_check *check = calloc(1, sizeof *check);

	assert(check != NULL);
	context->state = check;
	check->settings = settings;
	check->limit = (uint32_t)settings->sess_check_limit;
	check->driver = settings->sess_check_redis[0] == '\0' ? &sess_store_sqlite
							      : &sess_store_redis;
	check->last = &check->first;
	pthread_mutex_init(&check->lock, NULL);
	steady_cond_init(&check->wake);
	if (settings->sess_check_verify && session_rules_read(settings, &check->rules, err) != 0)
		return -1;
	check->store = check->driver->open(settings, err);
	if (check->store == NULL)
		return -1;
	if (pthread_create(&check->thread, NULL, count_thread, check) != 0)
		return err_set(err, ERR_INTERNAL, "cannot start a thread");
	check->started = true;
	return 0;
}

void sess_check_close(struct service_context *context)
{
	struct sess_check *check = context->state;

	if (check == NULL)
		return;
	pthread_mutex_lock(&check->lock);
	check->ending = true;
	pthread_cond_signal(&check->wake);
	pthread_mutex_unlock(&check->lock);
	if (check->started)
		pthread_join(check->thread, NULL);
	check->driver->close(check->store);
	pthread_cond_destroy(&check->wake);
	pthread_mutex_destroy(&check->lock);
	explicit_bzero(&check->rules, sizeof check->rules);
	free(check);
}
