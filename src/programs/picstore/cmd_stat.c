/* cmd_stat.c - picstore stat: what an id says, and what the store says about it. */
#include "programs/picstore/commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
	[FILE_ID_NORMAL] = "picture",
	[FILE_ID_TRUNK] = "picture in a FastDFS trunk file",
	[FILE_ID_APPENDER] = "FastDFS appender file",
	[FILE_ID_SLAVE] = "FastDFS slave file",
};

/* Slaves and appenders: the figures in the id are not their own. */
static bool is_exact(const struct file_id *id)
{
	return id->kind == FILE_ID_NORMAL || id->kind == FILE_ID_TRUNK;
}

static void print_json(const char *text, const struct file_id *id, bool asked,
	const struct fdfs_info *info, const struct err *err)
{
	json_t *line = json_object();
	char source[16], when[32], crc[9];

	json_object_set_new(line, "id", json_string(text));
	if (id != NULL) {
		file_id_source_text(id, source);
		cli_time(id->time, true, when);
		snprintf(crc, sizeof crc, "%08" PRIx32, id->crc);
		json_object_set_new(line, "group", json_string(id->group));
		json_object_set_new(line, "kind", json_string(kinds[id->kind]));
		json_object_set_new(line, "source", json_string(source));
		json_object_set_new(line, "time", json_string(when));
		if (is_exact(id)) {
			json_object_set_new(line, "bytes", json_integer((json_int_t)id->size));
			json_object_set_new(line, "crc32", json_string(crc));
		}
		json_object_set_new(line, "ext", json_string(id->ext));
	}
	if (err->code != ERR_NONE) {
		cli_json_error(line, err);
	} else if (asked) {
		json_t *store = json_object();

		cli_time(info->time, true, when);
		snprintf(crc, sizeof crc, "%08" PRIx32, info->crc);
		json_object_set_new(store, "bytes", json_integer((json_int_t)info->size));
		json_object_set_new(store, "time", json_string(when));
		json_object_set_new(store, "crc32", json_string(crc));
		json_object_set_new(store, "source", json_string(info->source));
		json_object_set_new(line, "store", store);
	}
	cli_json(line);
}

static void print_text(
	const char *text, const struct file_id *id, bool asked, const struct fdfs_info *info)
{
	char source[16], when[32];

	file_id_source_text(id, source);
	cli_time(id->time, false, when);
	printf("%s\n  kind    %s\n  group   %s, store path %u, folder %02X/%02X\n"
	       "  source  %s %s\n  time    %s\n",
		text, kinds[id->kind], id->group, id->path, id->dir >> 8, id->dir & 0xff,
		id->source_is_id ? "storage" : "address", source, when);
	if (is_exact(id))
		printf("  size    %" PRIu64 " bytes\n  crc32   %08" PRIx32 "\n", id->size, id->crc);
	if (id->kind == FILE_ID_TRUNK)
		printf("  trunk   file %" PRIu32 ", offset %" PRIu32 ", slot %" PRIu32 "\n",
			id->trunk, id->trunk_offset, id->trunk_slot);
	if (asked) {
		cli_time(info->time, false, when);
		printf("  store   has it: %" PRIu64 " bytes, crc32 %08" PRIx32 ", %s, from %s\n",
			info->size, info->crc, when, info->source);
	}
}

static int stat_one(struct cli *cli, const char *text, bool offline, bool json)
{
	struct fdfs_client *client = offline ? NULL : cli_client(cli);
	struct err err = { .code = ERR_NONE };
	struct fdfs_info info = { 0 };
	struct file_id id;
	bool is_id = file_id_parse(span_str(text), &id);

	if (client == NULL && !offline)
		return CLI_USAGE;
	if (!is_id)
		err_set(&err, ERR_BAD_ID, "'%.160s' is not the id of a picture", text);
	else if (!offline && fdfs_stat(client, &id, &info, &err) == 0)
		err.code = ERR_NONE;
	if (json)
		print_json(text, is_id ? &id : NULL, !offline, &info, &err);
	else if (is_id)
		print_text(text, &id, !offline && err.code == ERR_NONE, &info);
	if (err.code == ERR_NONE)
		return CLI_OK;
	cli_say(cli, "%.180s: %s", text, err.text);
	return CLI_FAILED;
}

static int stat_run(struct cli *cli, const struct args *args)
{
	bool offline = args_has(args, "offline"), json = args_has(args, "json");
	struct cli_words ids;
	int status = CLI_OK;

	cli_words_read(args, 0, &ids);
	for (size_t i = 0; i < ids.count && status != CLI_USAGE; i++) {
		int one = stat_one(cli, ids.items[i], offline, json);

		status = one > status ? one : status;
	}
	cli_words_fini(&ids);
	return status;
}

static const struct arg_option options[] = {
	{ '\0', "offline", NULL, "only take the id apart, ask nobody" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_stat = {
	.name = "stat",
	.operands = "ID...",
	.summary = "show what an id says and what the store says about it",
	.about = "With \"-\" as ID the first word of each line of stdin is an id.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = stat_run,
};
