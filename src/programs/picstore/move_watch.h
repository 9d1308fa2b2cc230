/* move_watch.h - what picstore tier and picstore move share: an order for the storages of this
 * machine, and how it goes until it is done.
 *
 * The storages do the work, and go on with it when nobody watches. */
#pragma once

#include "fdfs/proto_moving.h"
#include "programs/picstore/cli.h"

/* The options that both have. */
#define MOVE_WATCH_OPTIONS                                                                         \
	{ '\0', "rate", "MIB", "so many MiB a second at most (default: as fast as it goes)" },     \
		{ '\0', "no-wait", NULL, "give the order and leave; the storage goes on" },        \
		{ '\0', "status", NULL, "give no order, tell how the last one goes" },             \
		{ '\0', "stop", NULL, "stop what is under way; what has moved stays there" },      \
	{                                                                                          \
		'\0', "json", NULL, "print a JSON object a line"                                   \
	}

/* Give `order`, its rate excepted, to the storages of `group` (NULL: all that have a cold
 * store), and watch.  `cold`: the engine that must stand behind them, or NULL: any.  Returns the
 * exit status. */
int move_watch(struct cli *cli, const struct args *args, const char *group, const char *cold,
	const struct fdfs_move_order *order);
