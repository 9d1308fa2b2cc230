#include "core/durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t len = write(fd, bytes.data, bytes.len);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -1;
		bytes.data += len;
		bytes.len -= (size_t)len;
	}
	return fsync(fd);
}

/* A new name is on the disk when its folder is. */
static int sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL   ? strdup(".")
		       : slash == path ? strdup("/")
				       : strndup(path, (size_t)(slash - path));
	int fd, status;

	if (folder == NULL)
		abort();
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (fd < 0)
		return -1;
	status = fsync(fd);
	close(fd);
	return status;
}

int durable_file_write(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	char *fresh = NULL;
	int fd, status;

	if (asprintf(&fresh, "%s.new", path) < 0)
		abort();
	/* What a crash left may have another owner's mode. */
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	status = fd < 0 ? -1 : put(fd, bytes);
	if (status == 0)
		status = rename(fresh, path) != 0 ? -1 : sync_folder_of(path);
	if (status != 0) {
		err_errno(err, "cannot write %s", path);
		if (fd >= 0)
			unlink(fresh);
	}
	if (fd >= 0)
		close(fd);
	free(fresh);
	return status == 0 ? 0 : -1;
}
