#include "store/volume_copy.h"

#include "core/clock.h"
#include "core/disk.h"
#include "core/durable_file.h"
#include "store/volume_change.h"
#include "store/volume_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHUNK_LEN = 1 << 16,
	HEAD_LEN = VOLUME_FIRST_SPOT * RECORD_BLOCK,
	FILE_MODE = 0640,
	SETTLED_S = 2, /* so long after a change the time of a file tells the next one apart */
	STATE_MAX = 128,
};

#define OFFSET(spot) ((uint64_t)(spot)*RECORD_BLOCK)

struct state {
	uint32_t spot;
	uint64_t size;
	int64_t seconds, nanoseconds;
};

struct copying {
	struct volume *from, *to;
	uint64_t done;     /* up to here the copy is final, but for headers */
	uint64_t last;     /* from here on the volume may have been written to meanwhile */
	uint64_t old_size; /* of the copy: behind it are zeros already */
	void (*damage)(void *context, const char *file, const struct err *why);
	void *context;
	struct volume_copied *sums;
	struct err *err;
	bool failed;
	uint8_t chunk[CHUNK_LEN];
};

static bool state_path(const char *file, char out[VOLUME_PATH_MAX + 8])
{
	return snprintf(out, VOLUME_PATH_MAX + 8, "%s.copied", file) < VOLUME_PATH_MAX + 8;
}

static struct state state_read(const char *file)
{
	char path[VOLUME_PATH_MAX + 8], text[STATE_MAX] = "", again[STATE_MAX];
	const struct state nothing = { .spot = VOLUME_FIRST_SPOT };
	struct state state = nothing;
	FILE *in = state_path(file, path) ? fopen(path, "re") : NULL;
	bool read;

	if (in == NULL)
		return nothing;
	read = fgets(text, sizeof text, in) != NULL;
	fclose(in);
	if (!read || sscanf(text, "copied %" SCNu32 " %" SCNu64 " %" SCNd64 " %" SCNd64,
			     &state.spot, &state.size, &state.seconds, &state.nanoseconds) != 4)
		return nothing;
	/* One spelling: anything else was cut off or changed. */
	snprintf(again, sizeof again, "copied %" PRIu32 " %" PRIu64 " %" PRId64 " %" PRId64 "\n",
		state.spot, state.size, state.seconds, state.nanoseconds);
	if (strcmp(text, again) != 0 || state.spot < VOLUME_FIRST_SPOT ||
		state.spot > RECORD_SPOT_END)
		return nothing;
	return state;
}

static int state_write(const char *file, const struct state *state, struct err *err)
{
	char path[VOLUME_PATH_MAX + 8], text[STATE_MAX];

	if (!state_path(file, path))
		return err_set(err, ERR_CONFIG, "the name of %s is too long", file);
	snprintf(text, sizeof text, "copied %" PRIu32 " %" PRIu64 " %" PRId64 " %" PRId64 "\n",
		state->spot, state->size, state->seconds, state->nanoseconds);
	return durable_file_write(path, span_str(text), FILE_MODE, err);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Copy a range.  Where the copy had nothing yet, zeros stay holes. */
static int copy_range(struct copying *copying, uint64_t start, uint64_t end, struct err *err)
{
	while (start < end) {
		size_t want = end - start < CHUNK_LEN ? (size_t)(end - start) : CHUNK_LEN;
		ssize_t len = volume_read(copying->from, start, copying->chunk, want, err);

		if (len < 0)
			return -1;
		if (len == 0)
			break;
		if (start < copying->old_size || !is_zero(copying->chunk, (size_t)len)) {
			if (volume_write(copying->to, start, copying->chunk, (size_t)len, err) != 0)
				return -1;
			copying->sums->bytes += (uint64_t)len;
		}
		start += (uint64_t)len;
	}
	return 0;
}

/* The copy has the record, and the volume has its tombstone. */
static int carry_tombstone(struct copying *copying, const struct record *tombstone, struct err *err)
{
	struct record deleted = *tombstone;
	uint8_t header[RECORD_HEADER_LEN];

	deleted.kind = RECORD_DELETED;
	record_encode(&deleted, &copying->to->key, header);
	if (volume_write_end(copying->to, &deleted, err) != 0 ||
		volume_write(copying->to, OFFSET(deleted.spot), header, sizeof header, err) != 0 ||
		volume_erase(copying->to, &deleted, err) != 0 ||
		volume_flush(copying->to, err) != 0 ||
		volume_set_erased(copying->to, &deleted, err) != 0)
		return -1;
	copying->sums->deleted++;
	return 0;
}

/* The copy has the record, and the bytes of the volume's are in a cold store. */
static int carry_shift(struct copying *copying, const struct record *record, struct err *err)
{
	struct record shifted = *record;

	shifted.cold = ENGINE_COLD_ONLY;
	if (volume_write_end(copying->to, &shifted, err) != 0 ||
		volume_write_header(copying->to, &shifted, err) != 0 ||
		volume_erase(copying->to, &shifted, err) != 0 ||
		volume_flush(copying->to, err) != 0)
		return -1;
	return volume_set_erased(copying->to, &shifted, err);
}

static int compare_record(struct copying *copying, const struct walk_found *found, struct err *err)
{
	uint8_t theirs[RECORD_HEADER_LEN], ours[RECORD_HEADER_LEN];
	struct record record;
	ssize_t len = volume_read(copying->to, found->offset, ours, sizeof ours, err);
	bool known;

	if (len < 0)
		return -1;
	known = len == sizeof ours &&
		record_decode(ours, &copying->to->key, found->record.spot, &record) == RECORD_GOOD;
	/* A tombstone whose bytes the volume has not erased yet has none in the copy. */
	if (found->what == WALK_TOMBSTONE)
		return known && record.kind == RECORD_ERASED
			       ? 0
			       : carry_tombstone(copying, &found->record, err);
	if (found->what == WALK_PICTURE && !record_is_here(&found->record))
		return known && record.cold == ENGINE_COLD_EMPTY
			       ? 0
			       : carry_shift(copying, &found->record, err);
	record_encode(&found->record, &copying->from->key, theirs);
	if (len == sizeof ours && memcmp(theirs, ours, sizeof ours) == 0)
		return 0;
	if (found->what == WALK_PICTURE)
		return copy_range(copying, found->offset, found->offset + found->len, err);
	return volume_write(copying->to, found->offset, theirs, sizeof theirs, err);
}

static bool on_old(void *context, const struct walk_found *found)
{
	struct copying *copying = context;

	if (found->offset >= copying->done)
		return false;
	if (found->what == WALK_CORRUPT) {
		copying->sums->damaged++;
		copying->damage(copying->context, copying->from->file, &found->err);
	} else if (found->has_record && compare_record(copying, found, copying->err) != 0) {
		copying->failed = true;
	}
	return !copying->failed;
}

/* Was the picture deleted, or moved to a cold store, and erased, while it was copied? */
static bool gone_meanwhile(struct copying *copying, const struct walk_found *found)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record now;

	if (!found->has_record ||
		volume_read(copying->from, found->offset, header, sizeof header, NULL) !=
			sizeof header ||
		record_decode(header, &copying->from->key, found->record.spot, &now) !=
			RECORD_GOOD)
		return false;
	if (now.kind == RECORD_PICTURE && !record_is_here(&now)) {
		copying->failed |= carry_shift(copying, &now, copying->err) != 0;
		return true;
	}
	if (now.kind != RECORD_DELETED && now.kind != RECORD_ERASED)
		return false;
	copying->failed |= carry_tombstone(copying, &now, copying->err) != 0;
	return true;
}

static bool on_new(void *context, const struct walk_found *found)
{
	struct copying *copying = context;

	if (found->what == WALK_TOMBSTONE && found->record.kind == RECORD_DELETED)
		copying->failed = carry_tombstone(copying, &found->record, copying->err) != 0;
	else if (found->what == WALK_CORRUPT && found->offset < copying->last &&
		 !gone_meanwhile(copying, found)) {
		copying->sums->damaged++;
		copying->damage(copying->context, copying->to->file, &found->err);
	}
	return !copying->failed;
}

static int bring_up_to_date(struct copying *copying, struct state *state, struct err *err)
{
	uint64_t tail;
	uint32_t last;

	if (volume_tail(copying->from, &tail, err) != 0 ||
		volume_last_batch(copying->from, tail, &last, err) != 0)
		return -1;
	copying->done = OFFSET(state->spot);
	copying->last = OFFSET(last);
	copying->err = err;
	if (volume_walk(copying->from, VOLUME_FIRST_SPOT, false, on_old, copying, err) != 0 ||
		copying->failed || copy_range(copying, copying->done, tail, err) != 0 ||
		volume_flush(copying->to, err) != 0)
		return -1;
	if (volume_ask_size(copying->to, err) != 0)
		return -1;
	if (volume_walk(copying->to, state->spot, true, on_new, copying, err) != 0 ||
		copying->failed)
		return -1;
	state->spot = last;
	return 0;
}

/* The copy, open for writing; made of the head alone if there is none. */
static struct volume *open_copy(
	const struct volume_store *store, struct volume *from, struct state *state, struct err *err)
{
	struct volume *copy = volume_open(store, from->number, err);
	char file[VOLUME_PATH_MAX], folder[VOLUME_PATH_MAX];
	uint8_t head[HEAD_LEN];
	int fd;

	if (copy != NULL && memcmp(&copy->key, &from->key, sizeof copy->key) == 0)
		return copy;
	if (copy == NULL && err->code != ERR_NOT_FOUND && err->code != ERR_CORRUPT)
		return NULL;
	volume_unref(copy); /* of another volume that had this number, or nothing of use */
	*state = (struct state){ .spot = VOLUME_FIRST_SPOT };
	if (!volume_file(store->folder, from->number, file)) {
		err_set(err, ERR_CONFIG, "the name of %s is too long", store->folder);
		return NULL;
	}
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(file, '/') - file), file);
	*strrchr(folder, '/') = '\0'; /* .../data */
	if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
		err_errno(err, "cannot make %s", folder);
		return NULL;
	}
	folder[strlen(folder)] = '/';
	if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
		err_errno(err, "cannot make %s", folder);
		return NULL;
	}
	if (volume_read(from, 0, head, sizeof head, err) < 0)
		return NULL;
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0 || pwrite(fd, head, sizeof head, 0) != sizeof head || fsync(fd) != 0) {
		err_errno(err, "cannot write %s", file);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	close(fd);
	return volume_open(store, from->number, err);
}

int volume_copy(const struct volume_store *from, const char *to, uint16_t number,
	void (*damage)(void *context, const char *file, const struct err *why), void *context,
	struct volume_copied *sums, struct err *err)
{
	const struct volume_store target = {
		.folder = to, .path = from->path, .group = from->group, .writable = true
	};
	struct copying copying = { .damage = damage, .context = context, .sums = sums };
	struct volume_store source = *from;
	char file[VOLUME_PATH_MAX];
	struct state state;
	struct stat st;
	int result = -1;

	source.writable = false;
	if (!volume_file(to, number, file))
		return err_set(err, ERR_CONFIG, "the name of %s is too long", to);
	copying.from = volume_open(&source, number, err);
	if (copying.from == NULL)
		return -1;
	sums->volumes++;
	if (disk->fstat(copying.from->fd, &st) != 0) {
		err_errno(err, "cannot look at %s", copying.from->file);
		goto out;
	}
	state = state_read(file);
	if (access(file, F_OK) == 0 && state.size == (uint64_t)st.st_size &&
		state.seconds == st.st_mtim.tv_sec && state.nanoseconds == st.st_mtim.tv_nsec) {
		sums->skipped++;
		result = 0;
		goto out;
	}
	copying.to = open_copy(&target, copying.from, &state, err);
	if (copying.to == NULL)
		goto out;
	copying.old_size = copying.to->size;
	if (bring_up_to_date(&copying, &state, err) != 0)
		goto out;
	state.size = (uint64_t)st.st_size;
	state.seconds = st.st_mtim.tv_sec;
	state.nanoseconds = st.st_mtim.tv_nsec;
	/* It may change again within the same tick of the file system's clock. */
	if (clock_unix() - st.st_mtim.tv_sec < SETTLED_S)
		state.seconds = 0;
	result = state_write(file, &state, err);
out:
	volume_unref(copying.to);
	volume_unref(copying.from);
	return result;
}
