/* cmd_export.c - picstore export: everything that the volumes of this machine have, with a
 * manifest.
 *
 * A picture that an earlier export has written to the same folder is read and checked
 * there, and not written again: a killed export is run once more, and a later one adds
 * what is new.  The manifest is made anew each time, and appears when it is complete. */
#include "auth/digest.h"
#include "core/clock.h"
#include "core/crc32.h"
#include "moving/manifest.h"
#include "photo/local_store.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/crew.h"
#include "programs/picstore/files.h"
#include "programs/picstore/jobs.h"
#include "programs/picstore/move_report.h"
#include "store/aliases.h"
#include "store/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

struct export
{
	struct cli *cli;
	const char *folder; /* NULL: a stream on stdout */
	FILE *manifest;
	pthread_mutex_t lock; /* of the manifest, and of the stream */
	uint64_t pictures, bytes;
	struct engine *engine; /* of the storage that is walked */
	struct names *names;   /* or this of its store paths */
	struct crew *crew;
	struct move_report report;
	bool broken; /* the manifest cannot be written */
};

/* Something to write. */
struct export_item {
	struct file_id id;
	bool in_names, is_metadata; /* else a picture in a volume */
	uint64_t size;              /* in names.db */
};

static bool path_of(const struct export *export, const struct export_item *item, char out[PATH_LEN])
{
	char relative[FILE_ID_TEXT_MAX + 16];

	manifest_path(&item->id, item->is_metadata, relative);
	return snprintf(out, PATH_LEN, "%s/%s", export->folder, relative) < PATH_LEN;
}

/* The folders above a file below `base`. */
static int make_folders(char *path, size_t base, struct err *err)
{
	for (char *slash = strchr(path + base, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			return err_errno(err, "%s: cannot be made", path);
		*slash = '/';
	}
	return 0;
}

static bool right(const struct file_id *id, struct span bytes)
{
	return bytes.len == id->size && crc32_add(0, bytes) == id->crc;
}

/* True if the file is there, whole and right.  Only ids of pictures tell. */
static bool is_there(const char *path, const struct export_item *item, struct buf *bytes)
{
	struct err ignored;

	if (!item->in_names && access(path, F_OK) == 0 && files_read(path, bytes, &ignored) == 0 &&
		right(&item->id, buf_span(bytes)))
		return true;
	buf_clear(bytes);
	return false;
}

static int read_one(
	struct export *export, const struct export_item *item, struct buf *bytes, struct err *err)
{
	if (item->is_metadata)
		return names_metadata(export->names, item->id.name, bytes, err);
	if (item->in_names)
		return names_read(export->names, item->id.name, 0, item->size, bytes, err);
	return engine_get(export->engine, &item->id, 0, bytes, err);
}

static void add_name(void *context, const char *name)
{
	struct manifest_picture *picture = context;

	if (picture->name_count < MANIFEST_NAMES_MAX &&
		file_id_parse_name(span_str(picture->id.group), span_str(name),
			&picture->names[picture->name_count]))
		picture->name_count++;
}

static int write_entry(struct export *export, const struct manifest_picture *picture,
	struct span bytes, struct err *err)
{
	struct buf line;
	bool ok;

	buf_init(&line, MANIFEST_LINE_MAX);
	manifest_put_picture(&line, picture);
	pthread_mutex_lock(&export->lock);
	ok = buf_ok(&line) && fwrite(line.data, 1, line.len, export->manifest) == line.len;
	if (ok && export->folder == NULL)
		ok = fwrite(bytes.data, 1, bytes.len, export->manifest) == bytes.len &&
		     putc('\n', export->manifest) != EOF;
	export->pictures += ok;
	export->bytes += ok ? bytes.len : 0;
	export->broken = export->broken || !ok;
	pthread_mutex_unlock(&export->lock);
	buf_fini(&line);
	return ok ? 0 : err_errno(err, "the manifest cannot be written");
}

static int export_one(struct export *export, const struct export_item *item,
	struct manifest_picture *picture, struct buf *bytes, bool *already, struct err *err)
{
	char path[PATH_LEN];

	*already = false;
	if (export->folder != NULL && !path_of(export, item, path))
		return err_set(err, ERR_BAD_REQUEST, "the folder's path is too long");
	if (export->folder != NULL)
		*already = is_there(path, item, bytes);
	if (!*already) {
		if (read_one(export, item, bytes, err) != 0)
			return -1;
		if (export->folder != NULL &&
			(make_folders(path, strlen(export->folder) + 1, err) != 0 ||
				files_write(path, buf_span(bytes), true, err) != 0))
			return -1;
	}
	if (!item->in_names && aliases_of(engine_aliases(export->engine), picture->id.name,
				       add_name, picture, err) != 0)
		return -1;
	picture->size = bytes->len;
	picture->crc = crc32_add(0, buf_span(bytes));
	digest(buf_span(bytes), picture->sha);
	return write_entry(export, picture, buf_span(bytes), err);
}

static void work(void *context, void *item)
{
	struct export *export = context;
	struct export_item *what = item;
	const struct file_id *id = &what->id;
	struct manifest_picture *picture = calloc(1, sizeof *picture);
	char text[FILE_ID_TEXT_MAX + 1];
	struct err err = { 0 };
	struct buf bytes;
	bool already;

	if (picture == NULL)
		abort();
	picture->id = *id;
	picture->is_metadata = what->is_metadata;
	buf_init(&bytes, 1 << 30);
	file_id_format(id, text);
	if (export_one(export, what, picture, &bytes, &already, &err) == 0)
		move_report_add(&export->report, text, already ? MOVE_ALREADY : MOVE_DONE,
			bytes.len, NULL, NULL);
	else
		move_report_add(&export->report, text,
			err.code == ERR_GONE || (what->in_names && err.code == ERR_NOT_FOUND)
				? MOVE_DELETED
				: MOVE_FAILED,
			0, NULL, &err);
	buf_fini(&bytes);
	free(picture);
	free(what);
}

static void push(struct export *export, const struct export_item *item)
{
	struct export_item *copy = malloc(sizeof *copy);

	if (copy == NULL)
		abort();
	*copy = *item;
	crew_push(export->crew, copy);
}

static bool on_found(void *context, const struct engine_found *found)
{
	struct export *export = context;
	char text[FILE_ID_TEXT_MAX + 1] = "a damaged record";

	if (found->what == ENGINE_FOUND_CORRUPT) {
		if (found->id.name_len > 0)
			file_id_format(&found->id, text);
		move_report_add(&export->report, text, MOVE_FAILED, 0, NULL, &found->err);
	} else if (found->what == ENGINE_FOUND_PICTURE) {
		push(export, &(struct export_item){ .id = found->id });
	}
	return !export->broken;
}

struct names_walking {
	struct export *export;
	const char *group;
	bool metadata; /* has begun */
};

/* Slaves and appenders, and then the metadata of all files. */
static bool on_name(void *context, const char *name, const struct names_stat *stat)
{
	struct names_walking *walking = context;
	struct export_item item = { .in_names = true, .is_metadata = stat == NULL };

	if (stat == NULL && !walking->metadata)
		crew_wait(walking->export->crew);
	walking->metadata = stat == NULL;
	if (stat != NULL)
		item.size = stat->size;
	if (file_id_parse_name(span_str(walking->group), span_str(name), &item.id))
		push(walking->export, &item);
	return !walking->export->broken;
}

/* All pictures are in the manifest before the first metadata is. */
static int export_names(
	struct export *export, const struct storage_settings *storage, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < storage->store_path.count && result == 0; i++) {
		struct names_walking walking = { export, storage->group, false };

		export->names = names_open(storage->store_path.items[i], true, clock_unix, err);
		if (export->names == NULL)
			return -1;
		result = names_walk(export->names, on_name, &walking, err);
		crew_wait(export->crew);
		names_close(export->names);
	}
	return result;
}

static int export_storage(
	struct export *export, const struct storage_settings *storage, size_t jobs, struct err *err)
{
	int result;

	export->engine = local_store_open(cli_settings(export->cli), storage, err);
	if (export->engine == NULL)
		return -1;
	export->crew = crew_new(jobs, work, export);
	result = engine_walk(export->engine, 0, on_found, export, err);
	if (result == 0) {
		crew_wait(export->crew);
		result = export_names(export, storage, err);
	}
	crew_end(export->crew);
	engine_close(export->engine);
	return result;
}

static int open_manifest(struct export *export, char path[PATH_LEN], struct err *err)
{
	if (export->folder == NULL) {
		export->manifest = stdout;
	} else {
		if (mkdir(export->folder, 0777) != 0 && errno != EEXIST)
			return err_errno(err, "%s: cannot be made", export->folder);
		if (snprintf(path, PATH_LEN, "%s/manifest.new", export->folder) >= PATH_LEN)
			return err_set(err, ERR_BAD_REQUEST, "the folder's path is too long");
		export->manifest = fopen(path, "we");
		if (export->manifest == NULL)
			return err_errno(err, "%s: cannot write", path);
	}
	fputs(MANIFEST_FIRST_LINE "\n", export->manifest);
	return 0;
}

/* The last line; then the manifest takes its name. */
static int close_manifest(struct export *export, const char *path, struct err *err)
{
	char name[PATH_LEN];
	struct buf line;
	bool ok;

	buf_init(&line, 100);
	manifest_put_end(&line, export->pictures, export->bytes);
	ok = fwrite(line.data, 1, line.len, export->manifest) == line.len &&
	     fflush(export->manifest) == 0 && !ferror(export->manifest);
	buf_fini(&line);
	if (export->folder != NULL) {
		ok = ok && fsync(fileno(export->manifest)) == 0;
		ok = fclose(export->manifest) == 0 && ok;
		snprintf(name, sizeof name, "%.*s", (int)(strlen(path) - strlen(".new")), path);
		ok = ok && rename(path, name) == 0;
	}
	return ok && !export->broken ? 0 : err_errno(err, "the manifest cannot be written");
}

static int export_run(struct cli *cli, const struct args *args)
{
	const char *group = args_value(args, "group");
	const struct settings *settings = cli_settings(cli);
	struct export export = { .cli = cli, .folder = args->operands[0] };
	char path[PATH_LEN];
	size_t matched = 0;
	int64_t jobs;
	struct err err;

	if (args_number(args, "jobs", 1, JOBS_MAX, 4, &jobs, &err) < 0)
		return cli_fail(cli, &err);
	if (settings == NULL)
		return CLI_USAGE;
	if (strcmp(export.folder, "-") == 0)
		export.folder = NULL;
	if (move_report_start(
		    &export.report, cli, "exported", args_value(args, "failures"), &err) != 0 ||
		open_manifest(&export, path, &err) != 0)
		return cli_fail(cli, &err);
	pthread_mutex_init(&export.lock, NULL);
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];

		if (group != NULL && strcmp(storage->group, group) != 0)
			continue;
		matched++;
		if (!local_store_is_repeated(settings, storage) &&
			export_storage(&export, storage, (size_t)jobs, &err) != 0)
			move_report_add(&export.report, storage->name, MOVE_FAILED, 0, NULL, &err);
	}
	if (matched == 0) {
		err_set(&err, ERR_CONFIG, "%s has no [storage] section%s%s", settings->file,
			group == NULL ? "" : " of group ", group == NULL ? "" : group);
		return cli_fail(cli, &err);
	}
	if (close_manifest(&export, path, &err) != 0)
		move_report_add(&export.report, "manifest", MOVE_FAILED, 0, NULL, &err);
	return move_report_end(&export.report);
}

static const struct arg_option options[] = {
	{ 'g', "group", "GROUP", "only this group (default: all of this machine)" },
	{ 'j', "jobs", "N", "so many at a time (default: 4)" },
	{ '\0', "failures", "FILE", "write what failed to FILE: ID, word, reason" },
	{ 0 },
};

const struct command command_export = {
	.name = "export",
	.operands = "DIR|-",
	.summary = "write all pictures of this machine, with a manifest",
	.about =
		"Reads the volumes of the [storage] sections, whether their servers run or not, "
		"and\n"
		"checks every picture.  DIR gets pictures/ID and a manifest with size, CRC-32,\n"
		"SHA-256 and the names that pictures had elsewhere; run again it goes on where it\n"
		"was cut off.  \"-\" writes one stream.  picstore import reads both.",
	.options = options,
	.least = 1,
	.most = 1,
	.run = export_run,
};
