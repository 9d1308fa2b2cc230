/* services.h - the services behind admin_proxy, as commands ask them. */
#pragma once

#include "net/frame_client.h"
#include "programs/picstore/cli.h"

/* A client of the address that the option --server names, else of this installation's
 * admin_proxy; NULL, and a message, if it is none.  The caller frees it. */
struct frame_client *services_client(struct cli *cli, const struct args *args);

/* Delete pictures at once (CMD_DELETE_NOW, one by one, `threads` at a time) or have them
 * noted (CMD_DELETE_LATER).  Prints a line for each; returns the exit status. */
int services_delete(struct cli *cli, const struct args *args, uint16_t cmd, int64_t threads);

#define SERVICES_SERVER                                                                            \
	{                                                                                          \
		's', "server", "ADDRESS", "admin_proxy or service (default: as configured)"        \
	}
