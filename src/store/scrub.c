#include "store/scrub.h"

#include "core/clock.h"
#include "core/disk.h"
#include "core/durable_file.h"
#include "core/steady_cond.h"
#include "store/quarantine.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_walk.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATH_LEN = 4096,
	FILE_MODE = 0640,
	NAMES_NEXT = VOLUME_NUMBER_MAX + 1,
	DONE = VOLUME_NUMBER_MAX + 2,
	LOOK_AGAIN_S = 60, /* whether a pass is due */
	NAP_MS = 20,       /* shorter naps are saved up */
	REMEMBER_BYTES = 64 << 20,
	NAMES_AT_ONCE = 1000,
	SETTLED_S = 10,
};

struct position {
	int64_t started;
	int number;
	uint32_t spot;
};

struct scrub {
	struct scrub_conf conf;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping; /* under `lock` */

	/* The thread's own: */
	size_t path;
	struct position at;
	struct quarantine list;
	struct volume *volume;
	uint64_t limit;   /* of it: what stands behind may be on its way to the disk */
	uint64_t debt;    /* bytes read and not slept for yet */
	uint64_t unsaved; /* bytes since the position was written */
	bool stopped;
	size_t listed[256]; /* lengths of the lists, by path */
};

/* Wait so long; false if it is to stop. */
static bool wait_ms(struct scrub *scrub, uint64_t ms)
{
	int64_t until_ms = clock_mono_ms() + (int64_t)ms;

	pthread_mutex_lock(&scrub->lock);
	while (!scrub->stopping && steady_cond_wait_ms(&scrub->wake, &scrub->lock, until_ms))
		;
	scrub->stopped = scrub->stopping;
	pthread_mutex_unlock(&scrub->lock);
	return !scrub->stopped;
}

/* `len` bytes were read: sleep for them. */
static bool pace(struct scrub *scrub, uint64_t len)
{
	uint64_t ms;

	*scrub->conf.checked += (int64_t)len;
	scrub->unsaved += len;
	scrub->debt += len;
	ms = (uint64_t)((double)scrub->debt * 1000 / (double)scrub->conf.rate);
	if (ms < NAP_MS)
		return !scrub->stopped;
	scrub->debt = 0;
	return wait_ms(scrub, ms);
}

static const char *folder(const struct scrub *scrub)
{
	return scrub->conf.paths[scrub->path];
}

static void cannot(struct scrub *scrub, const struct err *err)
{
	scrub->conf.found(scrub->conf.context, folder(scrub), NULL, err->text);
}

static void count_lists(struct scrub *scrub)
{
	int64_t sum = 0;

	for (size_t i = 0; i < scrub->conf.path_count; i++)
		sum += (int64_t)scrub->listed[i];
	*scrub->conf.quarantined = sum;
}

static void note(struct scrub *scrub, const char *where, const char *reason)
{
	struct err err;

	if (quarantine_note(&scrub->list, scrub->conf.now(), where, reason))
		scrub->conf.found(scrub->conf.context, folder(scrub), where, reason);
	scrub->listed[scrub->path] = scrub->list.count;
	count_lists(scrub);
	if (quarantine_write(&scrub->list, folder(scrub), &err) != 0)
		cannot(scrub, &err);
}

static bool position_path(const struct scrub *scrub, char out[PATH_LEN])
{
	return snprintf(out, PATH_LEN, "%s/scrub", folder(scrub)) < PATH_LEN;
}

/* One that makes no sense is that of a pass which was done long ago. */
static void read_position(struct scrub *scrub)
{
	char path[PATH_LEN], end;
	FILE *in = position_path(scrub, path) ? fopen(path, "re") : NULL;
	struct position at;

	scrub->at = (struct position){ 0, DONE, VOLUME_FIRST_SPOT };
	if (in == NULL)
		return;
	if (fscanf(in, "scrub %18" SCNd64 " %6d %8" SCNu32 "%c", &at.started, &at.number, &at.spot,
		    &end) == 4 &&
		end == '\n' && at.started >= 0 && at.started <= scrub->conf.now() &&
		at.number >= 0 && at.number <= DONE && at.spot >= VOLUME_FIRST_SPOT &&
		at.spot <= RECORD_SPOT_END)
		scrub->at = at;
	fclose(in);
}

static void write_position(struct scrub *scrub)
{
	char path[PATH_LEN], text[80];
	struct err err;

	scrub->unsaved = 0;
	snprintf(text, sizeof text, "scrub %" PRId64 " %d %" PRIu32 "\n", scrub->at.started,
		scrub->at.number, scrub->at.spot);
	if (position_path(scrub, path) &&
		durable_file_write(path, span_str(text), FILE_MODE, &err) != 0)
		cannot(scrub, &err);
}

/* Was it written to a moment ago? */
static bool being_written(const struct volume *volume)
{
	struct stat st;

	return disk->fstat(volume->fd, &st) != 0 || clock_unix() - st.st_mtim.tv_sec < SETTLED_S;
}

/* A tombstone whose bytes nobody has erased: the server stopped before their time came.  A
 * second delete of the picture has them erased; whatever it fails with, the next pass
 * finds them again. */
static void erase_left(struct scrub *scrub, const struct record *record)
{
	struct file_id id;

	if (record->kind == RECORD_DELETED &&
		scrub->conf.now() - record->deleted > scrub->conf.erase_after_s &&
		file_id_parse_name(span_str(record->group), span_str(record->name), &id))
		engine_remove_wait(scrub->conf.engine, &id, NULL);
}

static bool take(void *context, const struct walk_found *found)
{
	struct scrub *scrub = context;
	char where[QUARANTINE_WHERE_MAX];

	if (found->offset >= scrub->limit && being_written(scrub->volume))
		return true; /* it may look torn or damaged right now; the next pass has it */
	quarantine_where(scrub->volume->number, found->offset, where);
	if (found->what == WALK_CORRUPT)
		note(scrub, where, found->err.text);
	else if (found->what == WALK_PICTURE && found->no_end)
		note(scrub, where, "the end mark is damaged, the content is right");
	else if (found->what == WALK_TOMBSTONE)
		erase_left(scrub, &found->record);
	scrub->at.spot = (uint32_t)(found->offset / RECORD_BLOCK);
	if (scrub->unsaved >= REMEMBER_BYTES)
		write_position(scrub);
	if (found->what == WALK_CORRUPT ||
		(found->what == WALK_PICTURE && record_is_here(&found->record)))
		return pace(scrub, found->len);
	return pace(scrub, RECORD_BLOCK);
}

static int check_volume(struct scrub *scrub, struct err *err)
{
	char where[QUARANTINE_WHERE_MAX];
	bool head_ok, copy_ok;
	uint64_t tail;
	uint32_t last;

	if (volume_check_heads(scrub->volume, &head_ok, &copy_ok, err) != 0)
		return -1;
	quarantine_where(scrub->volume->number, 0, where);
	if (!head_ok || !copy_ok)
		note(scrub, where,
			head_ok ? "the copy of the head is damaged" : "the head is damaged");
	if (volume_tail(scrub->volume, &tail, err) != 0 ||
		volume_last_batch(scrub->volume, tail, &last, err) != 0)
		return -1;
	scrub->limit = (uint64_t)last * RECORD_BLOCK;
	return volume_walk(scrub->volume, scrub->at.spot, true, take, scrub, err);
}

static void check_number(struct scrub *scrub)
{
	const struct volume_store store = {
		.folder = folder(scrub), .path = (uint8_t)scrub->path, .group = scrub->conf.group
	};
	char where[QUARANTINE_WHERE_MAX];
	struct err err = { .code = ERR_NONE };

	scrub->volume = volume_open(&store, (uint16_t)scrub->at.number, &err);
	if ((scrub->volume == NULL || check_volume(scrub, &err) != 0) && err.code != ERR_BUSY &&
		err.code != ERR_NOT_FOUND) {
		quarantine_where((uint16_t)scrub->at.number, 0, where);
		note(scrub, where, err.text);
	}
	volume_unref(scrub->volume);
	scrub->volume = NULL;
}

/* ---- names.db ---- */

struct batch {
	char last[FILE_ID_NAME_MAX + 1];
	bool go_on; /* behind `last` */
	size_t count;
	struct {
		char name[FILE_ID_NAME_MAX + 1];
		struct names_stat stat;
	} files[NAMES_AT_ONCE];
};

static bool gather(void *context, const char *name, const struct names_stat *stat)
{
	struct batch *batch = context;

	if (stat == NULL)
		return false;
	if (batch->go_on) {
		batch->go_on = strcmp(name, batch->last) != 0;
		return true;
	}
	snprintf(batch->files[batch->count].name, sizeof batch->files[0].name, "%s", name);
	batch->files[batch->count++].stat = *stat;
	return batch->count < NAMES_AT_ONCE;
}

static void check_name(struct scrub *scrub, const char *name, const struct names_stat *stat)
{
	struct names *names = scrub->conf.names[scrub->path];
	char where[QUARANTINE_WHERE_MAX];
	struct names_stat now;
	struct err err = { .code = ERR_NONE };
	uint32_t crc;

	if (names_crc(names, name, &crc, &err) == 0 && !stat->is_appender && crc != stat->crc &&
		names_stat(names, name, &now, &err) == 0 && now.crc == stat->crc &&
		now.changed == stat->changed)
		err_set(&err, ERR_CORRUPT, "the content has another CRC than when it came");
	if (err.code != ERR_CORRUPT)
		return;
	snprintf(where, sizeof where, "names.db@%s", name);
	note(scrub, where, err.text);
}

/* A file that the next batch should begin behind and that is deleted meanwhile ends the
 * pass early: the next one has them all. */
static void check_names(struct scrub *scrub)
{
	struct names *names = scrub->conf.names[scrub->path];
	struct batch *batch = calloc(1, sizeof *batch);
	struct err err;

	assert(batch != NULL);
	do {
		batch->count = 0;
		if (names_walk(names, gather, batch, &err) != 0) {
			note(scrub, "names.db", err.text);
			break;
		}
		for (size_t i = 0; i < batch->count && !scrub->stopped; i++) {
			check_name(scrub, batch->files[i].name, &batch->files[i].stat);
			pace(scrub, batch->files[i].stat.size + RECORD_BLOCK);
		}
		if (batch->count > 0)
			memcpy(batch->last, batch->files[batch->count - 1].name,
				sizeof batch->last);
		batch->go_on = true;
	} while (batch->count == NAMES_AT_ONCE && !scrub->stopped);
	free(batch);
	if (!scrub->stopped && names_sound(names, &err) != 0)
		note(scrub, "names.db", err.text);
}

/* ---- a pass over one store path ---- */

static void check_path(struct scrub *scrub)
{
	struct err err;

	read_position(scrub);
	if (scrub->at.number == DONE) {
		if (scrub->conf.now() - scrub->at.started < scrub->conf.every_s)
			return;
		scrub->at = (struct position){ scrub->conf.now(), 0, VOLUME_FIRST_SPOT };
		write_position(scrub);
	}
	while (!scrub->stopped && scrub->at.number < NAMES_NEXT) {
		int number = volume_list_next(folder(scrub), scrub->at.number - 1);

		if (number != scrub->at.number)
			scrub->at.spot = VOLUME_FIRST_SPOT;
		scrub->at.number = number < 0 ? NAMES_NEXT : number;
		if (number < 0)
			break;
		check_number(scrub);
		if (!scrub->stopped) {
			scrub->at.number++;
			scrub->at.spot = VOLUME_FIRST_SPOT;
		}
		write_position(scrub);
	}
	if (!scrub->stopped)
		check_names(scrub);
	if (scrub->stopped)
		return;
	quarantine_forget_before(&scrub->list, scrub->at.started);
	if (quarantine_write(&scrub->list, folder(scrub), &err) != 0)
		cannot(scrub, &err);
	scrub->at.number = DONE;
	write_position(scrub);
}

static void *run(void *context)
{
	struct scrub *scrub = context;
	struct err err;

	do {
		for (scrub->path = 0; scrub->path < scrub->conf.path_count && !scrub->stopped;
			scrub->path++) {
			if (quarantine_read(&scrub->list, folder(scrub), &err) != 0)
				cannot(scrub, &err);
			scrub->listed[scrub->path] = scrub->list.count;
			count_lists(scrub);
			check_path(scrub);
			scrub->listed[scrub->path] = scrub->list.count;
			count_lists(scrub);
			quarantine_fini(&scrub->list);
		}
	} while (!scrub->stopped &&
		 wait_ms(scrub,
			 1000 * (uint64_t)(scrub->conf.every_s < LOOK_AGAIN_S ? scrub->conf.every_s
									      : LOOK_AGAIN_S)));
	return NULL;
}

static void destroy(struct scrub *scrub)
{
	pthread_cond_destroy(&scrub->wake);
	pthread_mutex_destroy(&scrub->lock);
	free(scrub);
}

struct scrub *scrub_start(const struct scrub_conf *conf, struct err *err)
{
	struct scrub *scrub = calloc(1, sizeof *scrub);

	assert(scrub != NULL && conf->rate > 0 && conf->every_s > 0);
	scrub->conf = *conf;
	pthread_mutex_init(&scrub->lock, NULL);
	steady_cond_init(&scrub->wake);
	if (pthread_create(&scrub->thread, NULL, run, scrub) != 0) {
		destroy(scrub);
		err_set(err, ERR_INTERNAL, "cannot start a thread");
		return NULL;
	}
	return scrub;
}

void scrub_stop(struct scrub *scrub)
{
	if (scrub == NULL)
		return;
	pthread_mutex_lock(&scrub->lock);
	scrub->stopping = true;
	pthread_cond_signal(&scrub->wake);
	pthread_mutex_unlock(&scrub->lock);
	pthread_join(scrub->thread, NULL);
	destroy(scrub);
}
