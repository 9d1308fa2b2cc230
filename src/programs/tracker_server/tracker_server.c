#include "programs/tracker_server/tracker_server.h"

#include "core/address.h"
#include "core/clock.h"
#include "core/log.h"
#include "fdfs/fdfs_server.h"
#include "net/bind.h"
#include "programs/tracker_server/cluster_memory.h"
#include "programs/tracker_server/tracker_answers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picstore_build.h"

enum { BACKLOG = 1024, TICK_MS = 100, REPLY_MAX = 32 << 20 };

struct tracker {
	struct tracker_answers answers;
	struct allow allow;
	struct peer_log peers;
	const char *memory; /* file; empty: none */
	int fd;
	struct net_loop *loop;
	struct net_server *server;
	struct net_timer *timer;
};

#define COUNTER(name, gauge, help)                                                                 \
	{                                                                                          \
		name, help, gauge, 0                                                               \
	}

struct service_counter tracker_counters[TRACKER_COUNTERS] = {
	[TRACKER_CONNECTIONS] = COUNTER("connections", true, "open connections"),
	[TRACKER_REQUESTS] = COUNTER("requests", false, "requests answered, beats apart"),
	[TRACKER_FAILED] = COUNTER("requests_failed", false, "of them with a status other than 0"),
	[TRACKER_UPLOADS_ROUTED] = COUNTER("uploads_routed", false, "answers where to upload"),
	[TRACKER_FETCHES_ROUTED] = COUNTER("fetches_routed", false, "answers where a file is"),
	[TRACKER_BEATS] = COUNTER("beats", false, "beats of storages"),
	[TRACKER_STORAGES_UP] = COUNTER("storages_up", true, "storages that are up"),
	[TRACKER_REFUSED] = COUNTER("refused", false, "connections from other addresses"),
	[TRACKER_TOO_MANY] = COUNTER("too_many", false, "connections over max_connections"),
	[TRACKER_TIMEOUTS] = COUNTER("timeouts", false, "connections closed for their silence"),
	[TRACKER_BROKEN] = COUNTER("broken", false, "connections ended within a request"),
};

static void count(enum tracker_counter which)
{
	tracker_counters[which].value++;
}

static void on_change(void *context, const struct cluster_storage *storage, bool up)
{
	const struct fdfs_beat *beat = &storage->beat;

	(void)context;
	log_line(up ? LOG_INFO : LOG_WARN, "storage %s of group %s at %s:%u is %s", beat->id,
		beat->group, beat->address.ip, beat->address.port, up ? "up" : "down");
	tracker_counters[TRACKER_STORAGES_UP].value += up ? 1 : -1;
}

static void on_tick(void *context)
{
	struct tracker *tracker = context;

	tracker->answers.self.connections = (uint32_t)net_server_connections(tracker->server);
	tracker->answers.self.connections_max = (uint32_t)net_server_connections_max(
		tracker->server);
	tracker_counters[TRACKER_CONNECTIONS].value = net_server_connections(tracker->server);
	cluster_changes(&tracker->answers.cluster, clock_mono_ms(), on_change, tracker);
}

static struct net_verdict on_header(void *context, const uint8_t *bytes)
{
	struct fdfs_header header = fdfs_header_read(bytes);

	(void)context;
	if (header.cmd == FDFS_QUIT || header.len < 0 || header.len > TRACKER_BODY_MAX)
		return (struct net_verdict){ NET_CLOSE, 0 };
	return (struct net_verdict){ NET_COLLECT, (uint64_t)header.len };
}

static void count_request(uint8_t cmd)
{
	if (cmd == FDFS_BEAT) {
		count(TRACKER_BEATS);
		return;
	}
	count(TRACKER_REQUESTS);
	if (cmd == FDFS_QUERY_STORE_ONE || cmd == FDFS_QUERY_STORE_ALL ||
		cmd == FDFS_QUERY_STORE_GROUP_ONE || cmd == FDFS_QUERY_STORE_GROUP_ALL)
		count(TRACKER_UPLOADS_ROUTED);
	else if (cmd == FDFS_QUERY_FETCH_ONE || cmd == FDFS_QUERY_FETCH_ALL ||
		 cmd == FDFS_QUERY_UPDATE)
		count(TRACKER_FETCHES_ROUTED);
}

static void remember(struct tracker *tracker)
{
	struct err err;

	if (!tracker->answers.cluster.news)
		return;
	tracker->answers.cluster.news = false;
	if (tracker->memory[0] != '\0' &&
		cluster_memory_save(&tracker->answers.cluster, tracker->memory, &err) != 0)
		log_warn("cannot remember the storages: %s", err.text);
}

static void on_request(void *context, struct net_request *request)
{
	struct tracker *tracker = context;
	uint8_t cmd = fdfs_header_read(request->header).cmd;
	int64_t now_ms = clock_mono_ms();
	struct err err = { 0 };
	struct buf out;

	/* What stands for the connection is the connection's own memory of it. */
	if (cmd == FDFS_BEAT)
		*request->mine = request->mine;
	buf_init(&out, REPLY_MAX);
	count_request(cmd);
	if (tracker_answer(&tracker->answers, cmd, request->body, request->mine, now_ms,
		    clock_unix(), &out, &err) == 0 &&
		!buf_ok(&out))
		err_set(&err, ERR_INTERNAL, "the answer is over %d bytes", REPLY_MAX);
	if (err.code != ERR_NONE) {
		count(TRACKER_FAILED);
		log_line(err.code == ERR_NOT_FOUND ? LOG_INFO : LOG_WARN, "%s: command %u: %s: %s",
			request->peer, cmd, err_word(err.code), err.text);
	} else if (cmd == FDFS_BEAT) {
		cluster_changes(&tracker->answers.cluster, now_ms, on_change, tracker);
		remember(tracker);
	}
	fdfs_reply(request, (uint8_t)err_fdfs_status(err.code), &out);
	buf_fini(&out);
}

static void on_ended(void *context, void *link)
{
	struct tracker *tracker = context;

	cluster_link_ended(&tracker->answers.cluster, link);
	cluster_changes(&tracker->answers.cluster, clock_mono_ms(), on_change, tracker);
}

static void on_trouble(void *context, enum net_trouble what, const char *peer)
{
	struct tracker *tracker = context;

	peer_log_trouble(&tracker->peers, what, peer);
}

static const struct net_protocol protocol = {
	.header_len = FDFS_HEADER_LEN,
	.judge = on_header,
	.answer = on_request,
	.ended = on_ended,
	.trouble = on_trouble,
};

int tracker_listen(struct service_context *context, struct err *err)
{
	struct tracker *tracker = calloc(1, sizeof *tracker);

	assert(tracker != NULL);
	context->state = tracker;
	tracker->fd = bind_listen(
		context->listen != NULL ? context->listen : context->settings->tracker_listen, 0660,
		BACKLOG, err);
	return tracker->fd < 0 ? -1 : 0;
}

/* Groups of this machine are known from the start: while their storages are starting, or
 * down, their pictures are out of reach, not unheard of. */
static void expect_groups(struct cluster *cluster, const struct settings *settings)
{
	for (size_t i = 0; i < settings->storage_count; i++)
		cluster_expect(cluster, settings->storages[i].group);
}

/* Nobody can be told of "all addresses": then the endpoint stays empty. */
static void describe_self(
	struct tracker_self *self, const struct settings *settings, const char *bound)
{
	const char *text = settings->tracker_advertise[0] != '\0' ? settings->tracker_advertise
								  : bound;
	struct fdfs_address told;
	struct address address;

	self->started = clock_unix();
	snprintf(self->version, sizeof self->version, "%.8s", PICSTORE_VERSION);
	if (!address_parse(text, &address) || address.is_unix ||
		strlen(address.host) > FDFS_IP_MAX || strcmp(address.host, "0.0.0.0") == 0 ||
		strcmp(address.host, "::") == 0)
		return;
	snprintf(told.ip, sizeof told.ip, "%.*s", FDFS_IP_MAX, address.host);
	told.port = address.port;
	fdfs_endpoint(&told, self->endpoint);
}

/* Those that are down now are heard of all the same. */
static void recall(struct tracker *tracker)
{
	struct err err;
	size_t bad;

	if (tracker->memory[0] == '\0')
		return;
	if (cluster_memory_load(&tracker->answers.cluster, tracker->memory, &bad, &err) != 0)
		log_warn("cannot tell which storages there were: %s", err.text);
	else if (bad > 0)
		log_warn("%s: %zu lines make no sense and are left out", tracker->memory, bad);
}

static void describe_troubles(struct peer_log *peers)
{
	const struct fdfs_trouble_counters counters = {
		.refused = &tracker_counters[TRACKER_REFUSED].value,
		.too_many = &tracker_counters[TRACKER_TOO_MANY].value,
		.timeouts = &tracker_counters[TRACKER_TIMEOUTS].value,
		.broken = &tracker_counters[TRACKER_BROKEN].value,
	};

	fdfs_describe_troubles(peers, &counters);
}

int tracker_open(struct service_context *context, struct err *err)
{
	struct tracker *tracker = context->state;
	const struct settings *settings = context->settings;
	struct net_server_conf conf = {
		.protocol = &protocol,
		.context = tracker,
		.allow = &tracker->allow,
		.max_connections = settings->max_connections,
		.timeout_ms = settings->network_timeout,
		.body_memory = REPLY_MAX,
	};
	char address[SOCKADDR_TEXT_MAX];

	tracker->answers.ip_width = (enum fdfs_ip_width)settings->ip_width;
	tracker->answers.layout = (enum fdfs_layout)settings->record_layout;
	cluster_init(&tracker->answers.cluster, (enum cluster_lookup)settings->store_lookup,
		settings->store_group, settings->beat_timeout);
	expect_groups(&tracker->answers.cluster, settings);
	tracker->memory = settings->tracker_memory;
	recall(tracker);
	describe_troubles(&tracker->peers);
	if (allow_init(&tracker->allow, settings->allow.items, settings->allow.count, err) != 0)
		return -1;
	tracker->loop = net_loop_new(err);
	if (tracker->loop == NULL)
		return -1;
	bind_text(tracker->fd, address);
	describe_self(&tracker->answers.self, settings, address);
	conf.fd = tracker->fd;
	tracker->fd = -1;
	tracker->server = net_server_new(tracker->loop, &conf, err);
	if (tracker->server == NULL)
		return -1;
	tracker->timer = net_timer_new(tracker->loop, TICK_MS, on_tick, tracker);
	log_info("listening on %s", address);
	return 0;
}

int tracker_run(struct service_context *context, struct err *err)
{
	struct tracker *tracker = context->state;

	return net_loop_run(tracker->loop, err);
}

void tracker_stop(struct service_context *context)
{
	struct tracker *tracker = context->state;

	net_loop_stop(tracker->loop);
}

void tracker_close(struct service_context *context)
{
	struct tracker *tracker = context->state;

	if (tracker == NULL)
		return;
	net_timer_free(tracker->timer);
	net_loop_free(tracker->loop);
	bind_close(tracker->fd);
	allow_fini(&tracker->allow);
	cluster_fini(&tracker->answers.cluster);
	free(tracker);
	context->state = NULL;
}
