#include "programs/picstore/backup_files.h"

#include "programs/picstore/backup_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_LEN = 1 << 17, FOLDER_MODE = 0700 };

int backup_folders_above(const char *path, struct err *err)
{
	char folder[BACKUP_PATH];

	if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder)
		return err_set(err, ERR_CONFIG, "the path %s is too long", path);
	for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
			return err_errno(err, "cannot make the folder %s", folder);
		*slash = '/';
	}
	return 0;
}

/* Copy the data between two holes. */
static int copy_data(int from, int to, off_t start, off_t end)
{
	static char chunk[CHUNK_LEN];

	while (start < end) {
		size_t want = end - start < CHUNK_LEN ? (size_t)(end - start) : CHUNK_LEN;
		ssize_t len = pread(from, chunk, want, start);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -1;
		if (len == 0)
			break;
		for (ssize_t done = 0, n; done < len; done += n) {
			n = pwrite(to, chunk + done, (size_t)(len - done), start + done);
			if (n < 0 && errno != EINTR)
				return -1;
			n = n < 0 ? 0 : n;
		}
		start += len;
	}
	return 0;
}

static int copy_holes_too(int from, int to)
{
	struct stat st;
	off_t end = 0;

	if (fstat(from, &st) != 0 || ftruncate(to, st.st_size) != 0)
		return -1;
	while (end < st.st_size) {
		off_t start = lseek(from, end, SEEK_DATA);

		if (start < 0)
			return errno == ENXIO ? 0 : -1;
		end = lseek(from, start, SEEK_HOLE);
		if (end < 0 || copy_data(from, to, start, end) != 0)
			return -1;
	}
	return 0;
}

int backup_copy_file(const char *from, const char *to, mode_t mode, struct err *err)
{
	char fresh[BACKUP_PATH];
	int in, out, result = -1;

	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", to) >= sizeof fresh)
		return err_set(err, ERR_CONFIG, "the path %s is too long", to);
	in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no %s", from)
				       : err_errno(err, "cannot open %s", from);
	unlink(fresh);
	out = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (out < 0 || copy_holes_too(in, out) != 0 || fsync(out) != 0 || rename(fresh, to) != 0)
		err_errno(err, "cannot copy %s to %s", from, to);
	else
		result = 0;
	close(in);
	if (out >= 0)
		close(out);
	if (result != 0)
		unlink(fresh);
	return result;
}
