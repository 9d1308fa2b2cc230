#include "core/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int open_mode(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static int list_folder(
	const char *path, void (*found)(void *context, const char *name), void *context)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int failure;

	if (dir == NULL)
		return -1;
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		found(context, entry->d_name);
	}
	failure = errno;
	closedir(dir);
	errno = failure;
	return failure == 0 ? 0 : -1;
}

const struct disk_ops disk_linux = {
	.open = open_mode,
	.close = close,
	.flock = flock,
	.preadv2 = preadv2,
	.write = write,
	.pwritev = pwritev,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.fallocate = fallocate,
	.ftruncate = ftruncate,
	.fstat = fstat,
	.stat = stat,
	.lseek = lseek,
	.mkdir = mkdir,
	.link = link,
	.rename = rename,
	.unlink = unlink,
	.list = list_folder,
	.statvfs = statvfs,
};

const struct disk_ops *disk = &disk_linux;

int disk_sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[4096] = ".";
	int fd, result, why;

	if (slash != NULL &&
		(size_t)snprintf(folder, sizeof folder, "%.*s",
			slash == path ? 1 : (int)(slash - path), path) >= sizeof folder) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = disk->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	result = disk->fsync(fd);
	why = errno;
	disk->close(fd);
	errno = why;
	return result;
}

int disk_make_folder(const char *path, mode_t mode)
{
	if (disk->mkdir(path, mode) != 0 && errno != EEXIST)
		return -1;
	/* In a folder that we may not read, somebody else has made it. */
	return disk_sync_folder_of(path) == 0 || errno == EACCES ? 0 : -1;
}

ssize_t disk_pread(int fd, void *data, size_t len, off_t offset)
{
	struct iovec iov = { data, len };

	return disk->preadv2(fd, &iov, 1, offset, 0);
}
