/* cmd_fsck.c - picstore fsck: check, and repair, what the storages of this machine have. */
#include "photo/local_names.h"
#include "photo/local_store.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/progress.h"
#include "store/fsck_shared.h"

#include <inttypes.h>
#include <string.h>

struct check {
	struct cli *cli;
	const struct storage_settings *storage;
	bool json;
	struct progress progress;
};

static void print_problem(void *context, const char *file, const struct err *err)
{
	struct check *check = context;

	progress_hide(&check->progress);
	if (check->json) {
		json_t *line = json_object();

		json_object_set_new(line, "storage", json_string(check->storage->name));
		json_object_set_new(line, "file", json_string(file));
		cli_json_error(line, err);
		cli_json(line);
	} else {
		printf("%s: %s\n", file, err->text);
	}
}

static bool show_progress(void *context, const struct fsck_totals *totals)
{
	struct check *check = context;

	progress_set(&check->progress, totals->bytes_read >> 20, totals->bytes >> 20,
		totals->bytes_read);
	return true;
}

static void print_totals_json(const struct check *check, const struct fsck_totals *totals)
{
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{ "volumes", totals->volumes },
		{ "pictures", totals->pictures },
		{ "picture_bytes", totals->picture_bytes },
		{ "cold", totals->cold },
		{ "cold_bytes", totals->cold_bytes },
		{ "deleted", totals->deleted },
		{ "corrupt", totals->corrupt },
		{ "unreadable", totals->unreadable },
		{ "torn", totals->torn },
		{ "unerased", totals->unerased },
		{ "unerased_bytes", totals->unerased_bytes },
		{ "erased", totals->erased },
		{ "unknown_bytes", totals->unknown_bytes },
		{ "heads", totals->heads },
		{ "ends", totals->ends },
		{ "repaired", totals->repaired },
		{ "names", totals->names },
		{ "name_bytes", totals->name_bytes },
		{ "metadata", totals->metadata },
		{ "stray_metadata", totals->stray_metadata },
		{ "quarantined", totals->quarantined },
		{ "bytes", totals->bytes },
	};
	json_t *line = json_object();

	json_object_set_new(line, "storage", json_string(check->storage->name));
	json_object_set_new(line, "clean", json_boolean(fsck_clean(totals)));
	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
		json_object_set_new(
			line, figures[i].name, json_integer((json_int_t)figures[i].value));
	cli_json(line);
}

static void print_figure(const char *what, uint64_t count)
{
	if (count > 0)
		printf(", %" PRIu64 " %s", count, what);
}

static void print_totals(const struct check *check, const struct fsck_totals *totals)
{
	char size[16];

	progress_size(size, totals->picture_bytes);
	printf("%s: %s: %" PRIu64 " pictures of %s", check->storage->name,
		fsck_clean(totals) ? "clean" : "NOT CLEAN", totals->pictures, size);
	if (!settings_are_shared(check->storage))
		printf(", volumes: %" PRIu64, totals->volumes);
	print_figure("of them with their bytes in the cold store", totals->cold);
	print_figure("files found by name", totals->names);
	print_figure("with metadata", totals->metadata);
	print_figure("of them deleted", totals->stray_metadata);
	print_figure("deleted", totals->deleted);
	print_figure("corrupt", totals->corrupt);
	print_figure(settings_are_shared(check->storage) ? "that could not be read"
							 : "volumes that cannot be read",
		totals->unreadable);
	print_figure("uploads that were cut off", totals->torn);
	print_figure("deleted or cold and not yet erased", totals->unerased);
	print_figure("erased now", totals->erased);
	print_figure("bytes of no record", totals->unknown_bytes);
	print_figure("damaged heads", totals->heads);
	print_figure("damaged ends", totals->ends);
	print_figure("repaired", totals->repaired);
	print_figure("on the quarantine list", totals->quarantined);
	putchar('\n');
}

static int run_shared(const struct check *check, const struct fsck *fsck,
	struct fsck_totals *totals, struct err *err)
{
	const struct storage_settings *storage = check->storage;
	struct engine *engine = local_store_open(cli_settings(check->cli), storage, err);
	struct names *names = NULL;
	int result = -1;

	if (engine != NULL && local_names_count(storage) > 0)
		names = local_names_open(storage, 0, !fsck->repair, err);
	if (engine != NULL)
		result = fsck_shared(fsck, engine, names, storage->group, totals, err);
	names_close(names);
	engine_close(engine);
	return result;
}

static int check_storage(struct check *check, bool quick, bool repair)
{
	const struct storage_settings *storage = check->storage;
	const struct fsck fsck = {
		.group = storage->group,
		.paths = storage->store_path.items,
		.path_count = storage->store_path.count,
		.headers_only = quick,
		.repair = repair,
		.problem = print_problem,
		.progress = show_progress,
		.context = check,
	};
	struct fsck_totals totals = { 0 };
	struct err err;
	int result;

	if (!local_store_has_volumes(storage) && !settings_are_shared(storage)) {
		cli_say(check->cli, "[storage %s]: its engine keeps no volumes", storage->name);
		return CLI_FAILED;
	}
	/* How much there is to check comes with the first report. */
	progress_start(&check->progress, "checked", SIZE_MAX);
	result = settings_are_shared(storage) ? run_shared(check, &fsck, &totals, &err)
					      : fsck_run(&fsck, &totals, &err);
	progress_drop(&check->progress);
	if (result < 0) {
		cli_say(check->cli, "[storage %s]: %s%s", storage->name, err.text,
			err.code == ERR_BUSY && !settings_are_shared(storage)
				? "; stop its storage_server to repair"
				: "");
		return CLI_FAILED;
	}
	if (check->json)
		print_totals_json(check, &totals);
	else
		print_totals(check, &totals);
	return fsck_clean(&totals) ? CLI_OK : CLI_FAILED;
}

static int fsck_command(struct cli *cli, const struct args *args)
{
	const char *group = args->count > 0 ? args->operands[0] : NULL;
	const struct settings *settings = cli_settings(cli);
	struct check check = { .cli = cli, .json = args_has(args, "json") };
	int status = CLI_OK;
	size_t matched = 0;

	if (settings == NULL)
		return CLI_USAGE;
	if (args_has(args, "repair") && args_has(args, "quick")) {
		cli_say(cli, "--repair reads everything: it cannot be quick");
		return CLI_USAGE;
	}
	for (size_t i = 0; i < settings->storage_count; i++) {
		check.storage = &settings->storages[i];
		if (group != NULL && strcmp(check.storage->group, group) != 0)
			continue;
		matched++;
		if (local_store_is_repeated(settings, check.storage))
			continue;
		if (check_storage(&check, args_has(args, "quick"), args_has(args, "repair")) !=
			CLI_OK)
			status = CLI_FAILED;
	}
	if (matched == 0) {
		cli_say(cli, "%s has no [storage] section%s%s", settings->file,
			group == NULL ? "" : " of group ", group == NULL ? "" : group);
		return CLI_FAILED;
	}
	return status;
}

static const struct arg_option options[] = {
	{ 'r', "repair", NULL, "repair what can be; the storage_servers must be stopped" },
	{ 'q', "quick", NULL, "check headers alone, do not read contents" },
	{ '\0', "json", NULL, "print a JSON object a line: problems, then figures" },
	{ 0 },
};

const struct command command_fsck = {
	.name = "fsck",
	.operands = "[GROUP]",
	.summary = "check everything that this machine's storages have",
	.about = "Every record in volumes, every object of a shared group.  Without --repair it\n"
		 "reads beside running servers and changes nothing.  A repair takes nothing away\n"
		 "that anybody can still get.  Exit status 1 if anything is wrong.",
	.options = options,
	.least = 0,
	.most = 1,
	.run = fsck_command,
};
