#include "programs/picstore/import_sources.h"

#include "moving/binlog.h"
#include "moving/name_set.h"
#include "programs/picstore/files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_LEN = 4096 };

static void bad(struct import_feed *feed, const char *what, enum move_outcome outcome,
	enum err_code code, const char *why)
{
	struct err err;

	err_set(&err, code, "%s", why);
	move_report_add(feed->report, what, outcome, 0, NULL, &err);
}

static void push_id(struct import_feed *feed, const struct file_id *id, bool sure)
{
	struct import_item *item = import_item_new();

	item->kind = IMPORT_ID;
	item->names[0] = *id;
	item->name_count = 1;
	item->sure = sure;
	crew_push(feed->crew, item);
}

/* The next line, without its newline: 1, 0 at the end, -1 with err.  What is longer than
 * `size` is cut there. */
static int next_line(FILE *file, char *line, size_t size, size_t *len, struct err *err)
{
	int c;

	*len = 0;
	while ((c = getc_unlocked(file)) != EOF && c != '\n')
		if (*len + 1 < size)
			line[(*len)++] = (char)c;
	line[*len] = '\0';
	if (c == EOF && ferror(file))
		return err_errno(err, "cannot read");
	return c == '\n' || *len > 0;
}

/* ---- ids ---- */

static uint64_t count_lines(FILE *file)
{
	uint64_t count = 0;
	struct stat st;
	int c;

	if (fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	while ((c = getc_unlocked(file)) != EOF)
		count += c == '\n';
	rewind(file);
	return count;
}

static int feed_id_file(struct import_feed *feed, FILE *file, struct err *err)
{
	char line[4096];
	size_t len;
	int more;

	feed->report->total += count_lines(file);
	while ((more = next_line(file, line, sizeof line, &len, err)) == 1) {
		struct file_id id;

		line[strcspn(line, " \t\r")] = '\0';
		if (line[0] == '\0')
			continue;
		if (file_id_parse(span_str(line), &id))
			push_id(feed, &id, true);
		else
			bad(feed, line, MOVE_FAILED, ERR_BAD_ID, "is not an id");
	}
	return more;
}

int import_feed_ids(struct import_feed *feed, char *const *files, size_t count, struct err *err)
{
	int result = 0;

	if (count == 0)
		return feed_id_file(feed, stdin, err);
	for (size_t i = 0; result == 0 && i < count; i++) {
		bool is_stdin = strcmp(files[i], "-") == 0;
		FILE *file = is_stdin ? stdin : fopen(files[i], "re");

		if (file == NULL)
			return err_errno(err, "%s: cannot open", files[i]);
		result = feed_id_file(feed, file, err);
		if (!is_stdin)
			fclose(file);
	}
	return result;
}

/* ---- files ---- */

int import_feed_files(struct import_feed *feed, char *const *paths, size_t count, struct err *err)
{
	struct files_list list = { 0 };

	for (size_t i = 0; i < count; i++)
		if (files_add(&list, paths[i], err) != 0)
			move_report_add(feed->report, paths[i], MOVE_FAILED, 0, NULL, err);
	feed->report->total = list.count;
	for (size_t i = 0; i < list.count; i++) {
		struct import_item *item = import_item_new();

		item->kind = IMPORT_FILE;
		/* The journal knows it by its whole path, wherever import is run. */
		item->path = realpath(list.paths[i], NULL);
		if (item->path == NULL)
			item->path = strdup(list.paths[i]);
		if (item->path == NULL)
			abort();
		crew_push(feed->crew, item);
	}
	files_list_fini(&list);
	return 0;
}

/* ---- a FastDFS storage's folders ---- */

struct fastdfs {
	struct import_feed *feed;
	const struct fdfs_folder *folder;
	const char *binlog;
	struct name_set gone, seen;
	bool collecting; /* first what was deleted, then what was made */
};

static void on_line(struct fastdfs *fastdfs, struct span text)
{
	struct binlog_line line;

	if (!binlog_parse(text, fastdfs->folder->group, &line))
		return;
	if (fastdfs->collecting) {
		if (line.what == BINLOG_REMOVED)
			name_set_add(&fastdfs->gone, line.id.name);
		else if (line.what == BINLOG_RENAMED)
			name_set_add(&fastdfs->gone, line.other.name);
	} else if ((line.what == BINLOG_MADE || line.what == BINLOG_RENAMED) &&
		   !name_set_has(&fastdfs->gone, line.id.name) &&
		   name_set_add(&fastdfs->seen, line.id.name)) {
		push_id(fastdfs->feed, &line.id, true);
	}
}

static int read_binlog(struct fastdfs *fastdfs, const char *name, struct err *err)
{
	char path[PATH_LEN], line[BINLOG_LINE_MAX + 2];
	FILE *file;
	size_t len;
	int more;

	if (snprintf(path, sizeof path, "%s/%s", fastdfs->binlog, name) >= (int)sizeof path)
		return err_set(err, ERR_BAD_REQUEST, "the path of a binlog is too long");
	file = fopen(path, "re");
	if (file == NULL)
		return err_errno(err, "%s: cannot open", path);
	while ((more = next_line(file, line, sizeof line, &len, err)) == 1)
		on_line(fastdfs, span_of(line, len));
	fclose(file);
	return more == 0 ? 0 : err_prefix(err, "%s", path);
}

static int is_binlog(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return strncmp(name, "binlog.", 7) == 0 && name[7] != '\0' &&
	       strspn(name + 7, "0123456789") == strlen(name + 7);
}

static int read_binlogs(struct fastdfs *fastdfs, struct err *err)
{
	struct dirent **entries;
	int count = scandir(fastdfs->binlog, &entries, is_binlog, versionsort), result = 0;

	if (count < 0 && errno != ENOENT)
		return err_errno(err, "%s: cannot list it", fastdfs->binlog);
	if (count >= 0) {
		for (int i = 0; i < count; i++) {
			if (result == 0)
				result = read_binlog(fastdfs, entries[i]->d_name, err);
			free(entries[i]);
		}
		free(entries);
	}
	return result;
}

static bool on_file(void *context, const struct file_id *id)
{
	struct fastdfs *fastdfs = context;

	if (name_set_add(&fastdfs->seen, id->name))
		push_id(fastdfs->feed, id, false);
	return true;
}

static void on_strange(void *context, const char *path)
{
	struct fastdfs *fastdfs = context;

	bad(fastdfs->feed, path, MOVE_PASSED, ERR_BAD_ID, "is no file that FastDFS has named");
}

int import_feed_fastdfs(struct import_feed *feed, const struct fdfs_folder *folder,
	const char *binlog, struct err *err)
{
	struct fastdfs fastdfs = { .feed = feed, .folder = folder };
	char usual[PATH_LEN];
	int result;

	if (snprintf(usual, sizeof usual, "%s/data/sync", folder->paths[0]) >= (int)sizeof usual)
		return err_set(err, ERR_BAD_REQUEST, "the path of a store path is too long");
	fastdfs.binlog = binlog != NULL ? binlog : usual;
	fastdfs.collecting = true;
	result = read_binlogs(&fastdfs, err);
	fastdfs.collecting = false;
	if (result == 0)
		result = read_binlogs(&fastdfs, err);
	if (result == 0)
		result = fdfs_folder_walk(folder, on_file, on_strange, &fastdfs, err);
	name_set_fini(&fastdfs.gone);
	name_set_fini(&fastdfs.seen);
	return result;
}

/* ---- an export ---- */

static int read_bytes(FILE *file, struct import_item *item, struct err *err)
{
	uint64_t len = item->file->size;
	uint8_t *room = len <= item->bytes.limit ? buf_reserve(&item->bytes, (size_t)len) : NULL;

	if (room == NULL)
		return err_set(err, ERR_TOO_LARGE, "a picture of %" PRIu64 " bytes", len);
	if (fread(room, 1, (size_t)len, file) != len || getc(file) != '\n')
		return err_set(err, ERR_TRUNCATED, "the stream was cut off");
	item->bytes.len = (size_t)len;
	return 0;
}

static int push_exported(struct import_feed *feed, FILE *file, const char *folder,
	const struct manifest_file *what, struct err *err)
{
	struct import_item *item = import_item_new();
	char relative[MANIFEST_PATH_MAX];

	item->kind = IMPORT_EXPORT;
	item->sure = true;
	item->file = malloc(sizeof *what);
	if (item->file == NULL)
		abort();
	*item->file = *what;
	item->names[item->name_count++] = what->id;
	if (what->kind == MANIFEST_PICTURE) /* else they are other files */
		for (size_t i = 0; i < what->name_count; i++)
			item->names[item->name_count++] = what->names[i];
	manifest_path(what, relative);
	if (folder != NULL && asprintf(&item->path, "%s/%s", folder, relative) < 0)
		abort();
	if (folder == NULL && read_bytes(file, item, err) != 0) {
		buf_fini(&item->bytes);
		free(item->file);
		free(item);
		return -1;
	}
	/* The file is there before its metadata is. */
	if (what->kind == MANIFEST_METADATA && !feed->metadata)
		crew_wait(feed->crew);
	feed->metadata = what->kind == MANIFEST_METADATA;
	crew_push(feed->crew, item);
	return 0;
}

static int cut_off(struct err *err)
{
	return err_set(err, ERR_TRUNCATED, "the manifest has no end: the export was cut off");
}

static int feed_manifest(struct import_feed *feed, FILE *file, const char *folder, struct err *err)
{
	struct manifest_file *what = calloc(1, sizeof *what);
	uint64_t files, bytes, count = 0;
	char line[MANIFEST_LINE_MAX + 1];
	size_t len;
	int more = next_line(file, line, sizeof line, &len, err), result = 0;

	if (what == NULL)
		abort();
	if (more == 1 && strcmp(line, MANIFEST_FIRST_LINE) != 0)
		result = err_set(err, ERR_BAD_REQUEST, "does not begin as an export of picstore");
	while (result == 0 && (more = next_line(file, line, sizeof line, &len, err)) == 1) {
		switch (manifest_parse(span_of(line, len), what, &files, &bytes)) {
		case MANIFEST_FILE:
			count++;
			result = push_exported(feed, file, folder, what, err);
			break;
		case MANIFEST_END:
			free(what);
			return files == count
				       ? 0
				       : err_set(err, ERR_CORRUPT, "the manifest lacks files");
		case MANIFEST_NONSENSE:
			result = feof(file) ? cut_off(err)
					    : err_set(err, ERR_CORRUPT,
						      "line %" PRIu64 " of the manifest is none",
						      count + 2);
		}
	}
	free(what);
	if (result != 0 || more < 0)
		return -1;
	return cut_off(err);
}

int import_feed_export(struct import_feed *feed, const char *path, struct err *err)
{
	char manifest[PATH_LEN];
	uint64_t lines;
	FILE *file;
	int result;

	if (strcmp(path, "-") == 0)
		return feed_manifest(feed, stdin, NULL, err);
	if (snprintf(manifest, sizeof manifest, "%s/manifest", path) >= (int)sizeof manifest)
		return err_set(err, ERR_BAD_REQUEST, "the folder's path is too long");
	file = fopen(manifest, "re");
	if (file == NULL)
		return err_errno(err, "%s: cannot open; was the export finished?", manifest);
	lines = count_lines(file);
	feed->report->total = lines > 2 ? lines - 2 : 0;
	result = feed_manifest(feed, file, path, err);
	fclose(file);
	return result;
}
