/* cmd_ls.c - picstore ls: the pictures in the volumes of this machine, and what is beside
 * them in a names.db.
 *
 * There is no index: the volumes are walked, record by record, beside a storage_server
 * that may be running. */
#include "core/clock.h"
#include "photo/local_names.h"
#include "photo/local_store.h"
#include "programs/picstore/commands.h"
#include "store/names.h"

#include <inttypes.h>
#include <string.h>

struct ls {
	struct cli *cli;
	bool json, deleted;
	size_t corrupt;
};

static bool print_line(
	const struct ls *ls, const struct file_id *file, uint64_t size, int64_t time, bool deleted)
{
	char id[FILE_ID_TEXT_MAX + 1], when[32];

	file_id_format(file, id);
	cli_time(time, ls->json, when);
	if (ls->json) {
		json_t *line = json_object();

		json_object_set_new(line, "id", json_string(id));
		json_object_set_new(line, "bytes", json_integer((json_int_t)size));
		json_object_set_new(line, "time", json_string(when));
		json_object_set_new(line, "deleted", json_boolean(deleted));
		cli_json(line);
	} else {
		printf("%s\t%" PRIu64 "\t%s%s\n", id, size, when, deleted ? "\tdeleted" : "");
	}
	return ferror(stdout) == 0;
}

static bool print_one(void *context, const struct engine_found *found)
{
	struct ls *ls = context;
	bool deleted = found->what == ENGINE_FOUND_DELETED;

	if (found->what == ENGINE_FOUND_CORRUPT) {
		ls->corrupt++;
		cli_say(ls->cli, "%s", found->err.text);
		return true;
	}
	if (found->what == ENGINE_FOUND_TORN || (deleted && !ls->deleted))
		return true;
	return print_line(ls, &found->id, found->id.size, found->id.time, deleted);
}

struct names_list {
	struct ls *ls;
	const char *group;
};

static bool print_name(void *context, const char *name, const struct names_stat *stat)
{
	const struct names_list *list = context;
	struct file_id id;

	if (stat == NULL) /* metadata: the files have all been listed */
		return false;
	return !file_id_parse_name(span_str(list->group), span_str(name), &id) ||
	       print_line(list->ls, &id, stat->size, stat->changed, false);
}

/* Slaves and appenders. */
static int list_names(struct ls *ls, const struct storage_settings *storage, struct err *err)
{
	struct names_list list = { ls, storage->group };
	int result = 0;

	for (size_t i = 0; i < local_names_count(storage) && result == 0; i++) {
		struct names *names = local_names_open(storage, i, true, err);

		result = names == NULL ? -1 : names_walk(names, print_name, &list, err);
		names_close(names);
	}
	return result;
}

static int list_storage(struct ls *ls, const struct storage_settings *storage)
{
	struct err err;
	struct engine *engine = local_store_open(cli_settings(ls->cli), storage, &err);
	int result = -1;

	if (engine != NULL)
		result = engine_walk(engine, 0, print_one, ls, &err);
	engine_close(engine);
	if (result == 0)
		result = list_names(ls, storage, &err);
	if (result == 0)
		return CLI_OK;
	cli_say(ls->cli, "[storage %s]: %s", storage->name, err.text);
	return CLI_FAILED;
}

static int ls_run(struct cli *cli, const struct args *args)
{
	const char *group = args->count > 0 ? args->operands[0] : NULL;
	const struct settings *settings = cli_settings(cli);
	struct ls ls = {
		.cli = cli,
		.json = args_has(args, "json"),
		.deleted = args_has(args, "deleted"),
	};
	int status = CLI_OK;
	size_t matched = 0;

	if (settings == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];

		if (group != NULL && strcmp(storage->group, group) != 0)
			continue;
		matched++;
		if (!local_store_is_repeated(settings, storage) &&
			list_storage(&ls, storage) != CLI_OK)
			status = CLI_FAILED;
	}
	if (matched == 0) {
		cli_say(cli, "%s has no [storage] section%s%s", settings->file,
			group == NULL ? "" : " of group ", group == NULL ? "" : group);
		return CLI_FAILED;
	}
	return ls.corrupt > 0 ? CLI_FAILED : status;
}

static const struct arg_option options[] = {
	{ 'd', "deleted", NULL, "list what was deleted as well" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_ls = {
	.name = "ls",
	.operands = "[GROUP]",
	.summary = "list the pictures in this machine's volumes",
	.about = "Prints \"ID<tab>BYTES<tab>TIME\", in no particular order.  Reads the volumes of "
		 "the\n"
		 "[storage] sections, whether their servers run or not; get and rm take the lines.",
	.options = options,
	.least = 0,
	.most = 1,
	.run = ls_run,
};
