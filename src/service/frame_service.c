#include "service/frame_service.h"

#include "core/log.h"
#include "net/bind.h"
#include "net/peer_log.h"
#include "service/frame_pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BACKLOG = 1024,
	IN_FLIGHT = 256,
	SOCKET_MODE = 0660,
	BODY_MEMORY = 64 << 20,
	COMMANDS_MAX = 64,
	FIGURES_MS = 250,
};

/* A process is one such daemon, and frame_service_reply has nothing but the request. */
static struct {
	const struct frame_service *service;
	struct service_context *context;
	const struct frame_settings *settings;
	uint16_t commands[COMMANDS_MAX];
	struct allow allow;
	int fd; /* until the server has it */
	struct net_loop *loop;
	struct frame_server *server;
	struct frame_pool *pool;
	struct net_timer *figures;
	struct peer_log peers;
} self = { .fd = -1 };

static void add(enum frame_figure figure, int64_t value)
{
	atomic_fetch_add(&self.service->counters[figure].value, value);
}

static const char *command_name(uint16_t cmd, char out[16])
{
	for (size_t i = 0; i < self.service->command_count; i++)
		if (self.service->commands[i].cmd == cmd)
			return self.service->commands[i].name;
	snprintf(out, 16, "command %u", cmd);
	return out;
}

/* What the caller did wrong is worth a line; what this machine did wrong an alarm. */
static enum log_level level_of(enum err_code code)
{
	switch (code) {
	case ERR_CORRUPT:
		return LOG_ALARM;
	case ERR_FULL:
	case ERR_IO:
	case ERR_INTERNAL:
	case ERR_UNKNOWN:
	case ERR_CONFIG:
		return LOG_ERROR;
	case ERR_BUSY:
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
		return LOG_WARN;
	default:
		return LOG_INFO;
	}
}

void frame_service_reply_init(struct buf *reply)
{
	buf_init(reply, (size_t)self.context->settings->max_package - PACKAGE_HEADER_LEN);
}

void frame_service_reply(struct frame_request *request, struct buf *reply, const struct err *err)
{
	struct err too_long;
	char number[16];

	if (err == NULL && reply != NULL && !buf_ok(reply)) {
		err_set(&too_long, ERR_TOO_LARGE, "the reply is longer than max_package");
		err = &too_long;
	}
	if (err != NULL) {
		add(FRAME_FAILED, 1);
		log_line(level_of(err->code), "%s %u/%u from %s failed: %s: %s",
			command_name(request->package.cmd, number), request->package.id,
			request->package.seq, request->peer, err_word(err->code), err->text);
	}
	frame_reply(request, err == NULL ? RET_OK : ret_of_err(err->code), reply);
}

static void answer(void *context, struct frame_request *request)
{
	struct err err = { .code = ERR_INTERNAL, .text = "it failed without a reason" };
	struct buf reply;
	int result;

	(void)context;
	frame_service_reply_init(&reply);
	result = self.service->answer(self.context->state, request, &reply, &err);
	frame_service_reply(request, &reply, result == 0 ? NULL : &err);
	buf_fini(&reply);
}

static void begin(void *context, struct frame_request *request)
{
	(void)context;
	add(FRAME_REQUESTS, 1);
	if (self.service->begin != NULL)
		self.service->begin(self.context->state, request);
	else
		frame_pool_add(self.pool, request);
}

static void refused(void *context, const struct package *package, const char *peer, enum ret ret)
{
	(void)context;
	add(FRAME_REFUSED, 1);
	peer_log_refused(&self.peers, package, peer, ret, "it is none of ours");
}

static void trouble(void *context, enum net_trouble what, const char *peer)
{
	(void)context;
	peer_log_trouble(&self.peers, what, peer);
}

static void describe_troubles(void)
{
	_Atomic int64_t *refused = &self.service->counters[FRAME_REFUSED].value;
	_Atomic int64_t *broken = &self.service->counters[FRAME_BROKEN].value;
	struct peer_kind *kinds = self.peers.kinds;

	kinds[NET_REFUSED] = (struct peer_kind){ refused, LOG_WARN,
		"refused: it is not on [services] allow" };
	kinds[NET_TOO_MANY] = (struct peer_kind){ refused, LOG_WARN,
		"refused: there are [services] max_connections already" };
	kinds[NET_TIMED_OUT] = (struct peer_kind){ broken, LOG_INFO,
		"closed: it was silent for too long" };
	kinds[NET_TOO_SLOW] = (struct peer_kind){ broken, LOG_INFO,
		"closed: it was slow, and others waited for the memory it held" };
	kinds[NET_REPLACED] = (struct peer_kind){ broken, LOG_INFO,
		"closed: it was idle, and [services] max_connections are open" };
	kinds[NET_BROKEN] = (struct peer_kind){ broken, LOG_INFO,
		"closed: it sent no whole package" };
}

static const struct frame_handler handler = {
	.begin = begin,
	.refused = refused,
	.trouble = trouble,
};

static int frame_listen(struct service_context *context, struct err *err)
{
	char address[ADDRESS_HOST_MAX + 16];
	const struct settings *settings = context->settings;

	self.context = context;
	describe_troubles();
	self.settings = (const void *)((const char *)settings + self.service->settings);
	if (allow_init(&self.allow, settings->services_allow.items, settings->services_allow.count,
		    err) != 0 ||
		service_listen_address(context, self.settings->listen, address, err) != 0)
		return -1;
	self.fd = bind_listen(address, SOCKET_MODE, BACKLOG, err);
	return self.fd < 0 ? -1 : 0;
}

static int start_server(struct err *err)
{
	const struct settings *settings = self.context->settings;
	struct frame_server_conf conf = {
		.handler = &handler,
		.fd = self.fd,
		.commands = self.commands,
		.command_count = self.service->command_count,
		.order = (enum byte_order)settings->byte_order,
		.max_package = (uint32_t)settings->max_package,
		.in_flight = self.service->in_flight == 0 ? IN_FLIGHT : self.service->in_flight,
		.any_order = self.service->any_order,
		.allow = &self.allow,
		.max_connections = settings->services_max_connections,
		.timeout_ms = settings->services_timeout,
		.body_memory = BODY_MEMORY,
	};

	assert(self.service->command_count <= COMMANDS_MAX);
	for (size_t i = 0; i < self.service->command_count; i++)
		self.commands[i] = self.service->commands[i].cmd;
	self.fd = -1;
	self.server = frame_server_new(self.loop, &conf, err);
	return self.server == NULL ? -1 : 0;
}

static void count_connections(void *context)
{
	(void)context;
	atomic_store(&self.service->counters[FRAME_CONNECTIONS].value,
		frame_server_connections(self.server));
}

static int frame_open(struct service_context *context, struct err *err)
{
	if (self.service->open != NULL && self.service->open(context, err) != 0)
		return -1;
	if (self.service->answer != NULL) {
		self.pool = frame_pool_new(self.settings->threads, answer, NULL, err);
		if (self.pool == NULL)
			return -1;
	}
	self.loop = net_loop_new(err);
	if (self.loop == NULL || start_server(err) != 0)
		return -1;
	self.figures = net_timer_new(self.loop, FIGURES_MS, count_connections, NULL);
	return 0;
}

static int frame_run(struct service_context *context, struct err *err)
{
	(void)context;
	return net_loop_run(self.loop, err);
}

static void frame_stop(struct service_context *context)
{
	(void)context;
	net_loop_stop(self.loop);
}

static void frame_close(struct service_context *context)
{
	frame_pool_free(self.pool);
	net_timer_free(self.figures);
	net_loop_free(self.loop);
	bind_close(self.fd);
	allow_fini(&self.allow);
	if (self.service->close != NULL)
		self.service->close(context);
}

int frame_main(const struct frame_service *service, int argc, char **argv)
{
	const struct service daemon = {
		.name = service->name,
		.summary = service->summary,
		.has_ports = true,
		.counters = service->counters,
		.counter_count = service->counter_count,
		.reach = service->reach,
		.listen = frame_listen,
		.open = frame_open,
		.run = frame_run,
		.stop = frame_stop,
		.close = frame_close,
	};

	self.service = service;
	return service_main(&daemon, argc, argv);
}
