/* proxy_conf.h - the settings of an admin_proxy, as it uses them; made anew at a reload. */
#pragma once

#include "net/allow.h"
#include "programs/admin_proxy/proxy_routes.h"
#include "service/settings.h"
#include "wire/package.h"

enum { PROXY_LANES_MAX = 16 }; /* connections to one back end */

struct proxy_pool_conf {
	char **servers; /* addresses */
	size_t server_count;
	int64_t timeout_ms;
	struct allow allow; /* who may send its commands, besides those who may send all */
};

struct proxy_conf {
	enum byte_order order;
	uint32_t max_package;
	struct proxy_pool_conf pools[PROXY_SERVICES];
	struct allow allow; /* who may send every command */
	int64_t client_timeout_ms;
	int64_t max_connections;
	int client_in_flight, in_flight;
	uint64_t memory;
	int lanes; /* connections to each back end */
	uint32_t server_in_flight;
	size_t queue; /* requests of a service that wait for a back end */
	int64_t queue_ms;
	int64_t connect_ms;
	bool ping; /* check with CMD_PING, else by connecting */
	int64_t check_interval_ms, check_timeout_ms;
};

struct proxy_conf *proxy_conf_new(const struct settings *settings, struct err *err);
void proxy_conf_free(struct proxy_conf *conf); /* NULL is fine */

/* May `peer` send commands of `service`?  NULL is somebody at a unix socket, who may. */
bool proxy_conf_may(
	const struct proxy_conf *conf, const struct sockaddr *peer, enum proxy_service service);

/* May `peer` send anything at all? */
bool proxy_conf_admits(const struct proxy_conf *conf, const struct sockaddr *peer);
