#include "store/volume.h"

#include "core/crc32.h"
#include "core/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_LEN = 256 << 10,   /* most pictures in one read, and in the nearest cache */
	AT_ONCE_MAX = 256 << 10, /* a longer picture is looked for before room is made for it */
	FILE_MODE = 0640,
	FOLDER_MODE = 0750,
};

#define OFFSET(spot) ((uint64_t)(spot)*RECORD_BLOCK)

/* For reading through contents; each thread has its own. */
static _Thread_local uint8_t chunk[CHUNK_LEN];

bool volume_file(const char *folder, uint16_t number, char out[VOLUME_PATH_MAX])
{
	int len = snprintf(
		out, VOLUME_PATH_MAX, "%s/data/%02X/%02X.vol", folder, number >> 8, number & 255);

	return len > 0 && len < VOLUME_PATH_MAX;
}

int volume_ask_size(struct volume *volume, struct err *err)
{
	struct stat st;

	if (disk->fstat(volume->fd, &st) != 0)
		return err_errno(err, "cannot ask for the size of %s", volume->file);
	volume->size = (uint64_t)st.st_size;
	return 0;
}

/* Go on behind the first `n` bytes of the pieces. */
static void pass_bytes(struct iovec **iov, size_t *count, size_t n)
{
	while (*count > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		++*iov;
		--*count;
	}
	if (*count > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

/* Read pieces at `offset`.  Returns the number of bytes, fewer than asked for only at
 * the end of the file, or -1. */
static ssize_t read_pieces(struct volume *volume, uint64_t offset, struct iovec *iov, size_t count,
	unsigned flags, struct err *err)
{
	bool try = flags & ENGINE_NO_WAIT;
	size_t want = 0, have = 0;

	for (size_t i = 0; i < count; i++)
		want += iov[i].iov_len;
	if (try && volume->cannot_try)
		return err_set(
			err, ERR_WOULD_BLOCK, "%s cannot be read without waiting", volume->file);
	while (have < want) {
		ssize_t n = disk->preadv2(
			volume->fd, iov, (int)count, (off_t)(offset + have), try ? RWF_NOWAIT : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && try && (errno == EAGAIN || errno == EOPNOTSUPP)) {
			if (errno == EOPNOTSUPP)
				volume->cannot_try = true;
			return err_set(err, ERR_WOULD_BLOCK, "%s would have to be read from disk",
				volume->file);
		}
		if (n < 0)
			return err_errno(err, "cannot read %s at %" PRIu64, volume->file, offset);
		if (n == 0)
			break;
		have += (size_t)n;
		pass_bytes(&iov, &count, (size_t)n);
	}
	return (ssize_t)have;
}

static ssize_t read_flat(struct volume *volume, uint64_t offset, void *data, size_t len,
	unsigned flags, struct err *err)
{
	struct iovec iov = { data, len };

	return read_pieces(volume, offset, &iov, 1, flags, err);
}

ssize_t volume_read(struct volume *volume, uint64_t offset, void *data, size_t len, struct err *err)
{
	return read_flat(volume, offset, data, len, 0, err);
}

static int check_owner(const struct volume_store *store, uint16_t number,
	const struct volume_head *head, const char *file, struct err *err)
{
	if (strcmp(head->group, store->group) != 0)
		return err_set(err, ERR_CONFIG, "%s belongs to group %s, not %s", file, head->group,
			store->group);
	if (head->path != store->path || head->number != number)
		return err_set(err, ERR_CONFIG,
			"%s was made as volume %u of M%02X, not as %u of M%02X: are the store "
			"paths in another order?",
			file, head->number, head->path, number, store->path);
	return 0;
}

/* Read the head at block `spot`; `*ok` tells whether it is one. */
static int read_head_at(
	struct volume *volume, uint32_t spot, struct volume_head *head, bool *ok, struct err *err)
{
	uint8_t bytes[VOLUME_HEAD_LEN];
	ssize_t len = volume_read(volume, OFFSET(spot), bytes, sizeof bytes, err);

	*ok = len == sizeof bytes && volume_head_decode(bytes, head);
	return len < 0 ? -1 : 0;
}

static int read_head(struct volume *volume, struct volume_head *head, struct err *err)
{
	bool ok;

	if (read_head_at(volume, 0, head, &ok, err) != 0)
		return -1;
	if (!ok && read_head_at(volume, VOLUME_HEAD_COPY, head, &ok, err) != 0)
		return -1;
	if (!ok)
		return err_set(err, ERR_CORRUPT, "%s has no readable head", volume->file);
	return 0;
}

static int write_heads(struct volume *volume, const struct volume_head *head, struct err *err)
{
	uint8_t bytes[VOLUME_HEAD_LEN];

	volume_head_encode(head, bytes);
	if (volume_write(volume, 0, bytes, sizeof bytes, err) != 0)
		return -1;
	return volume_write(volume, OFFSET(VOLUME_HEAD_COPY), bytes, sizeof bytes, err);
}

int volume_check_heads(struct volume *volume, bool *head_ok, bool *copy_ok, struct err *err)
{
	struct volume_head head, copy;

	if (read_head_at(volume, 0, &head, head_ok, err) != 0 ||
		read_head_at(volume, VOLUME_HEAD_COPY, &copy, copy_ok, err) != 0)
		return -1;
	return 0;
}

int volume_repair_heads(struct volume *volume, struct err *err)
{
	struct volume_head head;

	if (read_head(volume, &head, err) != 0)
		return -1;
	return write_heads(volume, &head, err);
}

static struct volume *volume_new(const struct volume_store *store, uint16_t number, struct err *err)
{
	struct volume *volume = calloc(1, sizeof *volume);

	if (volume == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		return NULL;
	}
	volume->fd = -1;
	volume->path = store->path;
	volume->number = number;
	volume->refs = 1;
	if (!volume_file(store->folder, number, volume->file)) {
		err_set(err, ERR_CONFIG, "the name of the store path %s is too long",
			store->folder);
		free(volume);
		return NULL;
	}
	return volume;
}

struct volume *volume_open(const struct volume_store *store, uint16_t number, struct err *err)
{
	struct volume *volume = volume_new(store, number, err);
	struct volume_head head;
	int flags = (store->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW;

	if (volume == NULL)
		return NULL;
	volume->fd = disk->open(volume->file, flags, 0);
	if (volume->fd < 0) {
		if (errno == ENOENT)
			err_set(err, ERR_NOT_FOUND, "there is no volume %s", volume->file);
		else if (errno == EMFILE || errno == ENFILE)
			err_set(err, ERR_BUSY, "too many open files to open %s", volume->file);
		else
			err_errno(err, "cannot open %s", volume->file);
		goto fail;
	}
	if (volume_ask_size(volume, err) != 0 || read_head(volume, &head, err) != 0 ||
		check_owner(store, number, &head, volume->file, err) != 0)
		goto fail;
	record_key_init(&volume->key, head.secret);
	return volume;
fail:
	volume_unref(volume);
	return NULL;
}

static int sync_folder(const char *path, struct err *err)
{
	int fd = disk->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0 || disk->fsync(fd) != 0)
		rc = err_errno(err, "cannot flush the folder %s", path);
	if (fd >= 0)
		disk->close(fd);
	return rc;
}

/* Make the folders above a volume, and be sure that they stay. */
static int make_folders(
	const char *folder, uint16_t number, char parent[VOLUME_PATH_MAX], struct err *err)
{
	snprintf(parent, VOLUME_PATH_MAX, "%s/data", folder);
	if (disk->mkdir(parent, FOLDER_MODE) != 0 && errno != EEXIST)
		return err_errno(err, "cannot make the folder %s", parent);
	if (sync_folder(folder, err) != 0)
		return -1;
	snprintf(parent, VOLUME_PATH_MAX, "%s/data/%02X", folder, number >> 8);
	if (disk->mkdir(parent, FOLDER_MODE) != 0 && errno != EEXIST)
		return err_errno(err, "cannot make the folder %s", parent);
	snprintf(parent, VOLUME_PATH_MAX, "%s/data", folder);
	if (sync_folder(parent, err) != 0)
		return -1;
	snprintf(parent, VOLUME_PATH_MAX, "%s/data/%02X", folder, number >> 8);
	return 0;
}

int volume_keep(const struct volume_store *store, uint16_t number, struct err *err)
{
	char path[VOLUME_PATH_MAX];

	if (sync_folder(store->folder, err) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/data", store->folder);
	if (sync_folder(path, err) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/data/%02X", store->folder, number >> 8);
	return sync_folder(path, err);
}

struct volume *volume_create(
	const struct volume_store *store, uint16_t number, int64_t now, struct err *err)
{
	struct volume *volume = volume_new(store, number, err);
	struct volume_head head = { .number = number, .path = store->path, .created = now };
	char parent[VOLUME_PATH_MAX], temporary[VOLUME_PATH_MAX + 4];

	if (volume == NULL || make_folders(store->folder, number, parent, err) != 0)
		goto fail;
	snprintf(temporary, sizeof temporary, "%s.new", volume->file);
	disk->unlink(temporary); /* of a start that was cut off */
	volume->fd = disk->open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (volume->fd < 0) {
		err_errno(err, "cannot make %s", temporary);
		goto fail;
	}
	strncpy(head.group, store->group, FILE_ID_GROUP_MAX);
	randombytes_buf(head.secret, sizeof head.secret);
	record_key_init(&volume->key, head.secret);
	if (write_heads(volume, &head, err) != 0)
		goto fail_unlink;
	if (disk->fsync(volume->fd) != 0) {
		err_errno(err, "cannot flush %s", temporary);
		goto fail_unlink;
	}
	/* link, unlike rename, never replaces a volume. */
	if (disk->link(temporary, volume->file) != 0) {
		if (errno == EEXIST)
			err_set(err, ERR_EXISTS, "%s is there already", volume->file);
		else
			err_errno(err, "cannot make %s", volume->file);
		goto fail_unlink;
	}
	disk->unlink(temporary);
	if (sync_folder(parent, err) != 0 || volume_ask_size(volume, err) != 0)
		goto fail;
	volume->dirty = false;
	return volume;
fail_unlink:
	disk->unlink(temporary);
fail:
	volume_unref(volume);
	return NULL;
}

struct volume *volume_ref(struct volume *volume)
{
	volume->refs++;
	return volume;
}

void volume_unref(struct volume *volume)
{
	if (volume == NULL || --volume->refs > 0)
		return;
	if (volume->fd >= 0)
		disk->close(volume->fd);
	free(volume);
}

int volume_judge(struct volume *volume, const struct file_id *id,
	const uint8_t header[RECORD_HEADER_LEN], struct record *record, struct err *err)
{
	switch (record_decode(header, &volume->key, id->random, record)) {
	case RECORD_DAMAGED:
		return err_set(err, ERR_CORRUPT, "the header of %s is damaged, block %u of %s",
			id->name, id->random, volume->file);
	case RECORD_GOOD:
		if (!record_names(record, id))
			break;
		if (record->kind == RECORD_PICTURE)
			return 0;
		if (record->kind == RECORD_TORN)
			return err_set(
				err, ERR_CORRUPT, "%s was not complete after a crash", id->name);
		return err_set(err, ERR_GONE, "%s has been deleted", id->name);
	case RECORD_NONE:
		break;
	}
	return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
}

int volume_stat(struct volume *volume, const struct file_id *id, unsigned flags,
	struct record *record, struct err *err)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct iovec iov = { header, sizeof header };
	ssize_t len;

	if (id->random < VOLUME_FIRST_SPOT)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	len = read_pieces(volume, OFFSET(id->random), &iov, 1, flags, err);
	if (len < 0)
		return -1;
	if (len < RECORD_HEADER_LEN)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	return volume_judge(volume, id, header, record, err);
}

static int check_here(const struct file_id *id, const struct record *record, struct err *err)
{
	if (record_is_here(record))
		return 0;
	return err_set(err, ERR_UNREACHABLE, "the bytes of %s are in the cold store", id->name);
}

/* The content of `id` is not what it should be: has it been deleted and erased while
 * it was read?  Always returns -1. */
static int explain_mismatch(
	struct volume *volume, const struct file_id *id, unsigned flags, struct err *err)
{
	struct record record;

	if (volume_stat(volume, id, flags, &record, err) != 0 || check_here(id, &record, err) != 0)
		return -1;
	return err_set(err, ERR_CORRUPT, "the content of %s does not match its id, block %u of %s",
		id->name, id->random, volume->file);
}

int volume_get(struct volume *volume, const struct file_id *id, unsigned flags, struct buf *out,
	struct err *err)
{
	uint8_t header[RECORD_HEADER_LEN], *content = header;
	struct iovec iov[2] = { { header, sizeof header }, { NULL, id->size } };
	bool fits = id->size <= out->limit - out->len;
	struct record record;
	ssize_t len;

	/* Nothing is allocated for an id that names nothing. */
	if (id->size > AT_ONCE_MAX || !fits || id->random < VOLUME_FIRST_SPOT)
		if (volume_stat(volume, id, flags, &record, err) != 0)
			return -1;
	if (!fits)
		return err_set(err, ERR_TOO_LARGE, "%s is larger than is wanted here", id->name);
	if (id->size > 0 && (content = buf_reserve(out, id->size)) == NULL)
		return err_set(err, ERR_INTERNAL, "memory has ended");
	iov[1].iov_base = content;
	len = read_pieces(volume, OFFSET(id->random), iov, 2, flags, err);
	if (len < 0)
		return -1;
	if (len < RECORD_HEADER_LEN)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	if (volume_judge(volume, id, header, &record, err) != 0 ||
		check_here(id, &record, err) != 0)
		return -1;
	if ((uint64_t)len < RECORD_HEADER_LEN + id->size)
		return err_set(err, ERR_CORRUPT, "%s ends inside of %s", volume->file, id->name);
	if (crc32_add(0, span_of(content, id->size)) != id->crc)
		return explain_mismatch(volume, id, flags, err);
	out->len += id->size;
	return 0;
}

int volume_crc(struct volume *volume, uint64_t offset, uint64_t len, unsigned flags, uint32_t *crc,
	struct err *err)
{
	while (len > 0) {
		size_t want = len < sizeof chunk ? (size_t)len : sizeof chunk;
		ssize_t n = read_flat(volume, offset, chunk, want, flags, err);

		if (n < 0)
			return -1;
		memset(chunk + n, 0, want - (size_t)n);
		*crc = crc32_add(*crc, span_of(chunk, want));
		offset += want;
		len -= want;
	}
	return 0;
}

int volume_place(struct volume *volume, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	uint64_t whole = RECORD_HEADER_LEN + id->size;
	size_t want = whole < sizeof chunk ? (size_t)whole : sizeof chunk, have;
	struct record record;
	uint32_t crc;
	ssize_t len;

	if (id->random < VOLUME_FIRST_SPOT)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	len = read_flat(volume, OFFSET(id->random), chunk, want, flags, err);
	if (len < 0)
		return -1;
	if (len < RECORD_HEADER_LEN)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	if (volume_judge(volume, id, chunk, &record, err) != 0 || check_here(id, &record, err) != 0)
		return -1;
	have = (size_t)len - RECORD_HEADER_LEN;
	out->start_len = have < sizeof out->start ? have : sizeof out->start;
	memcpy(out->start, chunk + RECORD_HEADER_LEN, out->start_len);
	crc = crc32_add(0, span_of(chunk + RECORD_HEADER_LEN, have));
	if ((size_t)len == want &&
		volume_crc(volume, OFFSET(id->random) + want, whole - want, flags, &crc, err) != 0)
		return -1;
	if ((size_t)len != want || crc != id->crc)
		return explain_mismatch(volume, id, flags, err);
	out->offset = OFFSET(id->random) + RECORD_HEADER_LEN;
	out->len = id->size;
	memcpy(out->path, volume->file, sizeof out->path);
	return 0;
}

int volume_writev(
	struct volume *volume, uint64_t offset, struct iovec *iov, size_t count, struct err *err)
{
	volume->dirty = true;
	while (count > 0) {
		ssize_t n = disk->pwritev(volume->fd, iov, (int)count, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "cannot write to %s", volume->file);
		offset += (uint64_t)n;
		pass_bytes(&iov, &count, (size_t)n);
	}
	return 0;
}

int volume_write(
	struct volume *volume, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };

	return volume_writev(volume, offset, &iov, 1, err);
}

int volume_flush(struct volume *volume, struct err *err)
{
	if (disk->fdatasync(volume->fd) != 0) {
		volume->flush_errno = errno;
		return err_errno(err, "cannot flush %s", volume->file);
	}
	volume->dirty = false;
	return 0;
}
