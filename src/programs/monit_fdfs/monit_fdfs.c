#include "programs/monit_fdfs/monit_fdfs.h"

#include "core/clock.h"
#include "core/log.h"
#include "fdfs/fdfs_call.h"
#include "monitor/monitor.h"
#include "service/settings.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOSTS_MAX = 64,
	TRACKERS_MAX = 16,
	ADDRESSES_MAX = 16, /* of a host */
	TRACKER_PORT = 22122,
	STORAGE_PORT = 23000,
	TIMEOUT_MS = 5000,
	US_PER_MS = 1000,
};

struct host {
	char name[256];
	uint16_t port; /* of its storage; 0: all that it has */
	size_t found;  /* storages, at this look */
};

struct asked {
	struct host hosts[HOSTS_MAX];
	size_t host_count;
	char *trackers[TRACKERS_MAX];
	size_t tracker_count;
	int64_t timeout_ms;
	struct fdfs_client *client;
};

static int add_tracker(struct asked *asked, const char *text, struct err *err)
{
	struct fdfs_peer peer;

	if (!fdfs_peer_parse(text, &peer))
		return err_set(err, ERR_BAD_REQUEST, "'%.100s' is not host:port", text);
	for (size_t i = 0; i < asked->tracker_count; i++)
		if (strcmp(asked->trackers[i], text) == 0)
			return 0;
	if (asked->tracker_count == TRACKERS_MAX)
		return err_set(
			err, ERR_BAD_REQUEST, "there are more than %d trackers", TRACKERS_MAX);
	asked->trackers[asked->tracker_count] = strdup(text);
	assert(asked->trackers[asked->tracker_count] != NULL);
	asked->tracker_count++;
	return 0;
}

static int option(void *context, char letter, const char *value, struct err *err)
{
	struct asked *asked = context;
	char *end;

	if (letter == 't')
		return add_tracker(asked, value, err);
	asked->timeout_ms = strtol(value, &end, 10);
	if (end == value || *end != '\0' || asked->timeout_ms < 1 || asked->timeout_ms > 600000)
		return err_set(err, ERR_BAD_REQUEST, "--timeout takes milliseconds");
	return 0;
}

/* HOST or HOST:PORT */
static int add_host(struct asked *asked, const char *text, struct err *err)
{
	struct host *host = &asked->hosts[asked->host_count];
	struct fdfs_peer peer;

	if (asked->host_count == HOSTS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "there are more than %d hosts", HOSTS_MAX);
	if (text[0] == '\0' || strlen(text) >= sizeof host->name)
		return err_set(err, ERR_BAD_REQUEST, "'%.40s' is no host", text);
	snprintf(host->name, sizeof host->name, "%s", text);
	if (strchr(text, ':') != NULL && fdfs_peer_parse(text, &peer)) {
		snprintf(host->name, sizeof host->name, "%s", peer.host);
		host->port = peer.port;
	}
	asked->host_count++;
	return 0;
}

/* Whom to ask: --tracker; else the configuration that is named or installed; else the
 * hosts themselves. */
static int find_trackers(struct asked *asked, const char *config, struct err *err)
{
	struct settings *settings;
	char text[300];
	int result = 0;

	if (asked->tracker_count > 0)
		return 0;
	settings = settings_load(config, err);
	if (settings == NULL && config != NULL)
		return -1;
	for (size_t i = 0; settings != NULL && i < settings->tracker_server.count; i++)
		if (add_tracker(asked, settings->tracker_server.items[i], err) < 0)
			result = -1;
	for (size_t i = 0; settings == NULL && i < asked->host_count; i++) {
		snprintf(text, sizeof text,
			strchr(asked->hosts[i].name, ':') != NULL ? "[%s]:%d" : "%s:%d",
			asked->hosts[i].name, TRACKER_PORT);
		if (asked->tracker_count < TRACKERS_MAX && add_tracker(asked, text, err) < 0)
			result = -1;
	}
	settings_free(settings);
	return result;
}

static int open_asked(
	void *context, const char *config, char **operands, int count, struct err *err)
{
	struct asked *asked = context;

	log_init("monit_fdfs", LOG_ERROR);
	for (int i = 0; i < count; i++)
		if (add_host(asked, operands[i], err) < 0)
			return -1;
	if (find_trackers(asked, config, err) < 0)
		return -1;
	asked->client = fdfs_client_new(
		&(struct fdfs_client_conf){
			.trackers = asked->trackers,
			.tracker_count = asked->tracker_count,
			.connect_timeout_ms = asked->timeout_ms,
			.network_timeout_ms = asked->timeout_ms,
			.max_file_size = 1 << 20,
			.idle_connections = 1,
		},
		err);
	return asked->client == NULL ? -1 : 0;
}

/* ---- is anybody there? ---- */

static int test_once(const struct asked *asked, struct fdfs_pool *pool,
	const struct fdfs_peer *peer, struct err *err)
{
	uint8_t head[FDFS_HEADER_LEN] = { 0 };
	struct fdfs_call call = {
		.peer = peer,
		.head = span_of(head, sizeof head),
		.reads = true,
		.connect_ms = asked->timeout_ms,
		.deadline = clock_mono_ms() + asked->timeout_ms,
	};

	fdfs_header_write(&(struct fdfs_header){ .cmd = FDFS_ACTIVE_TEST }, head);
	if (fdfs_call(pool, &call, err) < 0)
		return -1;
	fdfs_call_end(pool, &call, call.len == 0);
	if (call.status != 0)
		return err_set(err, ERR_UNREACHABLE, "%s answers %d", peer->text, call.status);
	return 0;
}

/* How long `peer` takes to answer on a connection that stands. */
static int measure(
	const struct asked *asked, const struct fdfs_peer *peer, double *ms, struct err *err)
{
	struct fdfs_pool *pool = fdfs_pool_new(1);
	int result = test_once(asked, pool, peer, err);
	int64_t begun = clock_mono_us();

	if (result == 0)
		result = test_once(asked, pool, peer, err);
	*ms = (double)(clock_mono_us() - begun) / US_PER_MS;
	fdfs_pool_free(pool);
	return result;
}

static void look_at_trackers(const struct asked *asked, struct report *report)
{
	size_t up = 0;

	for (size_t i = 0; i < asked->tracker_count; i++) {
		struct report_row *row = report_add(report, &monit_fdfs_tracker);
		struct fdfs_peer peer;
		struct err err;
		double ms;

		report_put_text(row, "tracker", asked->trackers[i]);
		if (fdfs_peer_parse(asked->trackers[i], &peer) &&
			measure(asked, &peer, &ms, &err) == 0) {
			report_put_text(row, "state", "up");
			report_put(row, "tracker_latency", ms);
			up++;
			continue;
		}
		report_put_text(row, "state", "DOWN");
		report_problem(report, REPORT_WARNING, "tracker %s", err.text);
	}
	if (up == 0)
		report_problem(report, REPORT_CRITICAL, "no tracker answers");
}

/* ---- storages ---- */

struct addresses {
	char text[ADDRESSES_MAX][INET6_ADDRSTRLEN];
	size_t count;
};

static void resolve(const char *name, struct addresses *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;

	out->count = 0;
	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return;
	for (struct addrinfo *one = list; one != NULL && out->count < ADDRESSES_MAX;
		one = one->ai_next)
		if (getnameinfo(one->ai_addr, one->ai_addrlen, out->text[out->count],
			    sizeof out->text[0], NULL, 0, NI_NUMERICHOST) == 0)
			out->count++;
	freeaddrinfo(list);
}

static bool is_at(const struct fdfs_storage *storage, const struct host *host,
	const struct addresses *addresses)
{
	if (host->port != 0 && host->port != storage->port)
		return false;
	for (size_t i = 0; i < addresses->count; i++)
		if (strcmp(addresses->text[i], storage->ip) == 0)
			return true;
	return false;
}

static void ask_storage(const struct asked *asked, struct report *report, const char *ip,
	uint16_t port, struct report_row *row)
{
	struct fdfs_peer peer;
	struct err err = { .text = "its address makes no sense" };
	double ms;

	if (fdfs_peer_at(ip, port, &peer) && measure(asked, &peer, &ms, &err) == 0)
		report_put(row, "latency", ms);
	else
		report_problem(report, REPORT_CRITICAL, "storage %s", err.text);
}

static void look_at_group(struct asked *asked, struct report *report, struct host *host,
	const struct addresses *addresses, const struct fdfs_group *group)
{
	struct fdfs_storage *storages = NULL;
	size_t count = 0;
	struct err err;

	if (fdfs_storages(asked->client, group->name, &storages, &count, &err) < 0) {
		report_problem(report, REPORT_UNKNOWN, "group %s: %s", group->name, err.text);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		/* FastDFS keeps on listing what an operator has taken out. */
		if (!is_at(&storages[i], host, addresses) ||
			storages[i].state == FDFS_STATE_DELETED)
			continue;
		host->found++;
		monit_fdfs_put(report, host->name, storages, count, i, clock_unix());
		ask_storage(asked, report, storages[i].ip, storages[i].port,
			&report->rows[report->row_count - 1]);
	}
	free(storages);
}

/* No tracker tells of the host: ask it all the same, to say which of the two it is. */
static void ask_stranger(const struct asked *asked, struct report *report, const struct host *host,
	const struct addresses *addresses)
{
	uint16_t port = host->port == 0 ? STORAGE_PORT : host->port;
	struct fdfs_peer peer;
	struct err err;
	double ms;

	if (addresses->count == 0)
		report_problem(report, REPORT_CRITICAL, "nobody knows the host %.100s", host->name);
	else if (fdfs_peer_at(addresses->text[0], port, &peer) &&
		 measure(asked, &peer, &ms, &err) == 0)
		report_problem(report, REPORT_CRITICAL,
			"a storage answers at %s, but no tracker knows it", peer.text);
	else
		report_problem(report, REPORT_CRITICAL,
			"no tracker knows a storage on %.100s, and none answers at port %" PRIu16,
			host->name, port);
}

static size_t count_active(const struct report *report, size_t *all)
{
	size_t active = 0;

	*all = 0;
	for (size_t i = 0; i < report->row_count; i++)
		if (report->rows[i].kind == &monit_fdfs_storage) {
			++*all;
			for (size_t c = 0; c < monit_fdfs_storage.count; c++)
				if (strcmp(monit_fdfs_storage.columns[c].name, "active") == 0)
					active += report->rows[i].values[c].number > 0;
		}
	return active;
}

static void look(void *context, struct report *report)
{
	struct asked *asked = context;
	struct fdfs_group *groups = NULL;
	size_t group_count = 0, all, active;
	struct err err;

	look_at_trackers(asked, report);
	if (report->state != REPORT_CRITICAL &&
		fdfs_groups(asked->client, &groups, &group_count, &err) < 0)
		report_problem(report, REPORT_CRITICAL, "%s", err.text);
	for (size_t h = 0; h < asked->host_count; h++) {
		struct host *host = &asked->hosts[h];
		struct addresses addresses;

		resolve(host->name, &addresses);
		host->found = 0;
		for (size_t g = 0; g < group_count; g++)
			look_at_group(asked, report, host, &addresses, &groups[g]);
		if (host->found == 0)
			ask_stranger(asked, report, host, &addresses);
	}
	free(groups);
	active = count_active(report, &all);
	snprintf(
		report->summary, sizeof report->summary, "%zu of %zu storages active", active, all);
}

static const struct report_kind *const kinds[] = { &monit_fdfs_tracker, &monit_fdfs_storage, NULL };

static const struct monitor_option options[] = {
	{ 't', "tracker", "HOST:PORT",
		"the tracker to ask, may be given several times (default: those of the\n"
		"        configuration, and without one port 22122 of each HOST)" },
	{ 'T', "timeout", "MS", "longest wait for each answer (default: 5000)" },
	{ 0 },
};

int monit_fdfs_main(int argc, char **argv)
{
	struct asked asked = { .timeout_ms = TIMEOUT_MS };
	const struct monitor monitor = {
		.name = "monit_fdfs",
		.label = "FDFS",
		.summary = "Tells whether the storages on hosts are running, ours or FastDFS's",
		.operands = "HOST[:PORT]...",
		.least = 1,
		.most = HOSTS_MAX,
		.kinds = kinds,
		/* FastDFS reports every 30 seconds, ours several times a second. */
		.warning = "free=10:,lag=~:300,beat=~:90,latency=~:1000,tracker_latency=~:1000",
		.critical = "free=2:,lag=~:3600,beat=~:180",
		.options = options,
		.option = option,
		.open = open_asked,
		.look = look,
		.context = &asked,
	};
	int status = monitor_main(&monitor, argc, argv);

	fdfs_client_free(asked.client);
	for (size_t i = 0; i < asked.tracker_count; i++)
		free(asked.trackers[i]);
	return status;
}
