#include "programs/picstore/up_store_paths.h"

#include "core/durable_file.h"
#include "programs/picstore/files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_LEN = 16, LIST_MAX = 1 << 20 };

struct marks {
	char path[UP_PATH]; /* of the list */
	struct buf list;
	bool grown;
};

static const char *inside(const struct up_place *place, const char *path)
{
	size_t len = strlen(place->home);

	return strncmp(path, place->home, len) == 0 && path[len] == '/' ? path + len + 1 : path;
}

static int make_folder(
	const struct up_place *place, const char *name, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (inside(place, path) == path)
		return err_set(err, ERR_CONFIG,
			"the store path %.120s of [storage %s] is not there; is its disk mounted?",
			path, name);
	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		return err_errno(err, "cannot make the store path %.120s", path);
	return 0;
}

/* The mark that the home remembers for a path; "" if it has never seen it. */
static void remembered(const struct marks *marks, const char *path, char mark[MARK_LEN + 1])
{
	const char *line = (const char *)marks->list.data, *end = line + marks->list.len;

	mark[0] = '\0';
	for (const char *next; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((stop == NULL ? end : stop) - line);

		next = stop == NULL ? end : stop + 1;
		if (len == MARK_LEN + 1 + strlen(path) && line[MARK_LEN] == ' ' &&
			memcmp(line + MARK_LEN + 1, path, len - MARK_LEN - 1) == 0)
			snprintf(mark, MARK_LEN + 1, "%.*s", MARK_LEN, line);
	}
}

/* The mark in a store path; "" if there is none. */
static int read_mark(const char *path, char mark[MARK_LEN + 1], struct err *err)
{
	struct buf text;
	int status;

	mark[0] = '\0';
	if (access(path, F_OK) != 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot look at %s", path);
	buf_init(&text, 4096);
	status = files_read(path, &text, err);
	if (status == 0)
		snprintf(mark, MARK_LEN + 1, "%.*s", (int)text.len, (const char *)text.data);
	buf_fini(&text);
	return status;
}

static int make_mark(const char *path, char mark[MARK_LEN + 1], struct err *err)
{
	uint64_t random;
	char line[MARK_LEN + 2];

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return err_errno(err, "cannot get random bytes");
	snprintf(mark, MARK_LEN + 1, "%016" PRIx64, random);
	snprintf(line, sizeof line, "%s\n", mark);
	return durable_file_write(path, span_str(line), 0644, err);
}

static int check(
	struct marks *marks, const struct up_place *place, const char *path, struct err *err)
{
	char known[MARK_LEN + 1], found[MARK_LEN + 1], file[UP_PATH];

	if (up_path(file, err, "%s/.picstore", path) < 0 || read_mark(file, found, err) < 0)
		return -1;
	remembered(marks, inside(place, path), known);
	if (known[0] != '\0' && strcmp(known, found) != 0)
		return err_set(err, ERR_CONFIG,
			"%.120s is not the store path that was here (it has %s .picstore); is the "
			"right disk mounted? To begin a new one there, remove its line from %.120s",
			path, found[0] == '\0' ? "no" : "another", marks->path);
	if (known[0] != '\0')
		return 0;
	if (found[0] == '\0' && make_mark(file, found, err) < 0)
		return -1;
	buf_printf(&marks->list, "%s %s\n", found, inside(place, path));
	marks->grown = true;
	return 0;
}

static int check_all(struct marks *marks, const struct up_place *place,
	const struct settings *settings, struct err *err)
{
	if (access(marks->path, F_OK) == 0 && files_read(marks->path, &marks->list, err) < 0)
		return -1;
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];

		for (size_t j = 0; j < storage->store_path.count; j++) {
			const char *path = storage->store_path.items[j];

			if (make_folder(place, storage->name, path, err) < 0 ||
				check(marks, place, path, err) < 0)
				return -1;
		}
	}
	if (!marks->grown)
		return 0;
	if (!buf_ok(&marks->list))
		return err_set(err, ERR_CONFIG, "%.120s is too long", marks->path);
	return durable_file_write(marks->path, buf_span(&marks->list), 0644, err);
}

int up_store_paths_open(
	const struct up_place *place, const struct settings *settings, struct err *err)
{
	struct marks marks = { .grown = false };
	int status;

	if (up_path(marks.path, err, "%s/etc/store_paths", place->home) < 0)
		return -1;
	buf_init(&marks.list, LIST_MAX);
	status = check_all(&marks, place, settings, err);
	buf_fini(&marks.list);
	return status;
}
