/* cut_svr - cuts rectangles out of stored pictures and scales them.
 *
 * What is made is a picture of its own, in the group of its source.  The same request has
 * the same picture for an answer, which is made once. */
#include "programs/cut_svr/cut_svr.h"
#include "service/reach.h"

static const struct frame_command commands[] = { { CMD_CUT, "cut" } };

static const struct frame_service cut_svr = {
	.name = "cut_svr",
	.summary = "cuts rectangles out of stored pictures and scales them",
	.commands = commands,
	.command_count = sizeof commands / sizeof commands[0],
	.counters = cut_svr_counters,
	.counter_count = CUT_SVR_COUNTERS,
	.reach = REACH_NETWORK | REACH_STORES | REACH_CUTS,
	.settings = offsetof(struct settings, cut),
	.any_order = true, /* a cut that is remembered does not wait for one that is made */
	.open = cut_svr_open,
	.answer = cut_svr_answer,
	.close = cut_svr_close,
};

int main(int argc, char **argv)
{
	return frame_main(&cut_svr, argc, argv);
}
