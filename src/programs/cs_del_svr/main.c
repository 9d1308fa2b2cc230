/* cs_del_svr - deletes stored pictures now.
 *
 * A request is answered once each picture is gone from store and caches, in this order: a
 * cache that is purged first could fetch the picture anew. */
#include "programs/cs_del_svr/cs_del_svr.h"
#include "service/reach.h"

static const struct frame_command commands[] = { { CMD_DELETE_NOW, "delete now" } };

static const struct frame_service cs_del_svr = {
	.name = "cs_del_svr",
	.summary = "deletes stored pictures in the store and in every cache, with a receipt",
	.commands = commands,
	.command_count = sizeof commands / sizeof commands[0],
	.counters = cs_del_counters,
	.counter_count = CS_DEL_COUNTERS,
	.reach = REACH_NETWORK | REACH_RECEIPTS | REACH_CUTS,
	.settings = offsetof(struct settings, cs_del),
	.open = cs_del_open,
	.answer = cs_del_answer,
	.close = cs_del_close,
};

int main(int argc, char **argv)
{
	return frame_main(&cs_del_svr, argc, argv);
}
