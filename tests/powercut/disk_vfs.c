#include "disk_vfs.h"

#include "core/disk.h"
#include "dice.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN = 256, REGIONS = 16 };

/* What the connections to one file share. */
struct shared {
	struct shared *next;
	char path[PATH_LEN];
	int refs, readers;
	bool reserved, pending, exclusive;
	char *regions[REGIONS];
	int slot_readers[SQLITE_SHM_NLOCK];
	bool slot_writer[SQLITE_SHM_NLOCK];
};

struct file {
	sqlite3_file base;
	int fd, level;
	bool flush_folder;
	struct shared *shared; /* of a database */
	unsigned slots_read, slots_written;
	char path[PATH_LEN];
};

static struct shared *all_shared;
static struct dice dice;

static struct file *mine(sqlite3_file *file)
{
	return (struct file *)file;
}

static int sync_folder(const char *path)
{
	char folder[PATH_LEN];
	const char *slash = strrchr(path, '/');
	int fd, rc;

	snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = disk->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0; /* as in os_unix.c */
	rc = disk->fsync(fd);
	disk->close(fd);
	return rc;
}

/* --- bytes --- */

static int file_close(sqlite3_file *base)
{
	struct file *file = mine(base);
	struct shared **at = &all_shared, *shared = file->shared;

	disk->close(file->fd);
	if (shared != NULL && --shared->refs == 0) {
		while (*at != shared)
			at = &(*at)->next;
		*at = shared->next;
		for (int i = 0; i < REGIONS; i++)
			free(shared->regions[i]);
		free(shared);
	}
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *data, int len, sqlite3_int64 offset)
{
	int have = 0;

	while (have < len) {
		ssize_t got = disk_pread(mine(base)->fd, (char *)data + have, (size_t)(len - have),
			(off_t)offset + have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return SQLITE_IOERR_READ;
		if (got == 0)
			break;
		have += (int)got;
	}
	memset((char *)data + have, 0, (size_t)(len - have));
	return have == len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 offset)
{
	for (int have = 0; have < len;) {
		struct iovec iov = { (char *)(uintptr_t)data + have, (size_t)(len - have) };
		ssize_t put = disk->pwritev(mine(base)->fd, &iov, 1, (off_t)offset + have);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return errno == ENOSPC || put == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
		have += (int)put;
	}
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	return disk->ftruncate(mine(base)->fd, (off_t)size) == 0 ? SQLITE_OK
								 : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *base, int flags)
{
	(void)flags;
	if (disk->fdatasync(mine(base)->fd) != 0)
		return SQLITE_IOERR_FSYNC;
	if (mine(base)->flush_folder) {
		mine(base)->flush_folder = false;
		sync_folder(mine(base)->path); /* os_unix.c does not look at it either */
	}
	return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct stat st;

	if (disk->fstat(mine(base)->fd, &st) != 0)
		return SQLITE_IOERR_FSTAT;
	*size = st.st_size;
	return SQLITE_OK;
}

/* --- locks --- */

static int file_lock(sqlite3_file *base, int level)
{
	struct file *file = mine(base);
	struct shared *shared = file->shared;

	if (file->level >= level)
		return SQLITE_OK;
	switch (level) {
	case SQLITE_LOCK_SHARED:
		if (shared->pending || shared->exclusive)
			return SQLITE_BUSY;
		shared->readers++;
		break;
	case SQLITE_LOCK_RESERVED:
		if (shared->reserved)
			return SQLITE_BUSY;
		shared->reserved = true;
		break;
	default:
		if (file->level < SQLITE_LOCK_RESERVED && shared->reserved)
			return SQLITE_BUSY;
		shared->reserved = shared->pending = true;
		file->level = SQLITE_LOCK_PENDING;
		if (shared->readers > 1)
			return SQLITE_BUSY;
		shared->exclusive = true;
	}
	file->level = level;
	return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
	struct file *file = mine(base);
	struct shared *shared = file->shared;

	if (file->level <= level)
		return SQLITE_OK;
	if (file->level > SQLITE_LOCK_SHARED)
		shared->reserved = shared->pending = shared->exclusive = false;
	if (level == SQLITE_LOCK_NONE)
		shared->readers--;
	file->level = level;
	return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out)
{
	*out = mine(base)->shared->reserved;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *arg)
{
	(void)base;
	(void)what;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
	(void)base;
	return 4096; /* what os_unix.c says, as the next one is */
}

static int file_characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- the memory beside a WAL --- */

static int shm_map(sqlite3_file *base, int at, int size, int extend, void volatile **out)
{
	struct shared *shared = mine(base)->shared;

	assert(at < REGIONS);
	if (shared->regions[at] == NULL && extend)
		shared->regions[at] = calloc(1, (size_t)size);
	*out = shared->regions[at];
	return SQLITE_OK;
}

static int shm_lock(sqlite3_file *base, int from, int count, int flags)
{
	struct file *file = mine(base);
	struct shared *shared = file->shared;
	bool write = flags & SQLITE_SHM_EXCLUSIVE;

	for (int i = from; i < from + count && (flags & SQLITE_SHM_LOCK); i++) {
		bool reads = file->slots_read & 1U << i;

		if (shared->slot_writer[i] && !(file->slots_written & 1U << i))
			return SQLITE_BUSY;
		if (write && shared->slot_readers[i] > (reads ? 1 : 0))
			return SQLITE_BUSY;
	}
	for (int i = from; i < from + count; i++) {
		unsigned *slots = write ? &file->slots_written : &file->slots_read;
		bool has = *slots & 1U << i, wants = flags & SQLITE_SHM_LOCK;

		if (has == wants)
			continue;
		*slots ^= 1U << i;
		if (write)
			shared->slot_writer[i] = wants;
		else
			shared->slot_readers[i] += wants ? 1 : -1;
	}
	return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
	(void)base;
	__sync_synchronize();
}

static int shm_unmap(sqlite3_file *base, int remove)
{
	(void)base;
	(void)remove; /* it goes with the last connection */
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* --- files --- */

static struct shared *share(const char *path)
{
	struct shared *shared = all_shared;

	while (shared != NULL && strcmp(shared->path, path) != 0)
		shared = shared->next;
	if (shared == NULL) {
		shared = calloc(1, sizeof *shared);
		assert(shared != NULL);
		strcpy(shared->path, path);
		shared->next = all_shared;
		all_shared = shared;
	}
	shared->refs++;
	return shared;
}

static int vfs_open(
	sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags)
{
	static unsigned temporaries;
	struct file *file = mine(base);
	int kind = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
	int how = O_CLOEXEC | (flags & SQLITE_OPEN_READONLY ? O_RDONLY : O_RDWR);

	(void)vfs;
	*file = (struct file){ .fd = -1 };
	if (path == NULL)
		snprintf(file->path, sizeof file->path, "/temporary-%u", temporaries++);
	else
		snprintf(file->path, sizeof file->path, "%s", path);
	if (flags & SQLITE_OPEN_CREATE)
		how |= O_CREAT;
	if (flags & SQLITE_OPEN_EXCLUSIVE)
		how |= O_EXCL;
	file->fd = disk->open(file->path, how, 0640);
	if (file->fd < 0)
		return SQLITE_CANTOPEN;
	if (flags & SQLITE_OPEN_DELETEONCLOSE)
		disk->unlink(file->path);
	file->flush_folder = (flags & SQLITE_OPEN_CREATE) && (flags & kind);
	if (flags & SQLITE_OPEN_MAIN_DB)
		file->shared = share(file->path);
	file->base.pMethods = &methods;
	if (out_flags != NULL)
		*out_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	(void)vfs;
	if (disk->unlink(path) != 0)
		return errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
	if (sync && sync_folder(path) != 0)
		return SQLITE_IOERR_DIR_FSYNC;
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
	struct stat st;

	(void)vfs;
	(void)flags;
	*out = disk->stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size > 0);
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)size, "%s", path);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	for (int i = 0; i < len; i++)
		out[i] = (char)dice_bits(&dice);
	return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_now(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	(void)vfs;
	*out = INT64_C(212000000000000); /* milliseconds since noon of day 0 of Julius */
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	if (len > 0)
		*out = '\0';
	return errno;
}

void disk_vfs_install(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 2,
		.szOsFile = sizeof(struct file),
		.mxPathname = PATH_LEN - 1,
		.zName = "disk",
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xGetLastError = vfs_last_error,
		.xCurrentTimeInt64 = vfs_now,
	};

	sqlite3_vfs_register(&vfs, 1);
}

void disk_vfs_seed(uint64_t seed)
{
	dice.state = seed;
}
