/* up_ports.h - whether an address is free to listen on, and who has it if not. */
#pragma once

#include "core/err.h"

/* Returns 0 if `address` ("host:port") can be bound; else -1 and ERR_EXISTS with a
 * sentence that names `part`, which is to listen there, and who is there now as far as
 * that can be told. */
int up_port_free(const char *part, const char *address, struct err *err);
