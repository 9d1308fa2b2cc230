#include "programs/metadata_dbsvr/metadata.h"

#include "core/clock.h"
#include "core/log.h"
#include "programs/metadata_dbsvr/metadata_answer.h"
#include "programs/metadata_dbsvr/settler.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { BATCH_MAX = 128, READERS_MAX = 256 };

struct service_counter metadata_counters[METADATA_FIGURES] = {
	FRAME_COUNTERS,
	[METADATA_PUTS] = { "puts", "photos put", false, 0 },
	[METADATA_CHANGES] = { "changes", "other changes", false, 0 },
	[METADATA_READS] = { "reads", "requests that only read", false, 0 },
	[METADATA_COMMITS] = { "commits", "transactions, of one change or of many", false, 0 },
	[METADATA_PENDING] = { "pending", "photos of unfinished uploads that wait", true, 0 },
	[METADATA_SETTLED] = { "settled", "unfinished uploads that were settled", false, 0 },
};

struct job {
	struct job *next;
	struct frame_request *request;
	struct buf reply;
	bool failed;
	struct err err;
};

struct queue {
	struct job *first, **last;
	pthread_cond_t wake;
};

struct metadata {
	pthread_mutex_t lock;
	struct queue changes, reads; /* under `lock`, as closing */
	bool closing;
	pthread_t writer, readers[READERS_MAX];
	size_t threads; /* that run, the writer among them */
	struct photo_store *write_store, *read_stores[READERS_MAX];
	struct settler *settler;
};

static void add(int figure, int64_t by)
{
	atomic_fetch_add_explicit(&metadata_counters[figure].value, by, memory_order_relaxed);
}

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
	pthread_cond_init(&queue->wake, NULL);
}

void metadata_begin(void *state, struct frame_request *request)
{
	struct metadata *metadata = state;
	bool changes = metadata_changes(request->package.cmd);
	struct queue *queue = changes ? &metadata->changes : &metadata->reads;
	struct job *job = calloc(1, sizeof *job);

	assert(job != NULL);
	job->request = request;
	add(request->package.cmd == CMD_PHOTO_PUT ? METADATA_PUTS
		: changes                         ? METADATA_CHANGES
						  : METADATA_READS,
		1);
	pthread_mutex_lock(&metadata->lock);
	*queue->last = job;
	queue->last = &job->next;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&metadata->lock);
}

/* Wait for jobs and take at most `max`, as a list; NULL at the end. */
static struct job *take(struct metadata *metadata, struct queue *queue, int max)
{
	struct job *jobs, **end;

	pthread_mutex_lock(&metadata->lock);
	while (queue->first == NULL && !metadata->closing)
		pthread_cond_wait(&queue->wake, &metadata->lock);
	jobs = queue->first;
	for (end = &queue->first; *end != NULL && max > 0; max--)
		end = &(*end)->next;
	queue->first = *end;
	if (queue->first == NULL)
		queue->last = &queue->first;
	*end = NULL;
	pthread_mutex_unlock(&metadata->lock);
	return jobs;
}

static void reply_all(struct job *jobs)
{
	while (jobs != NULL) {
		struct job *job = jobs;

		jobs = job->next;
		frame_service_reply(job->request, &job->reply, job->failed ? &job->err : NULL);
		buf_fini(&job->reply);
		free(job);
	}
}

static void answer(struct photo_store *store, struct job *job)
{
	job->err = (struct err){ .code = ERR_INTERNAL, .text = "it failed without a reason" };
	buf_fini(&job->reply);
	frame_service_reply_init(&job->reply);
	job->failed = metadata_answer(store, job->request, clock_unix(), &job->reply, &job->err) !=
		      0;
}

/* ---- changes ---- */

/* A refusal leaves the transaction as it was; anything else has spoilt it. */
static bool is_refusal(const struct job *job)
{
	switch (job->err.code) {
	case ERR_BAD_REQUEST:
	case ERR_BAD_ID:
	case ERR_NOT_FOUND:
	case ERR_GONE:
	case ERR_EXISTS:
	case ERR_NOT_ALLOWED:
		return true;
	default:
		return false;
	}
}

static void fail_all(struct job *jobs, const struct err *err)
{
	for (; jobs != NULL; jobs = jobs->next) {
		jobs->failed = true;
		jobs->err = *err;
	}
}

/* All of a list in one transaction: 0, or -1 and nothing has been done, or cannot be
 * told (ERR_UNKNOWN). */
static int change_together(struct photo_store *store, struct job *jobs, struct err *err)
{
	if (photo_store_begin(store, err) != 0)
		return -1;
	for (struct job *job = jobs; job != NULL; job = job->next) {
		answer(store, job);
		if (job->failed && !is_refusal(job)) {
			*err = job->err;
			photo_store_rollback(store);
			return -1;
		}
	}
	add(METADATA_COMMITS, 1);
	return photo_store_commit(store, err);
}

static void change_all(struct photo_store *store, struct job *jobs)
{
	struct err err;

	if (change_together(store, jobs, &err) == 0)
		return;
	/* One of them may be to blame: the others need not suffer from it.  What is down is
	 * down for all. */
	if (err.code == ERR_UNKNOWN || err.code == ERR_SERVICE_DOWN || jobs->next == NULL) {
		fail_all(jobs, &err);
		return;
	}
	for (struct job *job = jobs; job != NULL; job = job->next) {
		struct job *next = job->next;

		job->next = NULL;
		if (change_together(store, job, &err) != 0)
			fail_all(job, &err);
		job->next = next;
	}
}

static void *write_thread(void *context)
{
	struct metadata *metadata = context;
	struct job *jobs;

	while ((jobs = take(metadata, &metadata->changes, BATCH_MAX)) != NULL) {
		change_all(metadata->write_store, jobs);
		reply_all(jobs);
	}
	return NULL;
}

/* ---- reads ---- */

struct reader {
	struct metadata *metadata;
	struct photo_store *store;
};

static void *read_thread(void *context)
{
	struct reader reader = *(struct reader *)context;
	struct job *job;

	free(context);
	while ((job = take(reader.metadata, &reader.metadata->reads, 1)) != NULL) {
		answer(reader.store, job);
		reply_all(job);
	}
	return NULL;
}

/* ---- opening and closing ---- */

static int start(pthread_t *thread, void *(*function)(void *), void *context, struct err *err)
{
	if (pthread_create(thread, NULL, function, context) != 0)
		return err_set(err, ERR_INTERNAL, "cannot start a thread");
	return 0;
}

static int start_reader(struct metadata *metadata, size_t i, struct err *err)
{
	struct reader *reader = malloc(sizeof *reader);

	assert(reader != NULL);
	*reader = (struct reader){ metadata, metadata->read_stores[i] };
	if (start(&metadata->readers[i], read_thread, reader, err) == 0)
		return 0;
	free(reader);
	return -1;
}

static void settled(void *context, size_t done, size_t left)
{
	(void)context;
	add(METADATA_SETTLED, (int64_t)done);
	atomic_store(&metadata_counters[METADATA_PENDING].value, (int64_t)left);
}

int metadata_open(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct metadata *metadata = calloc(1, sizeof *metadata);
	size_t readers = (size_t)settings->metadata.threads;

	assert(metadata != NULL && readers <= READERS_MAX);
	context->state = metadata;
	pthread_mutex_init(&metadata->lock, NULL);
	queue_init(&metadata->changes);
	queue_init(&metadata->reads);
	metadata->write_store = photo_store_open(
		settings->metadata_folder, settings->metadata_postgres, err);
	if (metadata->write_store == NULL)
		return -1;
	for (size_t i = 0; i < readers; i++) {
		metadata->read_stores[i] = photo_store_open(
			settings->metadata_folder, settings->metadata_postgres, err);
		if (metadata->read_stores[i] == NULL)
			return -1;
	}
	if (start(&metadata->writer, write_thread, metadata, err) != 0)
		return -1;
	metadata->threads = 1;
	for (size_t i = 0; i < readers; i++) {
		if (start_reader(metadata, i, err) != 0)
			return -1;
		metadata->threads++;
	}
	metadata->settler = settler_new(settings, settled, NULL, err);
	return metadata->settler == NULL ? -1 : 0;
}

void metadata_close(struct service_context *context)
{
	struct metadata *metadata = context->state;

	if (metadata == NULL)
		return;
	settler_free(metadata->settler);
	pthread_mutex_lock(&metadata->lock);
	metadata->closing = true;
	pthread_cond_broadcast(&metadata->changes.wake);
	pthread_cond_broadcast(&metadata->reads.wake);
	pthread_mutex_unlock(&metadata->lock);
	if (metadata->threads > 0)
		pthread_join(metadata->writer, NULL);
	for (size_t i = 0; i + 1 < metadata->threads; i++)
		pthread_join(metadata->readers[i], NULL);
	photo_store_close(metadata->write_store);
	for (size_t i = 0; i < READERS_MAX; i++)
		photo_store_close(metadata->read_stores[i]);
	pthread_cond_destroy(&metadata->changes.wake);
	pthread_cond_destroy(&metadata->reads.wake);
	pthread_mutex_destroy(&metadata->lock);
	free(metadata);
	context->state = NULL;
}
