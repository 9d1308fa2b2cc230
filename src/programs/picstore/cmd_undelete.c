/* cmd_undelete.c - picstore undelete: take back deletes that wait for their time. */
#include "core/clock.h"
#include "deletion/delete_queue.h"
#include "programs/picstore/commands.h"

static bool undelete_one(
	struct cli *cli, struct delete_queue *queue, const char *id, uint32_t user, bool json)
{
	struct err err = { .code = ERR_NONE };
	int result = delete_queue_lock(queue, &err);

	if (result == 0) {
		result = delete_queue_take_back(queue, id, user, clock_unix() * 1000, &err);
		delete_queue_unlock(queue);
	}
	if (json) {
		json_t *line = json_object();

		json_object_set_new(line, "id", json_string(id));
		json_object_set_new(line, "undeleted", json_boolean(result == 0));
		if (result != 0)
			cli_json_error(line, &err);
		cli_json(line);
	} else if (result == 0) {
		printf("%s\tstays\n", id);
	}
	if (result != 0)
		cli_say(cli, "%s", err.text);
	return result == 0;
}

static int undelete_run(struct cli *cli, const struct args *args)
{
	const struct settings *settings = cli_settings(cli);
	struct delete_queue *queue;
	struct cli_words ids;
	size_t failed = 0;
	struct err err;
	int64_t user;

	if (settings == NULL)
		return CLI_USAGE;
	if (args_number(args, "user", 0, UINT32_MAX, 0, &user, &err) < 0)
		return cli_fail(cli, &err);
	queue = delete_queue_open(settings->del_log, false, &err);
	if (queue == NULL)
		return cli_fail(cli, &err);
	cli_words_read(args, 0, &ids);
	for (size_t i = 0; i < ids.count; i++)
		failed += !undelete_one(
			cli, queue, ids.items[i], (uint32_t)user, args_has(args, "json"));
	cli_words_fini(&ids);
	delete_queue_close(queue);
	return failed == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ 'u', "user", "N", "user number to note as who took it back (default: 0)" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_undelete = {
	.name = "undelete",
	.operands = "ID...",
	.summary = "take back deletes that wait for their time",
	.about =
		"A picture that del_svr noted stays until del_file_ontime has it deleted, "
		"older_than\n"
		"after the request; until then this takes the request back.  It waits for a batch\n"
		"of deletes that is under way.  With \"-\" as ID the first word of each line of\n"
		"stdin is an id.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = undelete_run,
};
