/* client.c - making clients, and what their calls share. */
#include "fdfs/client.h"

#include "core/clock.h"
#include "core/crc32.h"
#include "fdfs/client_inside.h"

#include <stdlib.h>

struct fdfs_client *fdfs_client_new(const struct fdfs_client_conf *conf, struct err *err)
{
	struct fdfs_client *client = calloc(1, sizeof *client);

	if (client == NULL)
		abort();
	client->connect_ms = conf->connect_timeout_ms;
	client->network_ms = conf->network_timeout_ms;
	client->patience_ms = conf->patience_ms != 0 ? conf->patience_ms : conf->network_timeout_ms;
	client->repeat_uploads = conf->repeat_uploads;
	client->max_file_size = conf->max_file_size;
	client->pool = fdfs_pool_new(conf->idle_connections);
	client->trackers = fdfs_trackers_new(conf, client->pool, err);
	if (client->trackers == NULL) {
		fdfs_client_free(client);
		return NULL;
	}
	return client;
}

void fdfs_client_free(struct fdfs_client *client)
{
	if (client == NULL)
		return;
	fdfs_trackers_free(client->trackers);
	fdfs_pool_free(client->pool);
	free(client);
}

int64_t fdfs_client_deadline(const struct fdfs_client *client)
{
	return clock_mono_ms() + client->network_ms;
}

static bool was_tried(const struct fdfs_tried *tried, const struct fdfs_peer *peer)
{
	for (size_t i = 0; i < tried->count; i++)
		if (fdfs_peer_equal(&tried->peers[i], peer))
			return true;
	return false;
}

const struct fdfs_peer *fdfs_tried_next(struct fdfs_tried *tried, const struct fdfs_route *route)
{
	for (size_t i = 0; i < route->count && tried->count < CLIENT_TRIES_MAX; i++) {
		struct fdfs_peer *peer = &tried->peers[tried->count];

		if (fdfs_peer_at(route->to[i].ip, route->to[i].port, peer) &&
			!was_tried(tried, peer)) {
			tried->count++;
			return peer;
		}
	}
	return NULL;
}

bool fdfs_tried_knows_more(const struct fdfs_tried *tried, const struct fdfs_route *route)
{
	struct fdfs_tried copy = *tried;

	return fdfs_tried_next(&copy, route) != NULL;
}

bool fdfs_client_is_exact(const struct file_id *id)
{
	return id->kind == FILE_ID_NORMAL || id->kind == FILE_ID_TRUNK;
}

bool fdfs_client_crc_matches(struct span content, uint32_t crc)
{
	return crc32_add(0, content) == crc || crc32_fastdfs_old(content) == crc;
}
