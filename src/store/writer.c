#include "store/writer.h"

#include "core/clock.h"
#include "core/disk.h"
#include "store/active.h"
#include "store/eraser.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_shift.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BATCH_COUNT_MAX = 256,      /* puts, and removes, that share a flush */
	BATCH_BYTES_MAX = 16 << 20, /* contents that share a flush; one may be larger */
	PIECES = 3,                 /* of a record: header, content, padding with the end mark */
	PAD_MAX = RECORD_BLOCK + RECORD_END_LEN,
};

/* A put whose record has been laid out. */
struct staged {
	struct engine_put *put;
	struct volume *volume; /* with a reference */
	uint64_t offset, len;  /* of the record */
	uint8_t header[RECORD_HEADER_LEN];
	uint8_t pad[PAD_MAX];
};

struct removed {
	struct engine_remove *remove;
	struct volume *volume; /* with a reference; NULL if nothing was written */
	struct record record;
};

struct shifted {
	struct engine_shift *shift;
	struct volume *volume; /* with a reference; NULL if it is not found */
	struct record record;
	bool wrote;
};

struct writer {
	struct writer_conf conf;
	int lock_fd;
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct engine_put *puts, **puts_end;
	struct engine_remove *removes, **removes_end;
	struct engine_shift *shifts, **shifts_end;
	bool stop;

	/* All below is the thread's alone. */
	struct active active;
	struct eraser *eraser;

	struct staged staged[BATCH_COUNT_MAX];
	size_t staged_count, staged_from; /* those from staged_from are not written yet */
	struct volume *first_volume;      /* see batch_of */
	uint64_t first_offset;
	struct iovec iov[BATCH_COUNT_MAX * PIECES];
	struct removed removed[BATCH_COUNT_MAX];
	size_t removed_count;
	struct shifted shifted[BATCH_COUNT_MAX];
	size_t shifted_count;
};

/* --- puts --- */

/* A volume of this store path, with a reference.  There must be only one object for the
 * active volume: a flush that fails is noted in it. */
static struct volume *find_volume(struct writer *writer, uint16_t number, struct err *err)
{
	struct volume *active = writer->active.volume;

	if (active != NULL && active->number == number)
		return volume_ref(active);
	return volume_cache_get(writer->conf.cache, writer->conf.store.path, number, 0, err);
}

/* Take the header of a record that was not acknowledged away again, as far as that is
 * possible. */
static void unmake(struct staged *staged)
{
	static const uint8_t zeros[RECORD_HEADER_LEN];

	volume_write(staged->volume, staged->offset, zeros, sizeof zeros, NULL);
}

/* Write the records that are staged and not written yet: they lie behind one another. */
static void write_staged(struct writer *writer)
{
	size_t from = writer->staged_from, count = writer->staged_count - from, pieces = 0;
	struct staged *first = &writer->staged[from], *last;
	struct err err;

	if (count == 0)
		return;
	for (struct staged *staged = first; staged < first + count; staged++) {
		const struct span *content = &staged->put->content;
		size_t pad = (size_t)(staged->len - RECORD_HEADER_LEN - content->len);

		writer->iov[pieces++] = (struct iovec){ staged->header, RECORD_HEADER_LEN };
		if (content->len > 0)
			writer->iov[pieces++] = (struct iovec){ (void *)(uintptr_t)content->data,
				content->len };
		writer->iov[pieces++] = (struct iovec){ staged->pad, pad };
	}
	writer->staged_from = writer->staged_count;
	last = first + count - 1;
	active_prepare(&writer->active, last->offset + last->len - first->offset);
	if (volume_writev(first->volume, first->offset, writer->iov, pieces, &err) == 0)
		return;
	/* What lies there now is not written over: the tail has moved past it. */
	for (struct staged *staged = first; staged < first + count; staged++) {
		staged->put->err = err;
		unmake(staged);
	}
}

/* Name the picture that goes to the active volume's tail. */
static int make_id(struct writer *writer, struct engine_put *put)
{
	struct file_id id = {
		.path = writer->conf.store.path,
		.dir = writer->active.volume->number,
		.time = (uint32_t)writer->conf.now(),
		.size = put->content.len,
		.random = (uint32_t)(writer->active.tail / RECORD_BLOCK),
		.crc = put->crc,
	};

	snprintf(id.group, sizeof id.group, "%s", writer->conf.store.group);
	memcpy(id.source, writer->conf.source, sizeof id.source);
	memcpy(id.ext, put->ext, FILE_ID_EXT_MAX);
	if (!file_id_make(&id, randombytes_random()))
		return err_set(&put->err, ERR_BAD_REQUEST, "that is not a file name extension");
	put->id = id;
	return 0;
}

/* Where the batch of a record at `offset` begins: at the first record of `volume` that is
 * written before the same flush. */
static uint32_t batch_of(struct writer *writer, struct volume *volume, uint64_t offset)
{
	if (writer->first_volume != volume || offset < writer->first_offset) {
		writer->first_volume = volume;
		writer->first_offset = offset;
	}
	return (uint32_t)(writer->first_offset / RECORD_BLOCK);
}

/* Lay out the record of put->id at `offset`; takes the reference to `volume` over. */
static void stage(struct writer *writer, struct engine_put *put, struct volume *volume,
	uint64_t offset, uint64_t len)
{
	struct staged *staged = &writer->staged[writer->staged_count++];
	struct record record;

	staged->put = put;
	staged->volume = volume;
	staged->offset = offset;
	staged->len = len;
	record_of_picture(&record, &put->id);
	record.batch = batch_of(writer, volume, offset);
	record_encode(&record, &volume->key, staged->header);
	memset(staged->pad, 0, sizeof staged->pad);
	record_end_encode(&record, &volume->key,
		staged->pad + (len - RECORD_HEADER_LEN - put->content.len - RECORD_END_LEN));
}

/* Was `wanted` made here, and can it be the id of these bytes? */
static int check_wanted(const struct writer *writer, const struct engine_put *put, struct err *err)
{
	const struct file_id *wanted = put->wanted;

	if (wanted->kind != FILE_ID_NORMAL || wanted->name_len != FILE_ID_NAME_LEN ||
		wanted->path != writer->conf.store.path ||
		strcmp(wanted->group, writer->conf.store.group) != 0 ||
		memcmp(wanted->source, writer->conf.source, sizeof wanted->source) != 0)
		return err_set(err, ERR_EXISTS, "%s was not made here", wanted->name);
	if (wanted->size != put->content.len || wanted->crc != put->crc)
		return err_set(err, ERR_EXISTS, "%s names other bytes", wanted->name);
	return 0;
}

/* A record that goes to the place that its id names is a run by itself. */
static int stage_wanted(struct writer *writer, struct engine_put *put, uint64_t len)
{
	const struct file_id *id = put->wanted;
	uint64_t offset = (uint64_t)id->random * RECORD_BLOCK;
	struct volume *volume;

	if (check_wanted(writer, put, &put->err) != 0)
		return -1;
	write_staged(writer);
	if (active_claim(&writer->active, id->dir, offset, len, &put->err) != 0)
		return -1;
	volume = find_volume(writer, id->dir, &put->err);
	if (volume == NULL)
		return -1;
	if (volume->flush_errno != 0) {
		volume_unref(volume);
		return err_set(&put->err, ERR_IO, "its volume is not written to any more");
	}
	put->id = *id;
	stage(writer, put, volume, offset, len);
	write_staged(writer);
	return 0;
}

static int stage_put(struct writer *writer, struct engine_put *put)
{
	uint64_t len = record_room(put->content.len) * RECORD_BLOCK;
	struct active *active = &writer->active;

	if (put->content.len > UINT32_MAX)
		return err_set(&put->err, ERR_TOO_LARGE, "a picture of that size fits no volume");
	if (put->wanted != NULL)
		return stage_wanted(writer, put, len);
	if (!active_fits(active, len))
		write_staged(writer); /* a run of records lies in one volume */
	if (active_place(active, len, &put->err) != 0 || make_id(writer, put) != 0)
		return -1;
	stage(writer, put, volume_ref(active->volume), active->tail, len);
	active_advance(active, len);
	return 0;
}

/* --- removes --- */

static struct volume *find_for_eraser(void *context, uint16_t number)
{
	return find_volume(context, number, NULL);
}

static void stage_remove(struct writer *writer, struct engine_remove *remove)
{
	struct removed *removed = &writer->removed[writer->removed_count++];
	const struct file_id *id = &remove->id;
	struct volume *volume = find_volume(writer, id->dir, &remove->err);
	uint64_t limit = UINT64_MAX;

	*removed = (struct removed){ .remove = remove };
	if (volume == NULL)
		return;
	if (volume == writer->active.volume)
		limit = writer->active.tail;
	if (volume->flush_errno != 0)
		err_set(&remove->err, ERR_IO, "%s is not written to after a failed flush",
			volume->file);
	else
		volume_remove(
			volume, id, writer->conf.now(), limit, &removed->record, &remove->err);
	removed->volume = volume;
}

/* --- a batch --- */

static void flush_if_dirty(struct volume *volume)
{
	if (volume != NULL && volume->dirty && volume->flush_errno == 0)
		volume_flush(volume, NULL);
}

static void flush_error(const struct volume *volume, struct err *err)
{
	errno = volume->flush_errno;
	err_errno(err, "cannot flush %s", volume->file);
	if (err->code == ERR_FULL) /* a flush has no business with space: nothing is certain */
		err->code = ERR_IO;
}

/* After a flush that failed: what was unmade is to look so after a crash too, when this is
 * not the newest volume any more and nobody looks for torn records in it.  Nothing is
 * promised, whether it works or not. */
static void flush_unmade(struct volume *volume)
{
	if (volume->flush_errno == 0 || !volume->dirty)
		return;
	volume_flush(volume, NULL);
	volume->dirty = false; /* once */
}

static void finish_puts(struct writer *writer)
{
	size_t count = writer->staged_count;

	for (size_t i = 0; i < count; i++) {
		struct staged *staged = &writer->staged[i];

		if (staged->put->err.code == ERR_NONE && staged->volume->flush_errno != 0) {
			flush_error(staged->volume, &staged->put->err);
			unmake(staged);
		}
	}
	for (size_t i = 0; i < count; i++)
		flush_unmade(writer->staged[i].volume);
	writer->staged_count = writer->staged_from = 0;
	writer->first_volume = NULL;
	for (size_t i = 0; i < count; i++) {
		struct engine_put *put = writer->staged[i].put;

		volume_unref(writer->staged[i].volume);
		put->done(put);
	}
}

static void finish_removes(struct writer *writer)
{
	for (size_t i = 0; i < writer->removed_count; i++) {
		struct removed *removed = &writer->removed[i];
		struct engine_remove *remove = removed->remove;

		if (removed->volume != NULL && removed->volume->flush_errno != 0)
			flush_error(removed->volume, &remove->err);
		remove->cold = removed->record.cold != ENGINE_COLD_NONE;
		/* Deleted again what is not erased yet: that may be because of a stop. */
		if (removed->volume != NULL &&
			(remove->err.code == ERR_NONE ||
				(remove->err.code == ERR_GONE &&
					removed->record.kind == RECORD_DELETED)))
			eraser_add(writer->eraser, removed->volume->number, removed->record.spot,
				clock_mono_ms() + writer->conf.punch_delay_ms);
		volume_unref(removed->volume);
		remove->done(remove);
	}
	writer->removed_count = 0;
}

static void fail_put(struct writer *writer, struct engine_put *put)
{
	struct err err = put->err;

	if ((err.code == ERR_FULL || err.code == ERR_IO) &&
		writer->conf.overflow(writer->conf.context, put))
		return;
	put->err = err;
	put->done(put);
}

/* --- shifts --- */

static void stage_shift(struct writer *writer, struct engine_shift *shift)
{
	struct shifted *shifted = &writer->shifted[writer->shifted_count++];

	*shifted = (struct shifted){ .shift = shift };
	shifted->volume = find_volume(writer, shift->id.dir, &shift->err);
	if (shifted->volume == NULL)
		return;
	if (shifted->volume->flush_errno != 0)
		err_set(&shift->err, ERR_IO, "%s is not written to after a failed flush",
			shifted->volume->file);
	else
		volume_shift_refill(shifted->volume, shift, &shifted->wrote, &shift->err);
}

/* What was refilled is on the disk before its header says so. */
static void note_shifts(struct writer *writer)
{
	for (size_t i = 0; i < writer->shifted_count; i++)
		if (writer->shifted[i].wrote)
			flush_if_dirty(writer->shifted[i].volume);
	for (size_t i = 0; i < writer->shifted_count; i++) {
		struct shifted *shifted = &writer->shifted[i];
		struct engine_shift *shift = shifted->shift;

		if (shift->err.code == ERR_NONE && shifted->volume->flush_errno == 0)
			volume_shift_note(shifted->volume, shift, &shifted->record, &shift->err);
	}
}

static void finish_shifts(struct writer *writer)
{
	for (size_t i = 0; i < writer->shifted_count; i++) {
		struct shifted *shifted = &writer->shifted[i];
		struct engine_shift *shift = shifted->shift;

		if (shifted->volume != NULL && shifted->volume->flush_errno != 0)
			flush_error(shifted->volume, &shift->err);
		shift->cold = shifted->record.cold;
		if (shift->err.code == ERR_NONE && shift->cold == ENGINE_COLD_ONLY)
			eraser_add(writer->eraser, shifted->volume->number, shifted->record.spot,
				clock_mono_ms() + writer->conf.punch_delay_ms);
		volume_unref(shifted->volume);
		shift->done(shift);
	}
	writer->shifted_count = 0;
}

static void run_batch(struct writer *writer, struct engine_put *puts, struct engine_remove *removes,
	struct engine_shift *shifts)
{
	struct engine_put *failed = NULL, **failed_end = &failed;

	for (struct engine_put *put = puts, *next; put != NULL; put = next) {
		next = put->next;
		put->err = (struct err){ 0 };
		if (stage_put(writer, put) == 0)
			continue;
		put->next = NULL;
		*failed_end = put;
		failed_end = &put->next;
	}
	write_staged(writer);
	for (struct engine_remove *remove = removes, *next; remove != NULL; remove = next) {
		next = remove->next;
		remove->err = (struct err){ 0 };
		stage_remove(writer, remove);
	}
	for (struct engine_shift *shift = shifts, *next; shift != NULL; shift = next) {
		next = shift->next;
		shift->err = (struct err){ 0 };
		stage_shift(writer, shift);
	}
	note_shifts(writer);
	for (size_t i = 0; i < writer->staged_count; i++)
		flush_if_dirty(writer->staged[i].volume);
	for (size_t i = 0; i < writer->removed_count; i++)
		flush_if_dirty(writer->removed[i].volume);
	for (size_t i = 0; i < writer->shifted_count; i++)
		flush_if_dirty(writer->shifted[i].volume);
	finish_puts(writer);
	finish_removes(writer);
	finish_shifts(writer);
	for (struct engine_put *put = failed, *next; put != NULL; put = next) {
		next = put->next;
		fail_put(writer, put);
	}
}

/* --- the thread --- */

/* With the mutex held: wait until there is something to do. */
static void wait_for_work(struct writer *writer)
{
	while (writer->puts == NULL && writer->removes == NULL && writer->shifts == NULL &&
		!writer->stop) {
		int64_t wait_ms = eraser_wait_ms(writer->eraser, clock_mono_ms());
		struct timespec until;

		if (wait_ms == 0)
			return;
		if (wait_ms < 0) {
			pthread_cond_wait(&writer->wake, &writer->mutex);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += wait_ms / 1000;
		until.tv_nsec += wait_ms % 1000 * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&writer->wake, &writer->mutex, &until);
	}
}

/* With the mutex held: take the first puts, as many as share a flush. */
static struct engine_put *take_puts(struct writer *writer)
{
	struct engine_put *first = writer->puts, **end = &writer->puts;
	size_t count = 0, bytes = 0;

	while (*end != NULL && count < BATCH_COUNT_MAX &&
		(count == 0 || bytes + (*end)->content.len <= BATCH_BYTES_MAX)) {
		count++;
		bytes += (*end)->content.len;
		end = &(*end)->next;
	}
	writer->puts = *end;
	if (writer->puts == NULL)
		writer->puts_end = &writer->puts;
	if (count == 0)
		return NULL;
	*end = NULL;
	return first;
}

static struct engine_remove *take_removes(struct writer *writer)
{
	struct engine_remove *first = writer->removes, **end = &writer->removes;

	for (size_t count = 0; *end != NULL && count < BATCH_COUNT_MAX; count++)
		end = &(*end)->next;
	if (first == NULL)
		return NULL;
	writer->removes = *end;
	if (writer->removes == NULL)
		writer->removes_end = &writer->removes;
	*end = NULL;
	return first;
}

static struct engine_shift *take_shifts(struct writer *writer)
{
	struct engine_shift *first = writer->shifts, **end = &writer->shifts;

	for (size_t count = 0; *end != NULL && count < BATCH_COUNT_MAX; count++)
		end = &(*end)->next;
	if (first == NULL)
		return NULL;
	writer->shifts = *end;
	if (writer->shifts == NULL)
		writer->shifts_end = &writer->shifts;
	*end = NULL;
	return first;
}

static void *run(void *arg)
{
	struct writer *writer = arg;
	struct engine_put *puts;
	struct engine_remove *removes;
	struct engine_shift *shifts;

	for (;;) {
		pthread_mutex_lock(&writer->mutex);
		wait_for_work(writer);
		puts = take_puts(writer);
		removes = take_removes(writer);
		shifts = take_shifts(writer);
		if (puts == NULL && removes == NULL && shifts == NULL && writer->stop) {
			pthread_mutex_unlock(&writer->mutex);
			return NULL;
		}
		pthread_mutex_unlock(&writer->mutex);
		run_batch(writer, puts, removes, shifts);
		eraser_run(writer->eraser, clock_mono_ms());
	}
}

void writer_put(struct writer *writer, struct engine_put *put)
{
	put->next = NULL;
	pthread_mutex_lock(&writer->mutex);
	*writer->puts_end = put;
	writer->puts_end = &put->next;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->mutex);
}

void writer_remove(struct writer *writer, struct engine_remove *remove)
{
	remove->next = NULL;
	pthread_mutex_lock(&writer->mutex);
	*writer->removes_end = remove;
	writer->removes_end = &remove->next;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->mutex);
}

void writer_shift(struct writer *writer, struct engine_shift *shift)
{
	shift->next = NULL;
	pthread_mutex_lock(&writer->mutex);
	*writer->shifts_end = shift;
	writer->shifts_end = &shift->next;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->mutex);
}

/* --- starting and stopping --- */

struct writer *writer_open(const struct writer_conf *conf, struct err *err)
{
	struct writer *writer = calloc(1, sizeof *writer);
	pthread_condattr_t attr;
	sigset_t all, before;

	if (writer == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		return NULL;
	}
	writer->conf = *conf;
	writer->lock_fd = -1;
	writer->puts_end = &writer->puts;
	writer->removes_end = &writer->removes;
	writer->shifts_end = &writer->shifts;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->wake, &attr);
	pthread_condattr_destroy(&attr);
	writer->active = (struct active){
		.store = conf->store,
		.volume_size = conf->volume_size,
		.preallocate = conf->preallocate,
		.reserved_space = conf->reserved_space,
		.now = conf->now,
	};
	writer->eraser = eraser_new(find_for_eraser, writer);
	if (writer->eraser == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		goto fail;
	}
	writer->lock_fd = volume_list_lock(conf->store.folder, err);
	if (writer->lock_fd < 0 || active_open(&writer->active, err) != 0)
		goto fail;
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	writer->started = pthread_create(&writer->thread, NULL, run, writer) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!writer->started) {
		err_set(err, ERR_INTERNAL, "cannot start a thread");
		goto fail;
	}
	return writer;
fail:
	writer_close(writer);
	return NULL;
}

void writer_close(struct writer *writer)
{
	if (writer == NULL)
		return;
	if (writer->started) {
		pthread_mutex_lock(&writer->mutex);
		writer->stop = true;
		pthread_cond_signal(&writer->wake);
		pthread_mutex_unlock(&writer->mutex);
		pthread_join(writer->thread, NULL);
	}
	active_close(&writer->active);
	eraser_free(writer->eraser);
	if (writer->lock_fd >= 0)
		disk->close(writer->lock_fd);
	pthread_mutex_destroy(&writer->mutex);
	pthread_cond_destroy(&writer->wake);
	free(writer);
}
