#include "store/volume_change.h"

#include "core/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_LEN = 65536 };

#define OFFSET(spot) ((uint64_t)(spot)*RECORD_BLOCK)

/* For reading through records; each thread has its own. */
static _Thread_local uint8_t chunk[CHUNK_LEN];

/* The number of bytes up to the last one that is not zero. */
static size_t used_len(const uint8_t *bytes, size_t len)
{
	while (len > 0 && bytes[len - 1] == 0)
		len--;
	return len;
}

int volume_tail(struct volume *volume, uint64_t *tail, struct err *err)
{
	uint64_t first = OFFSET(VOLUME_FIRST_SPOT), end;

	if (volume_ask_size(volume, err) != 0)
		return -1;
	for (end = volume->size; end > first;) {
		uint64_t start = end - first > CHUNK_LEN ? end - CHUNK_LEN : first;
		off_t data = disk->lseek(volume->fd, (off_t)start, SEEK_DATA);
		ssize_t len;
		size_t used;

		/* Without data up to here (ENXIO: up to the end) there is nothing to read;
		 * where the question is not understood, everything is read. */
		if ((data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= end)) {
			end = start;
			continue;
		}
		len = volume_read(volume, start, chunk, (size_t)(end - start), err);
		if (len < 0)
			return -1;
		used = used_len(chunk, (size_t)len);
		if (used > 0) {
			end = start + used;
			break;
		}
		end = start;
	}
	*tail = end <= first ? first : (end + RECORD_BLOCK - 1) / RECORD_BLOCK * RECORD_BLOCK;
	return 0;
}

int volume_write_header(struct volume *volume, const struct record *record, struct err *err)
{
	uint8_t header[RECORD_HEADER_LEN];

	record_encode(record, &volume->key, header);
	return volume_write(volume, OFFSET(record->spot), header, sizeof header, err);
}

int volume_own_room(struct volume *volume, const struct record *record, uint32_t *room,
	enum volume_end *found, struct err *err)
{
	uint64_t start = OFFSET(record->spot), end = OFFSET(record->spot + record->room);
	uint8_t mark[RECORD_END_LEN] = { 0 };
	ssize_t len;

	*room = record->room;
	len = volume_read(volume, end - sizeof mark, mark, sizeof mark, err);
	if (len < 0)
		return -1;
	*found = VOLUME_END_RIGHT;
	if (record_end_ok(record, &volume->key, mark))
		return 0;
	*found = used_len(mark, sizeof mark) == 0 ? VOLUME_END_BLANK : VOLUME_END_OTHER;
	for (uint64_t at = start + RECORD_BLOCK; at < end; at += (uint64_t)len) {
		len = volume_read(volume, at, chunk, sizeof chunk, err);
		if (len < 0)
			return -1;
		len -= len % RECORD_BLOCK;
		if (len == 0)
			return 0;
		for (ssize_t i = 0; i < len && at + (uint64_t)i < end; i += RECORD_BLOCK)
			if (record_has_mark(chunk + i, &volume->key)) {
				*room = (uint32_t)((at + (uint64_t)i - start) / RECORD_BLOCK);
				return 0;
			}
	}
	return 0;
}

int volume_write_end(struct volume *volume, const struct record *record, struct err *err)
{
	uint64_t end = OFFSET(record->spot + record->room);
	uint8_t mark[RECORD_END_LEN];

	record_end_encode(record, &volume->key, mark);
	return volume_write(volume, end - sizeof mark, mark, sizeof mark, err);
}

int volume_remove(struct volume *volume, const struct file_id *id, int64_t now, uint64_t limit,
	struct record *record, struct err *err)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct err why;
	ssize_t len;
	enum volume_end end;
	uint32_t room;

	*record = (struct record){ 0 };
	if (id->random < VOLUME_FIRST_SPOT)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	len = volume_read(volume, OFFSET(id->random), header, sizeof header, err);
	if (len < 0)
		return -1;
	if (len < RECORD_HEADER_LEN)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	if (volume_judge(volume, id, header, record, &why) != 0 &&
		(why.code != ERR_CORRUPT || record->kind != RECORD_TORN)) {
		/* A tombstone may be in memory and not yet on the disk; "gone" promises as
		 * much as "deleted", so that it is written again for the next flush. */
		if (why.code == ERR_GONE && volume_write_header(volume, record, err) != 0)
			return -1;
		return err_set(err, why.code, "%s", why.text);
	}
	room = record->room;
	if (volume_own_room(volume, record, &record->room, &end, err) != 0)
		return -1;
	if (volume_ask_size(volume, err) != 0)
		return -1;
	if (limit > volume->size)
		limit = volume->size;
	if (OFFSET(record->spot + record->room) > limit && limit > OFFSET(record->spot))
		record->room = (uint32_t)((limit - OFFSET(record->spot)) / RECORD_BLOCK);
	if (record->room == 0)
		record->room = 1;
	record->kind = RECORD_DELETED;
	record->deleted = now;
	/* One that is right already would only be another page for the flush. */
	if ((end != VOLUME_END_RIGHT || record->room != room) &&
		volume_write_end(volume, record, err) != 0)
		return -1;
	return volume_write_header(volume, record, err);
}

/* Overwrite with zeros, where blocks cannot be given back. */
static int write_zeros(struct volume *volume, uint64_t offset, uint64_t len, struct err *err)
{
	memset(chunk, 0, sizeof chunk);
	while (len > 0) {
		size_t n = len < sizeof chunk ? (size_t)len : sizeof chunk;

		if (volume_write(volume, offset, chunk, n, err) != 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

int volume_erase(struct volume *volume, const struct record *record, struct err *err)
{
	uint64_t start = OFFSET(record->spot) + RECORD_HEADER_LEN;
	uint64_t end = OFFSET(record->spot + record->room) - RECORD_END_LEN;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	assert(record_is_to_erase(record));
	volume->dirty = true;
	/* Blocks that are only partly in the range are filled with zeros in it. */
	if (disk->fallocate(volume->fd, mode, (off_t)start, (off_t)(end - start)) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return err_errno(err, "cannot give blocks of %s back", volume->file);
	return write_zeros(volume, start, end - start, err);
}

int volume_set_erased(struct volume *volume, const struct record *record, struct err *err)
{
	struct record erased = *record;

	if (record->kind == RECORD_PICTURE)
		erased.cold = ENGINE_COLD_EMPTY;
	else
		erased.kind = RECORD_ERASED;
	return volume_write_header(volume, &erased, err);
}

int volume_set_torn(
	struct volume *volume, const struct record *record, uint64_t limit, struct err *err)
{
	struct record torn = *record;
	enum volume_end end;

	if (volume_own_room(volume, record, &torn.room, &end, err) != 0)
		return -1;
	if (OFFSET(torn.spot + torn.room) > limit)
		torn.room = (uint32_t)((limit - OFFSET(torn.spot)) / RECORD_BLOCK);
	torn.kind = RECORD_TORN;
	return volume_write_header(volume, &torn, err);
}

int volume_last_batch(struct volume *volume, uint64_t tail, uint32_t *spot, struct err *err)
{
	struct record record;

	for (uint64_t end = tail, start; end > OFFSET(VOLUME_FIRST_SPOT); end = start) {
		ssize_t len;

		start = end - OFFSET(VOLUME_FIRST_SPOT) > CHUNK_LEN ? end - CHUNK_LEN
								    : OFFSET(VOLUME_FIRST_SPOT);
		len = volume_read(volume, start, chunk, (size_t)(end - start), err);
		if (len < 0)
			return -1;
		for (size_t i = (size_t)len; i >= RECORD_BLOCK; i -= RECORD_BLOCK) {
			uint32_t at = (uint32_t)((start + i) / RECORD_BLOCK - 1);

			if (!record_has_mark(chunk + i - RECORD_BLOCK, &volume->key) ||
				record_decode(chunk + i - RECORD_BLOCK, &volume->key, at,
					&record) != RECORD_GOOD)
				continue;
			*spot = record.batch;
			return 0;
		}
	}
	*spot = VOLUME_FIRST_SPOT; /* whatever there is, is of the first batch */
	return 0;
}
