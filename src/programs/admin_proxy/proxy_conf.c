#include "programs/admin_proxy/proxy_conf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int read_pool(
	struct proxy_pool_conf *pool, const struct proxy_service_settings *from, struct err *err)
{
	pool->timeout_ms = from->timeout;
	pool->servers = calloc(from->servers.count + 1, sizeof *pool->servers);
	assert(pool->servers != NULL);
	for (size_t i = 0; i < from->servers.count; i++) {
		pool->servers[i] = strdup(from->servers.items[i]);
		assert(pool->servers[i] != NULL);
		pool->server_count++;
	}
	return allow_init(&pool->allow, from->allow.items, from->allow.count, err);
}

struct proxy_conf *proxy_conf_new(const struct settings *settings, struct err *err)
{
	const struct proxy_settings *from = &settings->proxy;
	const struct proxy_service_settings *services[PROXY_SERVICES] = {
		[PROXY_CUT] = &from->cut,
		[PROXY_DELETE_LATER] = &from->del,
		[PROXY_DELETE_NOW] = &from->cs_del,
		[PROXY_SESSION] = &from->sess_check,
		[PROXY_METADATA] = &from->metadata,
	};
	struct proxy_conf *conf = calloc(1, sizeof *conf);

	assert(conf != NULL);
	conf->order = (enum byte_order)settings->byte_order;
	conf->max_package = (uint32_t)settings->max_package;
	conf->client_timeout_ms = settings->services_timeout;
	conf->max_connections = from->max_connections;
	conf->client_in_flight = (int)from->client_in_flight;
	conf->in_flight = (int)from->in_flight;
	conf->memory = (uint64_t)from->memory;
	conf->lanes = (int)from->connections;
	conf->server_in_flight = (uint32_t)from->server_in_flight;
	conf->queue = (size_t)from->queue;
	conf->queue_ms = from->queue_time;
	conf->connect_ms = from->connect_timeout;
	conf->ping = from->check == 0;
	conf->check_interval_ms = from->check_interval;
	conf->check_timeout_ms = from->check_timeout;
	if (allow_init(&conf->allow, from->allow.items, from->allow.count, err) != 0)
		goto fail;
	for (int i = 0; i < PROXY_SERVICES; i++)
		if (read_pool(&conf->pools[i], services[i], err) != 0)
			goto fail;
	return conf;
fail:
	proxy_conf_free(conf);
	return NULL;
}

void proxy_conf_free(struct proxy_conf *conf)
{
	if (conf == NULL)
		return;
	for (int i = 0; i < PROXY_SERVICES; i++) {
		struct proxy_pool_conf *pool = &conf->pools[i];

		for (size_t j = 0; j < pool->server_count; j++)
			free(pool->servers[j]);
		free(pool->servers);
		allow_fini(&pool->allow);
	}
	allow_fini(&conf->allow);
	free(conf);
}

bool proxy_conf_may(
	const struct proxy_conf *conf, const struct sockaddr *peer, enum proxy_service service)
{
	return peer == NULL || allow_has(&conf->allow, peer) ||
	       allow_has(&conf->pools[service].allow, peer);
}

bool proxy_conf_admits(const struct proxy_conf *conf, const struct sockaddr *peer)
{
	for (int i = 0; i < PROXY_SERVICES; i++)
		if (proxy_conf_may(conf, peer, (enum proxy_service)i))
			return true;
	return false;
}
