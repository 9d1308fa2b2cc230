#include "store/writer.h"

#include "core/clock.h"
#include "store/disk.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

enum {
	BATCH_COUNT_MAX = 256,      /* puts, and removes, that share a flush */
	BATCH_BYTES_MAX = 16 << 20, /* contents that share a flush; one may be larger */
	PIECES = 3,                 /* of a record: header, content, padding with the end mark */
	PAD_MAX = RECORD_BLOCK + RECORD_END_LEN,
	ERASE_AT_ONCE = 64,
	ERASE_QUEUE_MAX = 65536,
	GROW_UNIT = 64 << 10,
};

/* A put whose record has been laid out. */
struct staged {
	struct engine_put *put;
	struct volume *volume; /* with a reference */
	uint64_t offset;
	uint8_t header[RECORD_HEADER_LEN];
	uint8_t pad[PAD_MAX];
};

struct removed {
	struct engine_remove *remove;
	struct volume *volume; /* with a reference; NULL if nothing was written */
	struct record record;
};

/* A tombstone whose bytes are still there. */
struct erasure {
	uint16_t number;
	uint32_t spot;
	int64_t due_ms;
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
	bool stop;

	/* All below is the thread's alone. */
	struct volume *active; /* NULL: the next put makes volume `next_number` */
	uint32_t next_number;
	uint64_t tail;      /* of the active volume: where the next record goes */
	uint64_t allocated; /* of the active volume: file size */
	bool dead;          /* a flush failed, and then a new volume could not be made */

	struct staged staged[BATCH_COUNT_MAX];
	size_t staged_count, staged_from; /* those from staged_from are not written yet */
	struct iovec iov[BATCH_COUNT_MAX * PIECES];
	struct removed removed[BATCH_COUNT_MAX];
	size_t removed_count;

	struct erasure *erasures; /* a ring */
	size_t erasure_first, erasure_count;
};

/* --- the active volume --- */

/* Give back what was allocated and not used.  Failing does no harm. */
static void trim_active(struct writer *writer)
{
	if (writer->active == NULL || writer->active->flush_errno != 0)
		return;
	if (writer->allocated > writer->tail &&
		disk->ftruncate(writer->active->fd, (off_t)writer->tail) == 0) {
		writer->allocated = writer->tail;
		writer->active->size = writer->tail;
	}
}

static void leave_active(struct writer *writer)
{
	if (writer->active == NULL)
		return;
	writer->next_number = writer->active->number + 1U;
	volume_unref(writer->active);
	writer->active = NULL;
}

static int next_volume(struct writer *writer, struct err *err)
{
	bool after_failure = writer->active != NULL && writer->active->flush_errno != 0;
	struct volume *volume;

	leave_active(writer);
	if (writer->next_number > VOLUME_NUMBER_MAX)
		return err_set(err, ERR_FULL, "store path %s has used all its %d volumes",
			writer->conf.store.folder, VOLUME_NUMBER_MAX + 1);
	volume = volume_create(
		&writer->conf.store, (uint16_t)writer->next_number, writer->conf.now(), err);
	if (volume == NULL) {
		if (after_failure && err->code != ERR_FULL)
			writer->dead = true;
		return -1;
	}
	writer->active = volume;
	writer->tail = (uint64_t)VOLUME_FIRST_SPOT * RECORD_BLOCK;
	writer->allocated = volume->size;
	return 0;
}

/* Can the file grow by `len` bytes without touching the reserve? */
static int check_reserve(struct writer *writer, uint64_t len, struct err *err)
{
	struct statvfs fs;

	if (disk->statvfs(writer->conf.store.folder, &fs) != 0)
		return err_errno(err, "cannot ask %s for its space", writer->conf.store.folder);
	if ((uint64_t)fs.f_bavail * fs.f_frsize < len + writer->conf.reserved_space)
		return err_set(err, ERR_FULL, "store path %s has only its reserve left",
			writer->conf.store.folder);
	return 0;
}

static int grow_to(struct writer *writer, uint64_t size, struct err *err)
{
	uint64_t from = writer->allocated;

	if (check_reserve(writer, size - from, err) != 0)
		return -1;
	if (disk->fallocate(writer->active->fd, 0, (off_t)from, (off_t)(size - from)) != 0) {
		if (errno != EOPNOTSUPP)
			return err_errno(err, "cannot allocate space for %s", writer->active->file);
		if (disk->ftruncate(writer->active->fd, (off_t)size) != 0)
			return err_errno(err, "cannot grow %s", writer->active->file);
	}
	writer->active->dirty = true;
	writer->allocated = size;
	return 0;
}

/* Have the active volume's file reach to `end` at least: by a whole step, or by what is
 * needed when the disk has no room for a step. */
static int allocate(struct writer *writer, uint64_t end, struct err *err)
{
	uint64_t step = writer->allocated + writer->conf.preallocate;

	if (end <= writer->allocated)
		return 0;
	if (step > writer->conf.volume_size)
		step = writer->conf.volume_size;
	if (step > end && grow_to(writer, step, err) == 0)
		return 0;
	if (grow_to(writer, (end + GROW_UNIT - 1) / GROW_UNIT * GROW_UNIT, err) == 0)
		return 0;
	return grow_to(writer, end, err);
}

/* --- puts --- */

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
	struct staged *first = &writer->staged[from];
	struct err err;

	if (count == 0)
		return;
	for (struct staged *staged = first; staged < first + count; staged++) {
		const struct span *content = &staged->put->content;
		size_t pad = (size_t)(record_room(content->len) * RECORD_BLOCK - RECORD_HEADER_LEN -
				      content->len);

		writer->iov[pieces++] = (struct iovec){ staged->header, RECORD_HEADER_LEN };
		if (content->len > 0)
			writer->iov[pieces++] = (struct iovec){ (void *)(uintptr_t)content->data,
				content->len };
		writer->iov[pieces++] = (struct iovec){ staged->pad, pad };
	}
	writer->staged_from = writer->staged_count;
	if (volume_writev(first->volume, first->offset, writer->iov, pieces, &err) == 0)
		return;
	/* What lies there now is not written over: the tail has moved past it. */
	for (struct staged *staged = first; staged < first + count; staged++) {
		staged->put->err = err;
		unmake(staged);
	}
}

static int make_id(struct writer *writer, struct engine_put *put, uint64_t offset, struct err *err)
{
	struct file_id id = { .path = writer->conf.store.path, .dir = writer->active->number };

	snprintf(id.group, sizeof id.group, "%s", writer->conf.store.group);
	memcpy(id.source, writer->conf.source, sizeof id.source);
	memcpy(id.ext, put->ext, sizeof id.ext);
	id.ext[FILE_ID_EXT_MAX] = '\0';
	id.time = (uint32_t)writer->conf.now();
	id.size = put->content.len;
	id.random = (uint32_t)(offset / RECORD_BLOCK);
	id.crc = put->crc;
	if (!file_id_make(&id, randombytes_random()))
		return err_set(err, ERR_BAD_REQUEST, "that is not a file name extension");
	put->id = id;
	return 0;
}

static int find_room(struct writer *writer, uint64_t len, struct err *err)
{
	uint64_t first = (uint64_t)VOLUME_FIRST_SPOT * RECORD_BLOCK;
	struct volume *active = writer->active;

	if (first + len > writer->conf.volume_size)
		return err_set(err, ERR_TOO_LARGE, "a picture of that size fits no volume");
	if (active != NULL && active->flush_errno == 0 &&
		writer->tail + len > writer->conf.volume_size) {
		write_staged(writer);
		trim_active(writer);
		leave_active(writer);
	}
	if ((writer->active == NULL || writer->active->flush_errno != 0) &&
		next_volume(writer, err) != 0)
		return -1;
	return allocate(writer, writer->tail + len, err);
}

static int stage_put(struct writer *writer, struct engine_put *put)
{
	struct staged *staged = &writer->staged[writer->staged_count];
	uint64_t len = record_room(put->content.len) * RECORD_BLOCK;
	struct record record;

	if (writer->dead)
		return err_set(&put->err, ERR_IO,
			"store path %s is out of use after a failed flush",
			writer->conf.store.folder);
	if (put->content.len > UINT32_MAX)
		return err_set(&put->err, ERR_TOO_LARGE, "a picture of that size fits no volume");
	if (find_room(writer, len, &put->err) != 0 ||
		make_id(writer, put, writer->tail, &put->err) != 0)
		return -1;
	staged->put = put;
	staged->volume = volume_ref(writer->active);
	staged->offset = writer->tail;
	record_of_picture(&record, &put->id);
	record_encode(&record, &writer->active->key, staged->header);
	memset(staged->pad, 0, sizeof staged->pad);
	record_end_encode(&record, &writer->active->key,
		staged->pad + (len - RECORD_HEADER_LEN - put->content.len - RECORD_END_LEN));
	writer->staged_count++;
	writer->tail += len;
	return 0;
}

/* --- removes --- */

static void stage_remove(struct writer *writer, struct engine_remove *remove)
{
	struct removed *removed = &writer->removed[writer->removed_count++];
	const struct file_id *id = &remove->id;
	struct volume *volume;

	*removed = (struct removed){ .remove = remove };
	if (writer->active != NULL && writer->active->number == id->dir)
		volume = volume_ref(writer->active);
	else
		volume = volume_cache_get(
			writer->conf.cache, writer->conf.store.path, id->dir, 0, &remove->err);
	if (volume == NULL)
		return;
	if (volume->flush_errno != 0)
		err_set(&remove->err, ERR_IO, "%s is not written to after a failed flush",
			volume->file);
	else
		volume_remove(volume, id, writer->conf.now(), &removed->record, &remove->err);
	removed->volume = volume;
}

static void erase_later(struct writer *writer, const struct removed *removed)
{
	size_t at = (writer->erasure_first + writer->erasure_count) % ERASE_QUEUE_MAX;

	/* Those that find no place here are found by fsck. */
	if (writer->erasure_count == ERASE_QUEUE_MAX)
		return;
	writer->erasures[at] = (struct erasure){
		.number = removed->volume->number,
		.spot = removed->record.spot,
		.due_ms = clock_mono_ms() + writer->conf.punch_delay_ms,
	};
	writer->erasure_count++;
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
	writer->staged_count = writer->staged_from = 0;
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
		if (removed->volume != NULL && remove->err.code == ERR_NONE)
			erase_later(writer, removed);
		volume_unref(removed->volume);
		remove->done(remove);
	}
	writer->removed_count = 0;
}

static void fail_put(struct writer *writer, struct engine_put *put)
{
	struct err err = put->err;

	if (err.code == ERR_FULL && writer->conf.overflow(writer->conf.context, put))
		return;
	put->err = err;
	put->done(put);
}

static void run_batch(struct writer *writer, struct engine_put *puts, struct engine_remove *removes)
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
	for (size_t i = 0; i < writer->staged_count; i++)
		flush_if_dirty(writer->staged[i].volume);
	for (size_t i = 0; i < writer->removed_count; i++)
		flush_if_dirty(writer->removed[i].volume);
	finish_puts(writer);
	finish_removes(writer);
	for (struct engine_put *put = failed, *next; put != NULL; put = next) {
		next = put->next;
		fail_put(writer, put);
	}
}

/* --- erasing --- */

/* When is the next erasure due?  Milliseconds from now; -1: there is none. */
static int64_t erase_wait_ms(const struct writer *writer)
{
	int64_t wait;

	if (writer->erasure_count == 0)
		return -1;
	wait = writer->erasures[writer->erasure_first].due_ms - clock_mono_ms();
	return wait > 0 ? wait : 0;
}

/* Erase one tombstone's bytes; returns its volume, with a reference, or NULL. */
static struct volume *erase_one(
	struct writer *writer, const struct erasure *erasure, struct record *record)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct volume *volume;

	if (writer->active != NULL && writer->active->number == erasure->number)
		volume = volume_ref(writer->active);
	else
		volume = volume_cache_get(
			writer->conf.cache, writer->conf.store.path, erasure->number, 0, NULL);
	if (volume == NULL)
		return NULL;
	if (volume->flush_errno == 0 &&
		volume_read(volume, (uint64_t)erasure->spot * RECORD_BLOCK, header, sizeof header,
			NULL) == sizeof header &&
		record_decode(header, &volume->key, erasure->spot, record) == RECORD_GOOD &&
		record->kind == RECORD_DELETED && volume_erase(volume, record, NULL) == 0)
		return volume;
	volume_unref(volume);
	return NULL;
}

/* Erase what is due, at most a few at a time so that puts need not wait long.  Bytes
 * that cannot be erased stay under their tombstone, for fsck to find. */
static void erase_due(struct writer *writer)
{
	struct volume *volumes[ERASE_AT_ONCE];
	struct record records[ERASE_AT_ONCE];
	size_t count = 0;

	while (count < ERASE_AT_ONCE && erase_wait_ms(writer) == 0) {
		struct erasure *erasure = &writer->erasures[writer->erasure_first];

		volumes[count] = erase_one(writer, erasure, &records[count]);
		if (volumes[count] != NULL)
			count++;
		writer->erasure_first = (writer->erasure_first + 1) % ERASE_QUEUE_MAX;
		writer->erasure_count--;
	}
	for (size_t i = 0; i < count; i++)
		flush_if_dirty(volumes[i]);
	/* "Erased" must not reach the disk before the erasing has. */
	for (size_t i = 0; i < count; i++) {
		if (volumes[i]->flush_errno == 0)
			volume_set_erased(volumes[i], &records[i], NULL);
		volume_unref(volumes[i]);
	}
}

/* --- the thread --- */

/* With the mutex held: wait until there is something to do. */
static void wait_for_work(struct writer *writer)
{
	while (writer->puts == NULL && writer->removes == NULL && !writer->stop) {
		int64_t wait_ms = erase_wait_ms(writer);
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

static void *run(void *arg)
{
	struct writer *writer = arg;
	struct engine_put *puts;
	struct engine_remove *removes;

	for (;;) {
		pthread_mutex_lock(&writer->mutex);
		wait_for_work(writer);
		puts = take_puts(writer);
		removes = take_removes(writer);
		if (puts == NULL && removes == NULL && writer->stop) {
			pthread_mutex_unlock(&writer->mutex);
			return NULL;
		}
		pthread_mutex_unlock(&writer->mutex);
		run_batch(writer, puts, removes);
		erase_due(writer);
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

/* --- starting and stopping --- */

static int lock_store(struct writer *writer, struct err *err)
{
	const char *folder = writer->conf.store.folder;
	char path[VOLUME_PATH_MAX];

	snprintf(path, sizeof path, "%s/lock", folder);
	writer->lock_fd = disk->open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (writer->lock_fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (disk->flock(writer->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_BUSY,
			"store path %s is in use: another process has locked %s", folder, path);
	return err_errno(err, "cannot lock %s", path);
}

/* The value of two upper case hexadecimal digits in front of `rest`, or -1. */
static int hex_name(const char *name, const char *rest)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *high, *low;

	if (strlen(name) != 2 + strlen(rest) || strcmp(name + 2, rest) != 0)
		return -1;
	high = strchr(digits, name[0]);
	low = strchr(digits, name[1]);
	return high == NULL || low == NULL ? -1 : (int)((high - digits) << 4 | (low - digits));
}

/* The highest number below `below` among the names in a folder, or -1. */
static int highest(const char *path, const char *rest, int below)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int best = -1;

	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL) {
		int number = hex_name(entry->d_name, rest);

		if (number > best && number < below)
			best = number;
	}
	closedir(dir);
	return best;
}

/* The number of the newest volume, or -1: reads two folders, however many pictures
 * there are. */
static int newest_number(const char *folder)
{
	char path[VOLUME_PATH_MAX];

	for (int high = 256; high >= 0;) {
		int low;

		snprintf(path, sizeof path, "%s/data", folder);
		high = highest(path, "", high);
		if (high < 0)
			return -1;
		snprintf(path, sizeof path, "%s/data/%02X", folder, (unsigned)high);
		low = highest(path, ".vol", 256);
		if (low >= 0)
			return high << 8 | low;
	}
	return -1;
}

static int open_newest(struct writer *writer, struct err *err)
{
	int number = newest_number(writer->conf.store.folder);
	struct err why;

	writer->next_number = (uint32_t)(number + 1);
	if (number < 0)
		return 0;
	writer->active = volume_open(&writer->conf.store, (uint16_t)number, &why);
	/* Nothing can be put behind a damaged head; the next volume is sound. */
	if (writer->active == NULL && why.code == ERR_CORRUPT)
		return 0;
	if (writer->active == NULL)
		return err_set(err, why.code, "%s", why.text);
	if (volume_tail(writer->active, &writer->tail, err) != 0)
		return -1;
	writer->allocated = writer->active->size;
	trim_active(writer);
	return 0;
}

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
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->wake, &attr);
	pthread_condattr_destroy(&attr);
	writer->erasures = calloc(ERASE_QUEUE_MAX, sizeof *writer->erasures);
	if (writer->erasures == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		goto fail;
	}
	if (lock_store(writer, err) != 0 || open_newest(writer, err) != 0)
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
		trim_active(writer);
		flush_if_dirty(writer->active);
	}
	volume_unref(writer->active);
	if (writer->lock_fd >= 0)
		disk->close(writer->lock_fd);
	free(writer->erasures);
	pthread_mutex_destroy(&writer->mutex);
	pthread_cond_destroy(&writer->wake);
	free(writer);
}
