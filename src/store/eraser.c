#include "store/eraser.h"

#include "core/clock.h"
#include "core/steady_cond.h"
#include "store/volume_change.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { QUEUE_MIN = 1024, QUEUE_MAX = 1 << 22, SEEN_MAX = 1 << 16 };

struct eraser {
	struct eraser_conf conf;

	pthread_t thread;
	bool started;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop;
	size_t first, count, room; /* of a ring; room is 0 or a power of two */
	struct erasure *queue;
	size_t erased_count; /* not taken yet; while there are any, nothing more is erased */
	struct erasure erased[ERASER_AT_ONCE];

	pthread_mutex_t erasing; /* held while records are read and their bytes erased */
	struct volume *volume;   /* the last one; NULL: none */
};

/* ---- the queue: all with the mutex held ---- */

/* Have another ring, of `room`; false if memory has ended. */
static bool resize(struct eraser *eraser, size_t room)
{
	struct erasure *queue = calloc(room, sizeof *queue);

	if (queue == NULL)
		return false;
	for (size_t i = 0; i < eraser->count; i++)
		queue[i] = eraser->queue[(eraser->first + i) % eraser->room];
	free(eraser->queue);
	eraser->queue = queue;
	eraser->room = room;
	eraser->first = 0;
	return true;
}

static void push(struct eraser *eraser, const struct erasure *erasure)
{
	if (eraser->count == eraser->room &&
		(eraser->room == QUEUE_MAX ||
			!resize(eraser, eraser->room == 0 ? QUEUE_MIN : 2 * eraser->room)))
		return;
	eraser->queue[(eraser->first + eraser->count) % eraser->room] = *erasure;
	eraser->count++;
}

static struct erasure *at(struct eraser *eraser, size_t i)
{
	return &eraser->queue[(eraser->first + i) % eraser->room];
}

/* Take what is due, as much as is erased at once, all of one volume: pictures are deleted
 * all over the store, and what is erased together shares a flush.  The others keep their
 * order. */
static size_t take_due(struct eraser *eraser, struct erasure taken[ERASER_AT_ONCE])
{
	int64_t now_ms = clock_mono_ms();
	size_t count = 0, seen, kept;
	uint16_t number = eraser->count > 0 ? at(eraser, 0)->number : 0;

	for (seen = 0; count < ERASER_AT_ONCE && seen < eraser->count && seen < SEEN_MAX &&
		       at(eraser, seen)->due_ms <= now_ms;
		seen++)
		if (at(eraser, seen)->number == number)
			taken[count++] = *at(eraser, seen);
	kept = seen;
	for (size_t i = seen; i-- > 0;)
		if (at(eraser, i)->number != number)
			*at(eraser, --kept) = *at(eraser, i);
	if (count > 0)
		eraser->first = (eraser->first + count) % eraser->room;
	eraser->count -= count;
	/* What many deletes at once have taken is given back. */
	if (eraser->room > QUEUE_MIN && eraser->count < eraser->room / 4)
		resize(eraser, eraser->room / 2);
	return count;
}

/* ---- erasing: with the lock for that held ---- */

static struct volume *volume_of(struct eraser *eraser, uint16_t number)
{
	if (eraser->volume != NULL && eraser->volume->number == number)
		return eraser->volume;
	volume_unref(eraser->volume);
	eraser->volume = volume_open(eraser->conf.store, number, NULL);
	return eraser->volume;
}

static bool erase(struct volume *volume, uint32_t spot)
{
	uint64_t offset = (uint64_t)spot * RECORD_BLOCK;
	uint8_t header[RECORD_HEADER_LEN];
	struct record record;

	return volume_read(volume, offset, header, sizeof header, NULL) == sizeof header &&
	       record_decode(header, &volume->key, spot, &record) == RECORD_GOOD &&
	       record_is_to_erase(&record) && volume_erase(volume, &record, NULL) == 0;
}

/* Erase and flush, and leave in `taken` what was.  Returns how many. */
static size_t erase_all(struct eraser *eraser, struct erasure taken[], size_t count)
{
	struct volume *volume = volume_of(eraser, taken[0].number);
	size_t erased = 0;

	if (volume == NULL)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (erase(volume, taken[i].spot))
			taken[erased++] = taken[i];
	if (erased == 0 || volume_flush(volume, NULL) == 0)
		return erased;
	volume_unref(volume); /* never written to again through this handle */
	eraser->volume = NULL;
	return 0;
}

/* With the mutex held, which is let go meanwhile. */
static void run_once(struct eraser *eraser)
{
	struct erasure taken[ERASER_AT_ONCE];
	size_t count = take_due(eraser, taken);

	pthread_mutex_unlock(&eraser->mutex);
	pthread_mutex_lock(&eraser->erasing);
	if (count > 0)
		count = erase_all(eraser, taken, count);
	pthread_mutex_lock(&eraser->mutex);
	eraser->erased_count = count;
	for (size_t i = 0; i < count; i++)
		eraser->erased[i] = taken[i];
	pthread_mutex_unlock(&eraser->erasing);
}

/* ---- the thread ---- */

/* With the mutex held: wait until something is due. */
static void wait_for_due(struct eraser *eraser)
{
	while (!eraser->stop) {
		int64_t due_ms;

		if (eraser->count == 0 || eraser->erased_count > 0) {
			pthread_cond_wait(&eraser->wake, &eraser->mutex);
			continue;
		}
		due_ms = eraser->queue[eraser->first].due_ms;
		if (due_ms <= clock_mono_ms())
			return;
		steady_cond_wait_ms(&eraser->wake, &eraser->mutex, due_ms);
	}
}

static void *run(void *arg)
{
	struct eraser *eraser = arg;

	pthread_mutex_lock(&eraser->mutex);
	for (;;) {
		wait_for_due(eraser);
		if (eraser->stop)
			break;
		run_once(eraser);
		if (eraser->erased_count == 0)
			continue;
		pthread_mutex_unlock(&eraser->mutex);
		eraser->conf.erased(eraser->conf.context);
		pthread_mutex_lock(&eraser->mutex);
	}
	pthread_mutex_unlock(&eraser->mutex);
	return NULL;
}

static bool start(struct eraser *eraser)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	eraser->started = pthread_create(&eraser->thread, NULL, run, eraser) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return eraser->started;
}

/* ---- for the writer ---- */

struct eraser *eraser_open(const struct eraser_conf *conf, struct err *err)
{
	struct eraser *eraser = calloc(1, sizeof *eraser);

	if (eraser == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		return NULL;
	}
	eraser->conf = *conf;
	pthread_mutex_init(&eraser->mutex, NULL);
	pthread_mutex_init(&eraser->erasing, NULL);
	steady_cond_init(&eraser->wake);
	if (conf->delay_ms > 0 && !start(eraser)) {
		err_set(err, ERR_INTERNAL, "cannot start a thread");
		eraser_close(eraser);
		return NULL;
	}
	return eraser;
}

void eraser_stop(struct eraser *eraser)
{
	if (!eraser->started)
		return;
	pthread_mutex_lock(&eraser->mutex);
	eraser->stop = true;
	pthread_cond_signal(&eraser->wake);
	pthread_mutex_unlock(&eraser->mutex);
	pthread_join(eraser->thread, NULL);
	eraser->started = false;
}

void eraser_close(struct eraser *eraser)
{
	if (eraser == NULL)
		return;
	eraser_stop(eraser);
	volume_unref(eraser->volume);
	pthread_mutex_destroy(&eraser->mutex);
	pthread_mutex_destroy(&eraser->erasing);
	pthread_cond_destroy(&eraser->wake);
	free(eraser->queue);
	free(eraser);
}

void eraser_add(struct eraser *eraser, uint16_t number, uint32_t spot)
{
	struct erasure erasure = { number, spot, clock_mono_ms() + eraser->conf.delay_ms };

	pthread_mutex_lock(&eraser->mutex);
	push(eraser, &erasure);
	if (eraser->count == 1)
		pthread_cond_signal(&eraser->wake);
	pthread_mutex_unlock(&eraser->mutex);
}

bool eraser_catch_up(struct eraser *eraser)
{
	bool due;

	if (eraser->conf.delay_ms > 0)
		return false;
	pthread_mutex_lock(&eraser->mutex);
	due = eraser->count > 0;
	if (due)
		run_once(eraser);
	pthread_mutex_unlock(&eraser->mutex);
	return due;
}

size_t eraser_take(struct eraser *eraser, struct erasure taken[ERASER_AT_ONCE])
{
	size_t count;

	pthread_mutex_lock(&eraser->mutex);
	count = eraser->erased_count;
	for (size_t i = 0; i < count; i++)
		taken[i] = eraser->erased[i];
	eraser->erased_count = 0;
	if (count > 0)
		pthread_cond_signal(&eraser->wake);
	pthread_mutex_unlock(&eraser->mutex);
	return count;
}

void eraser_hold(struct eraser *eraser)
{
	pthread_mutex_lock(&eraser->erasing);
}

void eraser_release(struct eraser *eraser)
{
	pthread_mutex_unlock(&eraser->erasing);
}
