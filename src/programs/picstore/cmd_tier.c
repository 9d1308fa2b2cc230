/* cmd_tier.c - picstore tier: the bytes of old pictures go to the cold store. */
#include "core/clock.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/move_watch.h"
#include "store/mover.h"

#define AGE_MAX (INT64_C(36600) * 86400)

static int tier_run(struct cli *cli, const struct args *args)
{
	bool orders = !args_has(args, "status") && !args_has(args, "stop");
	struct fdfs_move_order order = { .action = MOVER_OUT };
	int64_t age, before;
	struct err err;

	if (args_seconds(args, "older-than", AGE_MAX, 0, &age, &err) < 0 ||
		args_number(args, "before", 0, INT64_MAX, 0, &before, &err) < 0)
		return cli_fail(cli, &err);
	if (orders && args_has(args, "older-than") == args_has(args, "before")) {
		cli_say(cli, "say which: --older-than AGE, or --before TIME");
		return CLI_USAGE;
	}
	order.before = (uint64_t)(args_has(args, "before") ? before : clock_unix() - age);
	return move_watch(cli, args, args_value(args, "group"), NULL, &order);
}

static const struct arg_option options[] = {
	{ 'g', "group", "GROUP", "only this group (default: all that have a cold store)" },
	{ 'o', "older-than", "AGE", "what was stored so long ago or longer: 90d, 12h" },
	{ '\0', "before", "TIME", "what was stored before that time, Unix seconds" },
	MOVE_WATCH_OPTIONS,
	{ 0 },
};

const struct command command_tier = {
	.name = "tier",
	.operands = "",
	.summary = "move the bytes of old pictures to the cold store",
	.about = "The storages of this machine that have a cold_engine do it, while everything "
		 "goes\n"
		 "on; each picture is read back and compared before its bytes here are erased.  "
		 "Ids\n"
		 "stay.  A storage goes on when this command or it itself is killed; run it once\n"
		 "more to watch.  picstore move --to volume brings everything back.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = tier_run,
};
