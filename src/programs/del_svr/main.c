/* del_svr - notes pictures to delete, so that none is forgotten.
 *
 * A request is answered once its lines are on the disk.  del_file_ontime has them deleted
 * when their time has come. */
#include "programs/del_svr/del_svr.h"
#include "service/reach.h"

static const struct frame_command commands[] = { { CMD_DELETE_LATER, "delete later" } };

static const struct frame_service del_svr = {
	.name = "del_svr",
	.summary = "notes pictures that are to be deleted later, in the delete log",
	.commands = commands,
	.command_count = sizeof commands / sizeof commands[0],
	.counters = del_svr_counters,
	.counter_count = DEL_COUNTERS,
	.reach = REACH_DELETE_LOG,
	.settings = offsetof(struct settings, del),
	.open = del_svr_open,
	.begin = del_svr_begin,
	.close = del_svr_close,
};

int main(int argc, char **argv)
{
	return frame_main(&del_svr, argc, argv);
}
