#include "deletion/delete_log.h"

#include "core/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0640, FOLDER_MODE = 0750, PATH_LEN = 4096 };

struct delete_log {
	char *path;
	int fd; /* or -1 */
};

static int folder_of(const char *path, char out[PATH_LEN], struct err *err)
{
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);

	if (len >= PATH_LEN)
		return err_set(err, ERR_CONFIG, "the path of the delete log is too long");
	snprintf(out, PATH_LEN, "%.*s", len, slash == NULL ? "." : path);
	return 0;
}

void delete_log_give(int fd, const char *path)
{
	char folder[PATH_LEN];
	struct stat st;

	if (geteuid() == 0 && folder_of(path, folder, NULL) == 0 && disk->stat(folder, &st) == 0 &&
		fchown(fd, st.st_uid, st.st_gid) != 0)
		return; /* they will say that they cannot use it */
}

int delete_log_sync_folder(const char *path, struct err *err)
{
	return disk_sync_folder_of(path) == 0
		       ? 0
		       : err_errno(err, "cannot flush the folder of %s", path);
}

static int lock(int fd, const char *path, struct err *err)
{
	while (disk->flock(fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_errno(err, "cannot lock %s", path);
	return 0;
}

/* Does `path` still name this file? */
static bool is_current(int fd, const char *path)
{
	struct stat here, there;

	return disk->fstat(fd, &here) == 0 && disk->stat(path, &there) == 0 &&
	       here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

/* Open the file that the path names now, and lock it. */
static int enter(struct delete_log *log, struct err *err)
{
	for (;;) {
		if (log->fd < 0) {
			log->fd = disk->open(
				log->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
			if (log->fd < 0)
				return err_errno(err, "cannot open %s", log->path);
			delete_log_give(log->fd, log->path);
			/* A new file is there for good once its folder says so. */
			if (delete_log_sync_folder(log->path, err) != 0) {
				disk->close(log->fd);
				log->fd = -1; /* or the next line would not look again */
				return -1;
			}
		}
		if (lock(log->fd, log->path, err) != 0)
			return -1;
		if (is_current(log->fd, log->path))
			return 0;
		disk->close(log->fd); /* it was taken over */
		log->fd = -1;
	}
}

struct delete_log *delete_log_open(const char *path, struct err *err)
{
	struct delete_log *log = calloc(1, sizeof *log);
	char folder[PATH_LEN];

	assert(log != NULL);
	log->fd = -1;
	log->path = strdup(path);
	assert(log->path != NULL);
	if (folder_of(path, folder, err) != 0)
		goto fail;
	if (disk_make_folder(folder, FOLDER_MODE) != 0) {
		err_errno(err, "cannot make the folder %s", folder);
		goto fail;
	}
	if (enter(log, err) != 0)
		goto fail;
	disk->flock(log->fd, LOCK_UN);
	return log;
fail:
	delete_log_close(log);
	return NULL;
}

void delete_log_close(struct delete_log *log)
{
	if (log == NULL)
		return;
	if (log->fd >= 0)
		disk->close(log->fd);
	free(log->path);
	free(log);
}

/* End the line that a crash tore. */
static int mend(struct delete_log *log, off_t size, struct err *err)
{
	char last = '\n';

	if (size > 0 && disk_pread(log->fd, &last, 1, size - 1) != 1)
		return err_errno(err, "cannot read %s", log->path);
	if (last != '\n' && disk->write(log->fd, "\n", 1) != 1)
		return err_errno(err, "cannot write to %s", log->path);
	return 0;
}

static int write_all(struct delete_log *log, struct span lines, struct err *err)
{
	off_t size = disk->lseek(log->fd, 0, SEEK_END);
	struct err why;
	ssize_t put;

	if (size < 0)
		return err_errno(err, "cannot use %s", log->path);
	if (mend(log, size, err) != 0)
		return -1;
	put = disk->write(log->fd, lines.data, lines.len);
	if (put >= 0 && (size_t)put == lines.len)
		return 0;
	if (put >= 0)
		errno = ENOSPC; /* a disk that ends in the middle of a write says so this way */
	err_errno(&why, "cannot write to %s", log->path);
	/* A part of it would be deletes that nobody was promised. */
	if (disk->ftruncate(log->fd, size) != 0)
		err_prefix(&why, "a part of the request is left in the log");
	if (err != NULL)
		*err = why;
	return -1;
}

int delete_log_append(struct delete_log *log, struct span lines, struct err *err)
{
	int result;

	if (lines.len == 0)
		return 0;
	assert(lines.data[lines.len - 1] == '\n');
	if (enter(log, err) != 0)
		return -1;
	result = write_all(log, lines, err);
	/* Others may write while the disk is at work. */
	disk->flock(log->fd, LOCK_UN);
	if (result == 0 && disk->fdatasync(log->fd) != 0) {
		result = err_errno(err, "cannot sync %s", log->path);
		/* The kernel reports a lost page once: this descriptor must not say later
		 * that all is well. */
		disk->close(log->fd);
		log->fd = -1;
	}
	return result;
}

int delete_log_take(const char *path, const char *to, struct err *err)
{
	int fd, result = -1;
	struct stat st;

	do {
		fd = disk->open(path, O_RDWR | O_CLOEXEC, 0);
		if (fd < 0 && errno == ENOENT)
			return 0;
		if (fd < 0)
			return err_errno(err, "cannot open %s", path);
		if (lock(fd, path, err) != 0)
			goto out;
		if (is_current(fd, path))
			break;
		disk->close(fd);
	} while (true);
	if (disk->fstat(fd, &st) != 0) {
		err_errno(err, "cannot look at %s", path);
		goto out;
	}
	if (st.st_size == 0) {
		result = 0;
		goto out;
	}
	/* Lines that a writer has not synced yet are to stay if the machine crashes. */
	if (disk->fsync(fd) != 0 || disk->rename(path, to) != 0) {
		err_errno(err, "cannot rename %s to %s", path, to);
		goto out;
	}
	result = delete_log_sync_folder(path, err) == 0 ? 1 : -1;
out:
	disk->close(fd);
	return result;
}
