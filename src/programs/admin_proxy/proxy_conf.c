#include "programs/admin_proxy/proxy_conf.h"

#include "core/address.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_server(struct proxy_pool_conf *pool, const char *address)
{
	pool->servers[pool->server_count] = strdup(address);
	assert(pool->servers[pool->server_count] != NULL);
	pool->server_count++;
}

/* The instances of a service on this machine, as its own section says. */
static void add_local(struct proxy_pool_conf *pool, const struct frame_settings *local)
{
	char where[ADDRESS_HOST_MAX + 16], out[ADDRESS_HOST_MAX + 32];
	struct address address;

	for (int64_t i = 0; i == 0 || i < local->instances; i++) {
		if (!address_in_row(local->listen, i, where))
			break;
		address_parse(where, &address);
		if (strcmp(address.host, "0.0.0.0") == 0)
			snprintf(out, sizeof out, "127.0.0.1:%u", address.port);
		else if (strcmp(address.host, "::") == 0)
			snprintf(out, sizeof out, "[::1]:%u", address.port);
		else
			snprintf(out, sizeof out, "%s", where);
		add_server(pool, out);
	}
	if (pool->server_count == 0) /* a unix socket, which has no row */
		add_server(pool, local->listen);
}

static int read_pool(struct proxy_pool_conf *pool, const struct proxy_service_settings *from,
	const struct frame_settings *local, struct err *err)
{
	size_t count = from->servers.count;
	bool none = count == 1 && strcmp(from->servers.items[0], "none") == 0;
	size_t room = count + (local == NULL ? 0 : (size_t)local->instances) + 1;

	pool->timeout_ms = from->timeout;
	pool->servers = calloc(room, sizeof *pool->servers);
	assert(pool->servers != NULL);
	for (size_t i = 0; i < count && !none; i++)
		add_server(pool, from->servers.items[i]);
	if (count == 0 && local != NULL)
		add_local(pool, local);
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
	const struct frame_settings *local[PROXY_SERVICES] = {
		[PROXY_CUT] = &settings->cut,
		[PROXY_DELETE_LATER] = &settings->del,
		[PROXY_DELETE_NOW] = &settings->cs_del,
		[PROXY_SESSION] = &settings->sess_check,
		[PROXY_METADATA] = &settings->metadata,
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
		if (read_pool(&conf->pools[i], services[i], local[i], err) != 0)
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
