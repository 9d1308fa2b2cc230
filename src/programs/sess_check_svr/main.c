/* sess_check_svr - counts how often a session key is used.
 *
 * A key may be used so many times (30, unless configured otherwise); then it has expired,
 * whatever its age.  Counts are durable before they are answered. */
#include "programs/sess_check_svr/sess_check.h"
#include "service/reach.h"

static const struct frame_command commands[] = { { CMD_SESSION, "session check" } };

static const struct frame_service sess_check_svr = {
	.name = "sess_check_svr",
	.summary = "counts how often a session key is used",
	.commands = commands,
	.command_count = 1,
	.counters = sess_counters,
	.counter_count = SESS_FIGURES,
	.reach = REACH_NETWORK | REACH_SECRETS | REACH_SESSIONS,
	.settings = offsetof(struct settings, sess_check),
	.open = sess_check_open,   /* the store is opened */
	.begin = sess_check_begin, /* a check is put into the next batch */
	.close = sess_check_close,
};

int main(int argc, char **argv)
{
	return frame_main(&sess_check_svr, argc, argv);
}
