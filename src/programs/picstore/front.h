/* front.h - from the words of a command line to a sub-command. */
#pragma once

#include "programs/picstore/args.h"

/* Run "picstore [options] COMMAND ...", "picstore help [COMMAND]", --help, --version or
 * "picstore help --words" (what shells complete).  Returns the exit status. */
int front_main(const struct command *const *commands, size_t count, int argc, char **argv);
