/* disk.h - the system calls that change or read what is on a disk, as one table.
 *
 * All code that touches volumes or the delete log calls them as disk->pwritev(...), so
 * that a test can put a table of its own in their place: one that records, tears,
 * reorders or fails them.  Each entry means exactly what the man page says, but for
 * `list`. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

struct disk_ops {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	int (*flock)(int fd, int operation);
	ssize_t (*preadv2)(int fd, const struct iovec *iov, int count, off_t offset, int flags);
	ssize_t (*write)(int fd, const void *data, size_t len);
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t offset);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*fallocate)(int fd, int mode, off_t offset, off_t len);
	int (*ftruncate)(int fd, off_t len);
	int (*fstat)(int fd, struct stat *st);
	int (*stat)(const char *path, struct stat *st);
	off_t (*lseek)(int fd, off_t offset, int whence);
	int (*mkdir)(const char *path, mode_t mode);
	int (*link)(const char *from, const char *to);
	int (*rename)(const char *from, const char *to);
	int (*unlink)(const char *path);
	/* Call `found` for each name in a folder, in no order; -1 with errno. */
	int (*list)(
		const char *path, void (*found)(void *context, const char *name), void *context);
	int (*statvfs)(const char *path, struct statvfs *out);
};

extern const struct disk_ops disk_linux;

/* The table in use: disk_linux, unless a test has set another before it opened
 * anything. */
extern const struct disk_ops *disk;

/* Bring the names in the folder of `path` to the disk.  -1 with errno. */
int disk_sync_folder_of(const char *path);

/* Make a folder that may be there already, and be sure that it stays: whoever made it may
 * not have come to that.  -1 with errno. */
int disk_make_folder(const char *path, mode_t mode);

/* As pread(2). */
ssize_t disk_pread(int fd, void *data, size_t len, off_t offset);
