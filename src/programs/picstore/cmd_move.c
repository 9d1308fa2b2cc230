/* cmd_move.c - picstore move: a group's bytes go to another engine, or come back. */
#include "programs/picstore/commands.h"
#include "programs/picstore/move_watch.h"
#include "store/mover.h"

#include <string.h>

static int move_run(struct cli *cli, const struct args *args)
{
	bool orders = !args_has(args, "status") && !args_has(args, "stop");
	const char *group = args_value(args, "group"), *to = args_value(args, "to");
	struct fdfs_move_order order = { .action = MOVER_STAY };

	if (group == NULL || (orders && to == NULL)) {
		cli_say(cli, "%s is missing; see \"picstore help move\"",
			group == NULL ? "--group" : "--to");
		return CLI_USAGE;
	}
	if (to != NULL && strcmp(to, "volume") == 0) {
		order.action = MOVER_BACK;
		to = NULL;
	}
	return move_watch(cli, args, group, to, &order);
}

static const struct arg_option options[] = {
	{ 'g', "group", "GROUP", "the group" },
	{ 't', "to", "ENGINE", "where to: its cold_engine, or \"volume\": back" },
	MOVE_WATCH_OPTIONS,
	{ 0 },
};

const struct command command_move = {
	.name = "move",
	.operands = "",
	.summary = "move a group's bytes to another engine, or back",
	.about =
		"As picstore tier does, whatever the age; and what is uploaded later follows in a\n"
		"second or so, until it is moved back or told to --stop.  With \"--to volume\" "
		"all\n"
		"bytes come back to the volumes.  Nothing stops meanwhile, and ids stay.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = move_run,
};
