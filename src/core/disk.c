#include "core/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

ssize_t disk_pread(int fd, void *data, size_t len, off_t offset)
{
	struct iovec iov = { data, len };

	return disk->preadv2(fd, &iov, 1, offset, 0);
}
