#include "programs/admin_proxy/admin_proxy.h"

#include "auth/tls.h"
#include "core/log.h"
#include "net/bind.h"
#include "net/peer_log.h"
#include "programs/admin_proxy/proxy_shield.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 1024, SOCKET_MODE = 0660, FIGURES_MS = 250 };

struct service_counter admin_proxy_counters[PROXY_FIGURES] = {
	[PROXY_REQUESTS] = { "requests", "requests that came", false, 0 },
	[PROXY_FAILED] = { "failed", "requests that no back end answered", false, 0 },
	[PROXY_REFUSED] = { "refused", "connections and packages that were not let in", false, 0 },
	[PROXY_BROKEN] = { "broken", "connections that ended within a package, or were too slow",
		false, 0 },
	[PROXY_REPEATED] = { "repeated", "requests that were sent to another back end", false, 0 },
	[PROXY_LATE] = { "late", "replies that nobody waited for any more", false, 0 },
	[PROXY_IN_FLIGHT] = { "in_flight", "requests that are not answered yet", true, 0 },
	[PROXY_QUEUED] = { "queued", "of them, those that wait for a back end", true, 0 },
	[PROXY_CONNECTIONS] = { "connections", "connections open", true, 0 },
	[PROXY_BACKENDS_UP] = { "backends_up", "back ends that are in", true, 0 },
	[PROXY_BACKENDS] = { "backends", "back ends that are configured", true, 0 },
};

#define REFUSED (&admin_proxy_counters[PROXY_REFUSED].value)
#define BROKEN  (&admin_proxy_counters[PROXY_BROKEN].value)

/* A process is one proxy. */
static struct {
	struct service_context *context;
	struct proxy_conf *conf; /* until the proxy has it */
	int fd, tls_fd;          /* until the servers have them */
	uint16_t commands[PROXY_COMMANDS_MAX];
	struct net_loop *loop;
	struct proxy *proxy;
	struct frame_server *server, *tls_server; /* the second one is NULL without TLS */
	struct tls *tls;
	struct net_timer *figures;
	struct peer_log peers;
} self = {
	.fd = -1,
	.tls_fd = -1,
	.peers.kinds = {
		[NET_REFUSED] = { REFUSED, LOG_WARN, "refused: it is on no list of [admin_proxy]" },
		[NET_TOO_MANY] = { REFUSED, LOG_WARN,
			"refused: there are too many connections already" },
		[NET_TIMED_OUT] = { BROKEN, LOG_INFO,
			"closed: it was silent or did not take its replies" },
		[NET_TOO_SLOW] = { BROKEN, LOG_INFO,
			"closed: it was slow, and others waited for the memory it held" },
		[NET_REPLACED] = { BROKEN, LOG_INFO,
			"closed: it was idle, and [admin_proxy] max_connections are open" },
		[NET_BROKEN] = { BROKEN, LOG_INFO, "closed: it sent no whole package" },
	},
};

/* What a reload brings, on its way to the loop. */
struct fresh {
	struct proxy_conf *conf;
	struct tls *tls;
};

/* ---- what comes from clients ---- */

static void begin(void *context, struct frame_request *request)
{
	(void)context;
	proxy_begin(self.proxy, request);
}

static void refused(void *context, const struct package *package, const char *peer, enum ret ret)
{
	(void)context;
	admin_proxy_counters[PROXY_REFUSED].value++;
	peer_log_refused(&self.peers, package, peer, ret, "no service has it");
}

static void trouble(void *context, enum net_trouble what, const char *peer)
{
	(void)context;
	peer_log_trouble(&self.peers, what, peer);
}

static bool admit(void *context, const struct sockaddr *peer)
{
	(void)context;
	return proxy_conf_admits(proxy_conf_now(self.proxy), peer);
}

static const struct frame_handler handler = {
	.begin = begin,
	.refused = refused,
	.trouble = trouble,
	.admit = admit,
};

/* ---- its life ---- */

int admin_proxy_listen(struct service_context *context, struct err *err)
{
	char address[ADDRESS_HOST_MAX + 16];

	self.context = context;
	self.conf = proxy_conf_new(context->settings, err);
	if (self.conf == NULL ||
		service_listen_address(context, context->settings->proxy.listen, address, err) != 0)
		return -1;
	self.fd = bind_listen(address, SOCKET_MODE, BACKLOG, err);
	if (self.fd < 0)
		return -1;
	if (context->settings->proxy.tls_listen[0] == '\0')
		return 0;
	self.tls_fd = bind_listen(context->settings->proxy.tls_listen, SOCKET_MODE, BACKLOG, err);
	return self.tls_fd < 0 ? -1 : 0;
}

static struct tls *read_tls(const struct settings *settings, struct err *err)
{
	return tls_new(
		&(struct tls_conf){
			.certificate = settings->proxy.tls_certificate,
			.key = settings->proxy.tls_key,
			.client_ca = settings->proxy.tls_client_ca,
		},
		err);
}

static struct frame_server_conf server_conf(const struct proxy_conf *conf)
{
	return (struct frame_server_conf){
		.handler = &handler,
		.commands = self.commands,
		.command_count = proxy_route_commands(self.commands),
		.order = conf->order,
		.max_package = conf->max_package,
		.in_flight = conf->client_in_flight,
		.any_order = true,
		.max_connections = conf->max_connections,
		.timeout_ms = conf->client_timeout_ms,
		.body_memory = conf->memory,
		.in_flight_all = conf->in_flight,
		.reply_memory = conf->memory,
	};
}

static void count_connections(void *context)
{
	(void)context;
	admin_proxy_counters[PROXY_CONNECTIONS].value =
		frame_server_connections(self.server) +
		(self.tls_server == NULL ? 0 : frame_server_connections(self.tls_server));
}

static int open_tls(struct frame_server_conf conf, struct err *err)
{
	if (self.tls_fd < 0)
		return 0;
	self.tls = read_tls(self.context->settings, err);
	if (self.tls == NULL)
		return -1;
	conf.shield = &proxy_shield;
	conf.shield_context = self.tls;
	conf.fd = self.tls_fd;
	self.tls_fd = -1;
	self.tls_server = frame_server_new(self.loop, &conf, err);
	return self.tls_server == NULL ? -1 : 0;
}

int admin_proxy_open(struct service_context *context, struct err *err)
{
	struct frame_server_conf conf = server_conf(self.conf);

	(void)context;
	self.loop = net_loop_new(err);
	if (self.loop == NULL)
		return -1;
	conf.fd = self.fd;
	self.fd = -1;
	self.server = frame_server_new(self.loop, &conf, err);
	if (self.server == NULL || open_tls(conf, err) != 0)
		return -1;
	self.proxy = proxy_new(self.loop, self.conf, admin_proxy_counters);
	self.conf = NULL;
	self.figures = net_timer_new(self.loop, FIGURES_MS, count_connections, NULL);
	return 0;
}

int admin_proxy_run(struct service_context *context, struct err *err)
{
	(void)context;
	return net_loop_run(self.loop, err);
}

void admin_proxy_stop(struct service_context *context)
{
	(void)context;
	net_loop_stop(self.loop);
}

static void change(void *context)
{
	struct fresh *fresh = context;
	struct frame_server_conf limits = server_conf(fresh->conf);

	proxy_change(self.proxy, fresh->conf);
	frame_server_change(self.server, &limits);
	if (self.tls_server != NULL) {
		limits.shield_context = fresh->tls;
		frame_server_change(self.tls_server, &limits);
		tls_free(self.tls);
		self.tls = fresh->tls;
	}
	free(fresh);
}

/* What was decided once for this process. */
static void warn_of_what_stays(const struct settings *old, const struct settings *fresh)
{
	if (strcmp(old->proxy.listen, fresh->proxy.listen) != 0 ||
		strcmp(old->proxy.tls_listen, fresh->proxy.tls_listen) != 0 ||
		old->byte_order != fresh->byte_order || old->max_package != fresh->max_package)
		log_warn("listen, tls_listen, byte_order and max_package change at the next "
			 "start only");
}

int admin_proxy_reload(
	struct service_context *context, const struct settings *settings, struct err *err)
{
	struct proxy_conf *conf = proxy_conf_new(settings, err);
	struct fresh *fresh = calloc(1, sizeof *fresh);

	assert(fresh != NULL);
	fresh->conf = conf;
	if (conf != NULL && self.tls_server != NULL)
		fresh->tls = read_tls(settings, err);
	if (conf == NULL || (self.tls_server != NULL && fresh->tls == NULL)) {
		proxy_conf_free(conf);
		free(fresh);
		return -1;
	}
	warn_of_what_stays(context->settings, settings);
	conf->order = (enum byte_order)context->settings->byte_order;
	conf->max_package = (uint32_t)context->settings->max_package;
	net_loop_call(self.loop, change, fresh);
	return 0;
}

void admin_proxy_close(struct service_context *context)
{
	(void)context;
	proxy_free(self.proxy);
	net_timer_free(self.figures);
	net_loop_free(self.loop);
	tls_free(self.tls);
	bind_close(self.fd);
	bind_close(self.tls_fd);
	proxy_conf_free(self.conf);
}
