#include "programs/admin_proxy/admin_proxy.h"

#include "auth/tls.h"
#include "core/address.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/log_limit.h"
#include "net/bind.h"
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
} self = { .fd = -1, .tls_fd = -1 };

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
	static struct log_limit limit;
	unsigned hidden;

	(void)context;
	admin_proxy_counters[PROXY_REFUSED].value++;
	if (!log_limit_pass(&limit, clock_mono_ms(), &hidden))
		return;
	if (ret == RET_TOO_LARGE)
		log_warn("command %u from %s refused: its package of %u bytes is over max_package",
			package->cmd, peer, package->len);
	else
		log_warn("command %u from %s refused: no service has it", package->cmd, peer);
}

static void trouble(void *context, enum net_trouble what, const char *peer)
{
	static const struct {
		enum proxy_figure figure;
		enum log_level level;
		const char *text;
	} kinds[NET_TROUBLES] = {
		[NET_REFUSED] = { PROXY_REFUSED, LOG_WARN,
			"refused: it is on no list of [admin_proxy]" },
		[NET_TOO_MANY] = { PROXY_REFUSED, LOG_WARN,
			"refused: there are too many connections already" },
		[NET_TIMED_OUT] = { PROXY_BROKEN, LOG_INFO,
			"closed: it was silent or did not take its replies" },
		[NET_TOO_SLOW] = { PROXY_BROKEN, LOG_INFO,
			"closed: it was slow, and others waited for the memory it held" },
		[NET_REPLACED] = { PROXY_BROKEN, LOG_INFO,
			"closed: it was idle, and [admin_proxy] max_connections are open" },
		[NET_BROKEN] = { PROXY_BROKEN, LOG_INFO, "closed: it sent no whole package" },
	};
	static struct log_limit limits[NET_TROUBLES];
	unsigned hidden;

	(void)context;
	admin_proxy_counters[kinds[what].figure].value++;
	if (!log_limit_pass(&limits[what], clock_mono_ms(), &hidden))
		return;
	if (hidden > 0)
		log_line(kinds[what].level, "%s %s (and %u more such lines left out)", peer,
			kinds[what].text, hidden);
	else
		log_line(kinds[what].level, "%s %s", peer, kinds[what].text);
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

static int listen_address(char out[ADDRESS_HOST_MAX + 16], struct err *err)
{
	const struct service_context *context = self.context;
	const char *configured = context->settings->proxy.listen;
	struct address address;

	if (context->listen != NULL || context->port == 0) {
		snprintf(out, ADDRESS_HOST_MAX + 16, "%s",
			context->listen != NULL ? context->listen : configured);
		return 0;
	}
	if (!address_parse(configured, &address) || address.is_unix)
		return err_set(
			err, ERR_CONFIG, "%s has no port that --port could replace", configured);
	snprintf(out, ADDRESS_HOST_MAX + 16,
		strchr(address.host, ':') != NULL ? "[%s]:%u" : "%s:%u", address.host,
		context->port);
	return 0;
}

int admin_proxy_listen(struct service_context *context, struct err *err)
{
	char address[ADDRESS_HOST_MAX + 16];

	self.context = context;
	self.conf = proxy_conf_new(context->settings, err);
	if (self.conf == NULL || listen_address(address, err) != 0)
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
