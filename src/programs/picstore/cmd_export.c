/* cmd_export.c - picstore export: everything that this machine's stores have, with a
 * manifest.
 *
 * A killed export is run once more, and a later one adds what is new.  The manifest is made
 * anew each time, and takes its name when it lacks nothing. */
#include "photo/local_store.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/exporter.h"
#include "programs/picstore/jobs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

struct export
{
	struct cli *cli;
	struct exporter exporter;
	struct crew *crew;
	struct move_report report;
};

static bool on_found(void *context, const struct engine_found *found)
{
	struct export *export = context;
	char text[FILE_ID_TEXT_MAX + 1] = "a damaged record";

	if (found->what == ENGINE_FOUND_CORRUPT) {
		if (found->id.name_len > 0)
			file_id_format(&found->id, text);
		move_report_add(&export->report, text, MOVE_FAILED, 0, NULL, &found->err);
	} else if (found->what == ENGINE_FOUND_PICTURE) {
		exporter_push(export->crew, MANIFEST_PICTURE, &found->id);
	}
	return !export->exporter.broken;
}

struct names_walking {
	struct export *export;
	const char *group;
	bool metadata; /* has begun */
};

static enum manifest_kind kind_of(const struct file_id *id, const struct names_stat *stat)
{
	if (stat == NULL)
		return MANIFEST_METADATA;
	if (stat->is_appender)
		return MANIFEST_APPENDER;
	return id->kind == FILE_ID_SLAVE ? MANIFEST_SLAVE : MANIFEST_FINISHED;
}

/* Slaves and appenders, and then the metadata of all files. */
static bool on_name(void *context, const char *name, const struct names_stat *stat)
{
	struct names_walking *walking = context;
	struct export *export = walking->export;
	struct file_id id;

	if (stat == NULL && !walking->metadata)
		crew_wait(export->crew);
	walking->metadata = stat == NULL;
	if (file_id_parse_name(span_str(walking->group), span_str(name), &id))
		exporter_push(export->crew, kind_of(&id, stat), &id);
	return !export->exporter.broken;
}

/* All files of a store path are in the manifest before their metadata is. */
static int export_names(struct export *export, const char *group, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < export->exporter.path_count && result == 0; i++) {
		struct names_walking walking = { export, group, false };

		result = names_walk(export->exporter.names[i], on_name, &walking, err);
		crew_wait(export->crew);
	}
	return result;
}

static int export_storage(
	struct export *export, const struct storage_settings *storage, size_t jobs, struct err *err)
{
	int result = exporter_open(&export->exporter, cli_settings(export->cli), storage, err);

	if (result == 0) {
		export->crew = crew_new(jobs, exporter_work, &export->exporter);
		result = engine_walk(export->exporter.engine, 0, on_found, export, err);
		crew_wait(export->crew);
		if (result == 0)
			result = export_names(export, storage->group, err);
		crew_end(export->crew);
	}
	exporter_close(&export->exporter);
	return result;
}

static int open_manifest(struct exporter *exporter, char path[PATH_LEN], struct err *err)
{
	if (exporter->folder == NULL) {
		exporter->manifest = stdout;
	} else {
		if (mkdir(exporter->folder, 0777) != 0 && errno != EEXIST)
			return err_errno(err, "%s: cannot be made", exporter->folder);
		if (snprintf(path, PATH_LEN, "%s/manifest.new", exporter->folder) >= PATH_LEN)
			return err_set(err, ERR_BAD_REQUEST, "the folder's path is too long");
		exporter->manifest = fopen(path, "we");
		if (exporter->manifest == NULL)
			return err_errno(err, "%s: cannot write", path);
	}
	fputs(MANIFEST_FIRST_LINE "\n", exporter->manifest);
	return 0;
}

/* One that lacks something does not take the place of one that does not. */
static bool name_manifest(struct export *export, const char *path)
{
	bool partial = export->report.counts[MOVE_FAILED] > 0;
	const char *folder = export->exporter.folder;
	char name[PATH_LEN + 16], other[PATH_LEN + 16];

	snprintf(name, sizeof name, "%s/manifest", folder);
	snprintf(other, sizeof other, "%s/manifest.partial", folder);
	if (rename(path, partial ? other : name) != 0)
		return false;
	if (partial)
		cli_say(export->cli,
			"%s lacks what failed, and %s is as it was; to import without what failed, "
			"rename the one to the other",
			other, name);
	else if (unlink(other) != 0 && errno != ENOENT)
		return false;
	return true;
}

/* The last line; then the manifest takes its name. */
static int close_manifest(struct export *export, const char *path, struct err *err)
{
	struct exporter *exporter = &export->exporter;
	struct buf line;
	bool ok;

	buf_init(&line, 100);
	manifest_put_end(&line, exporter->files, exporter->bytes);
	ok = fwrite(line.data, 1, line.len, exporter->manifest) == line.len &&
	     fflush(exporter->manifest) == 0 && !ferror(exporter->manifest);
	buf_fini(&line);
	if (exporter->folder != NULL) {
		ok = ok && fsync(fileno(exporter->manifest)) == 0;
		ok = fclose(exporter->manifest) == 0 && ok;
		ok = ok && !exporter->broken && name_manifest(export, path);
	}
	return ok && !exporter->broken ? 0 : err_errno(err, "the manifest cannot be written");
}

static int export_run(struct cli *cli, const struct args *args)
{
	const char *group = args_value(args, "group");
	const struct settings *settings = cli_settings(cli);
	struct export export = { .cli = cli };
	struct exporter *exporter = &export.exporter;
	char path[PATH_LEN];
	size_t matched = 0;
	int64_t jobs;
	struct err err;

	if (args_number(args, "jobs", 1, JOBS_MAX, 4, &jobs, &err) < 0)
		return cli_fail(cli, &err);
	if (settings == NULL)
		return CLI_USAGE;
	exporter->folder = strcmp(args->operands[0], "-") == 0 ? NULL : args->operands[0];
	exporter->report = &export.report;
	if (move_report_start(
		    &export.report, cli, "exported", args_value(args, "failures"), &err) != 0 ||
		open_manifest(exporter, path, &err) != 0)
		return cli_fail(cli, &err);
	pthread_mutex_init(&exporter->lock, NULL);
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
		"Reads the stores of the [storage] sections, whether their servers run or not, "
		"and\n"
		"checks every picture.  DIR gets pictures, slave and appender files, metadata, "
		"and\n"
		"a manifest of what each is, with size, CRC-32, SHA-256 and the names that it had\n"
		"elsewhere; run again it goes on where it was cut off.  A manifest that lacks "
		"what\n"
		"failed is called manifest.partial, and leaves an older manifest alone.  \"-\" "
		"writes\n"
		"one stream.  picstore import reads both.",
	.options = options,
	.least = 1,
	.most = 1,
	.run = export_run,
};
