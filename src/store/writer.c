#include "store/writer.h"

#include "core/clock.h"
#include "core/disk.h"
#include "store/active.h"
#include "store/eraser.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_shift.h"
#include "store/write_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum {
	PIECES = 3, /* of a record: header, content, padding with the end mark */
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

	struct write_queue queue;

	/* All below is the thread's alone. */
	struct active active;
	struct eraser *eraser;

	struct staged staged[WRITE_COUNT_MAX];
	size_t staged_count, staged_from; /* those from staged_from are not written yet */
	struct volume *first_volume;      /* see batch_of */
	uint64_t first_offset;
	struct iovec iov[WRITE_COUNT_MAX * PIECES];
	struct removed removed[WRITE_COUNT_MAX];
	size_t removed_count;
	struct shifted shifted[WRITE_COUNT_MAX];
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
			eraser_add(writer->eraser, removed->volume->number, removed->record.spot);
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

/* --- erasing --- */

static void has_erased(void *context)
{
	struct writer *writer = context;

	write_queue_poke(&writer->queue);
}

/* Note one record as erased, unless it has been filled anew. */
static void note_one(struct writer *writer, const struct erasure *erasure)
{
	struct volume *volume = find_volume(writer, erasure->number, NULL);
	uint64_t offset = (uint64_t)erasure->spot * RECORD_BLOCK;
	uint8_t header[RECORD_HEADER_LEN];
	struct record record;

	if (volume != NULL && volume->flush_errno == 0 &&
		volume_read(volume, offset, header, sizeof header, NULL) == sizeof header &&
		record_decode(header, &volume->key, erasure->spot, &record) == RECORD_GOOD &&
		record_is_to_erase(&record))
		volume_set_erased(volume, &record, NULL);
	volume_unref(volume);
}

static void note_erased(struct writer *writer)
{
	struct erasure erased[ERASER_AT_ONCE];
	size_t count = eraser_take(writer->eraser, erased);

	for (size_t i = 0; i < count; i++)
		note_one(writer, &erased[i]);
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
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): good, so it has one */
			eraser_add(writer->eraser, shifted->volume->number, shifted->record.spot);
		volume_unref(shifted->volume);
		shift->done(shift);
	}
	writer->shifted_count = 0;
}

/* Write what the batch says, all but what waits for the flush. */
static void stage_batch(
	struct writer *writer, const struct write_batch *batch, struct engine_put **failed)
{
	for (struct engine_put *put = batch->puts, *next; put != NULL; put = next) {
		next = put->next;
		put->err = (struct err){ 0 };
		if (stage_put(writer, put) == 0)
			continue;
		put->next = NULL;
		*failed = put;
		failed = &put->next;
	}
	write_staged(writer);
	for (struct engine_remove *remove = batch->removes; remove != NULL; remove = remove->next) {
		remove->err = (struct err){ 0 };
		stage_remove(writer, remove);
	}
	if (batch->shifts == NULL)
		return;
	eraser_hold(writer->eraser); /* it may be about to erase what comes back */
	note_erased(writer);
	for (struct engine_shift *shift = batch->shifts; shift != NULL; shift = shift->next) {
		shift->err = (struct err){ 0 };
		stage_shift(writer, shift);
	}
	note_shifts(writer);
	eraser_release(writer->eraser);
}

static void flush_batch(struct writer *writer, size_t count)
{
	int64_t start_us = clock_mono_us();

	for (size_t i = 0; i < writer->staged_count; i++)
		flush_if_dirty(writer->staged[i].volume);
	for (size_t i = 0; i < writer->removed_count; i++)
		flush_if_dirty(writer->removed[i].volume);
	for (size_t i = 0; i < writer->shifted_count; i++)
		flush_if_dirty(writer->shifted[i].volume);
	write_queue_flushed(&writer->queue, count, clock_mono_us() - start_us);
}

static void run_batch(struct writer *writer, const struct write_batch *batch)
{
	struct engine_put *failed = NULL;

	stage_batch(writer, batch, &failed);
	flush_batch(writer, batch->count);
	finish_puts(writer);
	finish_removes(writer);
	finish_shifts(writer);
	for (struct engine_put *put = failed, *next; put != NULL; put = next) {
		next = put->next;
		fail_put(writer, put);
	}
}

/* --- the thread --- */

static void *run(void *arg)
{
	struct writer *writer = arg;
	struct write_batch batch;

	prctl(PR_SET_TIMERSLACK, 1UL); /* waits for company are shorter than the usual slack */
	while (write_queue_take(&writer->queue, &batch)) {
		if (batch.count > 0)
			run_batch(writer, &batch);
		note_erased(writer);
		while (eraser_catch_up(writer->eraser))
			note_erased(writer);
	}
	eraser_stop(writer->eraser);
	note_erased(writer);
	return NULL;
}

void writer_put(struct writer *writer, struct engine_put *put)
{
	write_queue_put(&writer->queue, put);
}

void writer_remove(struct writer *writer, struct engine_remove *remove)
{
	write_queue_remove(&writer->queue, remove);
}

void writer_shift(struct writer *writer, struct engine_shift *shift)
{
	write_queue_shift(&writer->queue, shift);
}

/* --- starting and stopping --- */

struct writer *writer_open(const struct writer_conf *conf, struct err *err)
{
	struct writer *writer = calloc(1, sizeof *writer);
	struct eraser_conf eraser;
	sigset_t all, before;

	if (writer == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		return NULL;
	}
	writer->conf = *conf;
	writer->lock_fd = -1;
	write_queue_init(&writer->queue);
	writer->active = (struct active){
		.store = conf->store,
		.volume_size = conf->volume_size,
		.preallocate = conf->preallocate,
		.reserved_space = conf->reserved_space,
		.now = conf->now,
	};
	eraser = (struct eraser_conf){
		.store = &writer->conf.store,
		.delay_ms = conf->punch_delay_ms,
		.erased = has_erased,
		.context = writer,
	};
	writer->eraser = eraser_open(&eraser, err);
	if (writer->eraser == NULL)
		goto fail;
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
		write_queue_stop(&writer->queue);
		pthread_join(writer->thread, NULL);
	}
	active_close(&writer->active);
	eraser_close(writer->eraser);
	if (writer->lock_fd >= 0)
		disk->close(writer->lock_fd);
	write_queue_fini(&writer->queue);
	free(writer);
}
