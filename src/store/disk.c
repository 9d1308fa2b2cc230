#include "store/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static int open_mode(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

const struct disk_ops disk_linux = {
	.open = open_mode,
	.close = close,
	.flock = flock,
	.preadv2 = preadv2,
	.pwritev = pwritev,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.fallocate = fallocate,
	.ftruncate = ftruncate,
	.fstat = fstat,
	.lseek = lseek,
	.mkdir = mkdir,
	.link = link,
	.unlink = unlink,
	.statvfs = statvfs,
};

const struct disk_ops *disk = &disk_linux;
