/* picstore - how a person uses a picture store.
 *
 * The list below is all there is: each command is a table of its own, which help, shell
 * completion and the man page are made from. */
#include "programs/picstore/commands.h"
#include "programs/picstore/front.h"

/* In the order of the help. */
static const struct command *const commands[] = {
	&command_up,
	&command_put,
	&command_get,
	&command_rm,
	&command_undelete,
	&command_receipt,
	&command_cut,
	&command_stat,
	&command_ls,
	&command_token,
	&command_session,
	&command_doctor,
	&command_status,
	&command_fsck,
	&command_backup,
	&command_restore,
	&command_export,
	&command_import,
	&command_tier,
	&command_move,
	&command_reindex,
	&command_config,
};

int main(int argc, char **argv)
{
	return front_main(commands, sizeof commands / sizeof commands[0], argc, argv);
}
