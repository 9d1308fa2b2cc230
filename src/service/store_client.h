/* store_client.h - the client of the store that a configuration names. */
#pragma once

#include "fdfs/client.h"
#include "service/settings.h"

/* What fdfs_client_new needs for it; borrows from `settings`. */
struct fdfs_client_conf store_client_conf(
	const struct settings *settings, size_t max_file_size, size_t idle_connections);
