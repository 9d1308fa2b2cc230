#include "programs/picstore/files.h"

#include "core/file_id.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 256 << 10 };

static int read_all(int fd, size_t expected, const char *path, struct buf *out, struct err *err)
{
	for (;;) {
		/* One more than is expected, so that the end is seen without growing. */
		size_t want = expected + 1 > out->len ? expected + 1 - out->len : STEP;
		ssize_t n;
		uint8_t *room;

		if (want > out->limit - out->len)
			want = out->limit - out->len;
		if (want == 0) {
			uint8_t byte;

			n = read(fd, &byte, 1);
			if (n == 0)
				return 0;
			if (n > 0)
				return err_set(err, ERR_TOO_LARGE, "%s: more than %zu bytes", path,
					out->limit);
		} else {
			room = buf_reserve(out, want);
			if (room == NULL)
				return err_set(err, ERR_INTERNAL, "%s: no memory", path);
			n = read(fd, room, want);
		}
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_errno(err, "%s: cannot read", path);
		if (n > 0)
			out->len += (size_t)n;
	}
}

int files_read(const char *path, struct buf *out, struct err *err)
{
	struct stat st;
	int fd, result;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, STEP, "stdin", out, err);
	/* Opening a pipe that nobody writes to would wait forever. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, "%s: cannot open", path);
	if (fstat(fd, &st) < 0)
		result = err_errno(err, "%s: cannot look at it", path);
	else if (!S_ISREG(st.st_mode))
		result = err_set(err, ERR_BAD_REQUEST, "%s: is not a regular file", path);
	else if ((uint64_t)st.st_size > out->limit - out->len)
		result = err_set(err, ERR_TOO_LARGE, "%s: more than %zu bytes", path, out->limit);
	else
		result = read_all(fd, (size_t)st.st_size, path, out, err);
	close(fd);
	return result;
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return 0;
}

/* What new files of this process may not have.  It can only be asked for by changing it, which
 * all threads would see: asked once. */
static mode_t mask;

static void ask_mask(void)
{
	mask = umask(077);
	umask(mask);
}

int files_write(const char *path, struct span bytes, bool replace, struct err *err)
{
	static pthread_once_t asked = PTHREAD_ONCE_INIT;
	const char *slash = strrchr(path, '/');
	char *temp = NULL;
	int fd, failed;

	pthread_once(&asked, ask_mask);
	if (asprintf(&temp, "%.*s.picstore-XXXXXX", slash == NULL ? 0 : (int)(slash + 1 - path),
		    path) < 0)
		abort();
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		err_errno(err, "%s: cannot make a file there", path);
		free(temp);
		return -1;
	}
	failed = write_all(fd, bytes);
	if (failed == 0)
		failed = fchmod(fd, 0666 & ~mask);
	if (close(fd) < 0)
		failed = -1;
	if (failed == 0)
		failed = renameat2(AT_FDCWD, temp, AT_FDCWD, path, replace ? 0 : RENAME_NOREPLACE);
	if (failed != 0) {
		if (errno == EEXIST)
			err_set(err, ERR_EXISTS, "%s: exists already; -f replaces it", path);
		else
			err_errno(err, "%s: cannot write", path);
		unlink(temp);
	}
	free(temp);
	return failed == 0 ? 0 : -1;
}

static void list_put(struct files_list *list, const char *path)
{
	char **paths = realloc(list->paths, (list->count + 1) * sizeof paths[0]);

	if (paths == NULL || (paths[list->count] = strdup(path)) == NULL)
		abort();
	list->paths = paths;
	list->count++;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_tree(struct files_list *list, const char *path, struct err *err)
{
	char *const roots[] = { (char *)(uintptr_t)path, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int result = 0;

	if (tree == NULL)
		return err_errno(err, "%s: cannot look into it", path);
	while ((entry = fts_read(tree)) != NULL) {
		if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
			fts_set(tree, entry, FTS_SKIP);
		} else if (entry->fts_info == FTS_F) {
			list_put(list, entry->fts_path);
		} else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
			   entry->fts_info == FTS_NS) {
			errno = entry->fts_errno;
			result = err_errno(err, "%s: cannot look at it", entry->fts_path);
		}
	}
	fts_close(tree);
	return result;
}

int files_add(struct files_list *list, const char *path, struct err *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))) {
		list_put(list, path);
		return 0;
	}
	return add_tree(list, path, err);
}

void files_list_fini(struct files_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct files_list){ 0 };
}

void files_ext(const char *path, char out[7])
{
	const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
	const char *dot = strrchr(name, '.');
	size_t len = dot == NULL || dot == name ? 0 : strlen(dot + 1);

	out[0] = '\0';
	if (len == 0 || !file_id_ext_ok(span_of(dot + 1, len)))
		return;
	for (size_t i = 0; i <= len; i++)
		out[i] = (char)(dot[1 + i] >= 'A' && dot[1 + i] <= 'Z' ? dot[1 + i] + 32
								       : dot[1 + i]);
}
