#include "service/store_client.h"

struct fdfs_client_conf store_client_conf(
	const struct settings *settings, size_t max_file_size, size_t idle_connections)
{
	return (struct fdfs_client_conf){
		.trackers = settings->tracker_server.items,
		.tracker_count = settings->tracker_server.count,
		.connect_timeout_ms = settings->connect_timeout,
		.network_timeout_ms = settings->network_timeout,
		.patience_ms = settings->patience,
		.max_file_size = max_file_size,
		.idle_connections = idle_connections,
	};
}
