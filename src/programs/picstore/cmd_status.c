/* cmd_status.c - picstore status: every part, its port, state and figures, on a screen.
 *
 * Our daemons are asked on their sockets in run_dir, the web servers by a request, the
 * storages through the tracker. */
#include "core/address.h"
#include "core/clock.h"
#include "net/sockaddr.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/progress.h"
#include "service/stat_socket.h"
#include "service/store_place.h"
#include "varnish/varnish_stats.h"
#include "web/web.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PARTS_MAX = SETTINGS_STORAGES_MAX + 128, /* with services that run many times */
	STAT_MAX = 64 << 10,
	STAT_WAIT_MS = 2000,
	FIGURES_MAX = 8, /* counters on the screen; JSON has all */
	STATE_ACTIVE = 7,
};

struct part {
	char name[64];
	const char *address; /* borrowed from the settings or `row`; "" if unknown */
	char row[ADDRESS_HOST_MAX + 16];
	bool up;
	char why[200];   /* down: what is known; up: a remark */
	json_t *figures; /* what a daemon tells about itself, or NULL */
};

struct status {
	struct cli *cli;
	const struct settings *settings;
	struct part parts[PARTS_MAX];
	size_t count;
	struct fdfs_group *groups;
	size_t group_count;
	json_t *group_list;
	bool tracker_ok;
	struct err tracker_err;
	bool all_up;
};

static struct part *add_part(struct status *status, const char *address)
{
	struct part *part;

	if (status->count == PARTS_MAX)
		return NULL;
	part = &status->parts[status->count++];
	part->address = address;
	return part;
}

/* ---- our daemons ---- */

/* Read what the daemon at `path` says until it closes. */
static int read_stat(const char *path, struct buf *out, struct err *err)
{
	struct sockaddr_storage addr;
	char address[300];
	int64_t deadline = clock_mono_ms() + STAT_WAIT_MS;
	socklen_t len;
	int fd;

	snprintf(address, sizeof address, "unix:%s", path);
	if (sockaddr_resolve(address, &addr, &len, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&addr, len) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			err_set(err, ERR_UNREACHABLE, "is not running");
		else
			err_errno(err, "cannot ask %s", path);
		close(fd);
		return -1;
	}
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_mono_ms();
		uint8_t *room = buf_reserve(out, 4096);
		ssize_t n;

		if (room == NULL || left <= 0 || poll(&wait, 1, (int)left) <= 0) {
			close(fd);
			return err_set(err, ERR_TIMEOUT, "does not answer on %s", path);
		}
		n = read(fd, room, 4096);
		if (n <= 0)
			break;
		out->len += (size_t)n;
	}
	close(fd);
	return 0;
}

static void add_daemon(
	struct status *status, const char *name, const char *instance, const char *address)
{
	struct part *part = add_part(status, address);
	struct err err;
	char path[256];
	struct buf text;

	if (part == NULL)
		return;
	snprintf(part->name, sizeof part->name, "%s%s%s", name, instance[0] == '\0' ? "" : " ",
		instance);
	stat_socket_path(status->settings->run_dir, name, instance, path);
	buf_init(&text, STAT_MAX);
	if (read_stat(path, &text, &err) < 0) {
		snprintf(part->why, sizeof part->why, "%.190s", err.text);
	} else {
		part->figures = json_loadb((const char *)text.data, text.len, 0, NULL);
		part->up = json_is_object(part->figures);
		if (!part->up)
			snprintf(part->why, sizeof part->why, "answers nonsense on %.150s", path);
	}
	buf_fini(&text);
}

/* A service may run several times, on ports in a row. */
static void add_services(
	struct status *status, const char *name, const struct frame_settings *settings)
{
	char where[ADDRESS_HOST_MAX + 16];
	bool is_row = settings->instances > 1 && address_in_row(settings->listen, 0, where);

	for (int64_t i = 0; i < (is_row ? settings->instances : 1); i++) {
		struct part *part;

		address_in_row(settings->listen, i, where);
		add_daemon(status, name, is_row ? strrchr(where, ':') + 1 : "", "");
		part = &status->parts[status->count - 1];
		snprintf(part->row, sizeof part->row, "%s", where);
		part->address = part->row;
	}
}

/* ---- web servers ---- */

/* Up is whoever gives an HTTP answer: no picture is asked for. */
static void add_web(struct status *status, const char *name, const char *address)
{
	struct part *part = add_part(status, address);
	struct web_response response;
	struct address at;
	char url[300];
	struct err err;
	struct web *web;
	struct web_request request = { .method = "GET", .url = url, .timeout_ms = STAT_WAIT_MS };

	if (part == NULL)
		return;
	snprintf(part->name, sizeof part->name, "%s", name);
	if (!address_parse(address, &at)) {
		snprintf(part->why, sizeof part->why, "its address makes no sense");
		return;
	}
	snprintf(url, sizeof url, "http://%s/", at.is_unix ? "localhost" : address);
	if (at.is_unix)
		request.unix_path = at.host;
	web = web_new();
	web_response_init(&response);
	if (web_ask(web, &request, &response, &err) == 0) {
		part->up = true;
		if (response.status >= 500)
			snprintf(part->why, sizeof part->why, "answers %d", response.status);
	} else {
		snprintf(part->why, sizeof part->why, "%.190s",
			err.code == ERR_UNREACHABLE ? "cannot be reached" : err.text);
	}
	web_response_fini(&response);
	web_free(web);
}

/* The cache that runs here tells its figures to who may read its memory. */
static void add_cache_figures(struct status *status)
{
	struct varnish_stats stats;
	struct varnish *varnish;
	struct err ignored;
	struct part *part = NULL;
	double rate;

	for (size_t i = 0; i < status->count && part == NULL; i++)
		if (strcmp(status->parts[i].name, "varnishd") == 0 && status->parts[i].up)
			part = &status->parts[i];
	if (part == NULL || status->settings->varnish_name[0] == '\0' || part->why[0] != '\0')
		return;
	varnish = varnish_open(status->settings->varnish_name, &ignored);
	if (varnish != NULL && varnish_read(varnish, false, &stats, &ignored) == 0) {
		rate = varnish_hit_rate(stats.hits, stats.misses);
		part->figures = json_pack("{s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}}", "uptime",
			(json_int_t)stats.uptime_s, "counters", "hit_rate_percent",
			(json_int_t)(rate < 0 ? 0 : rate), "hits", (json_int_t)stats.hits, "misses",
			(json_int_t)stats.misses, "objects", (json_int_t)stats.objects, "bytes",
			(json_int_t)stats.used_bytes, "evicted", (json_int_t)stats.evicted);
	}
	varnish_close(varnish);
}

/* ---- the store ---- */

static const char *state_word(uint8_t state)
{
	static const char *const words[] = { "init", "waiting to sync", "syncing",
		"address changed", "deleted", "offline", "online", "active" };

	return state < sizeof words / sizeof words[0] ? words[state] : "unknown";
}

static void storage_json(json_t *list, const struct fdfs_storage *storage)
{
	json_t *one = json_object();

	json_object_set_new(one, "id", json_string(storage->id));
	json_object_set_new(one, "ip", json_string(storage->ip));
	json_object_set_new(one, "port", json_integer(storage->port));
	json_object_set_new(one, "state", json_string(state_word(storage->state)));
	json_object_set_new(one, "version", json_string(storage->version));
	json_object_set_new(one, "total_mib", json_integer((json_int_t)storage->total_mib));
	json_object_set_new(one, "free_mib", json_integer((json_int_t)storage->free_mib));
	json_object_set_new(one, "uploads", json_integer((json_int_t)storage->uploads));
	json_object_set_new(one, "downloads", json_integer((json_int_t)storage->downloads));
	json_object_set_new(one, "deletes", json_integer((json_int_t)storage->deletes));
	json_array_append_new(list, one);
}

static void ask_group(struct status *status, struct fdfs_client *client, struct fdfs_group *group)
{
	struct fdfs_storage *storages = NULL;
	json_t *one = json_object(), *list = json_array();
	size_t count = 0;
	struct err err;

	json_object_set_new(one, "group", json_string(group->name));
	json_object_set_new(one, "total_mib", json_integer((json_int_t)group->total_mib));
	json_object_set_new(one, "free_mib", json_integer((json_int_t)group->free_mib));
	json_object_set_new(one, "reserved_mib", json_integer((json_int_t)group->reserved_mib));
	if (fdfs_storages(client, group->name, &storages, &count, &err) < 0) {
		status->all_up = false;
		cli_json_error(one, &err);
	}
	for (size_t i = 0; i < count; i++) {
		storage_json(list, &storages[i]);
		if (storages[i].state != STATE_ACTIVE)
			status->all_up = false;
	}
	free(storages);
	json_object_set_new(one, "storages", list);
	json_array_append_new(status->group_list, one);
}

static void ask_tracker(struct status *status)
{
	struct fdfs_client *client = cli_client(status->cli);

	status->tracker_ok = client != NULL &&
			     fdfs_groups(client, &status->groups, &status->group_count,
				     &status->tracker_err) == 0;
	if (!status->tracker_ok)
		status->all_up = false;
	for (size_t i = 0; i < status->group_count; i++)
		ask_group(status, client, &status->groups[i]);
}

/* ---- the screen ---- */

static void format_age(int64_t seconds, char out[16])
{
	if (seconds < 0 || seconds > INT32_MAX)
		seconds = 0; /* from a daemon whose word is not law */
	if (seconds < 100)
		snprintf(out, 16, "%d s", (int)seconds);
	else if (seconds < 100 * 60)
		snprintf(out, 16, "%d min", (int)(seconds / 60));
	else if (seconds < 100 * 3600)
		snprintf(out, 16, "%d h", (int)(seconds / 3600));
	else
		snprintf(out, 16, "%d d", (int)(seconds / 86400));
}

static json_int_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void print_figures(const json_t *counters)
{
	size_t shown = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)counters, name, value)
	{
		json_int_t figure = json_integer_value(value);
		char size[16];

		if (figure == 0 || shown == FIGURES_MAX)
			continue;
		if (strstr(name, "bytes") != NULL)
			progress_size(size, figure < 0 ? 0 : (uint64_t)figure);
		else
			snprintf(size, sizeof size, "%lld", (long long)figure);
		printf("%s%s %s", shown++ == 0 ? "" : ", ", name, size);
	}
}

static void print_part(const struct part *part, int width)
{
	char pid[16] = "", age[16] = "";

	if (part->figures != NULL && part->up) {
		if (json_object_get(part->figures, "pid") != NULL)
			snprintf(pid, sizeof pid, "%lld", (long long)number(part->figures, "pid"));
		format_age(number(part->figures, "uptime"), age);
	}
	printf("%-5s %-20s %-*s %7s %7s  ", part->up ? "up" : "DOWN", part->name, width,
		part->address, pid, age);
	if (part->why[0] != '\0')
		printf("%s", part->why);
	else if (part->figures != NULL)
		print_figures(json_object_get(part->figures, "counters"));
	putchar('\n');
}

static void print_groups(const struct status *status, int width)
{
	size_t i, j;
	json_t *group, *storage;

	if (!status->tracker_ok) {
		printf("\nNo tracker answers: %s\n", status->tracker_err.text);
		return;
	}
	printf("\n%-5s %-20s %-*s %s\n", "GROUP", "STORAGE", width, "ADDRESS",
		"STATE, ROOM AND FIGURES");
	json_array_foreach(status->group_list, i, group)
	{
		json_array_foreach(json_object_get(group, "storages"), j, storage)
		{
			char at[64], room[16], total[16];

			snprintf(at, sizeof at, "%s:%lld",
				json_string_value(json_object_get(storage, "ip")),
				(long long)number(storage, "port"));
			progress_size(room, (uint64_t)number(storage, "free_mib") << 20);
			progress_size(total, (uint64_t)number(storage, "total_mib") << 20);
			printf("%-5s %-20s %-*s %s, %s of %s free, %lld uploads, %lld downloads, "
			       "%lld deletes\n",
				json_string_value(json_object_get(group, "group")),
				json_string_value(json_object_get(storage, "id")), width, at,
				json_string_value(json_object_get(storage, "state")), room, total,
				(long long)number(storage, "uploads"),
				(long long)number(storage, "downloads"),
				(long long)number(storage, "deletes"));
		}
	}
}

static void print_json(struct status *status)
{
	json_t *all = json_object(), *parts = json_array();

	for (size_t i = 0; i < status->count; i++) {
		const struct part *part = &status->parts[i];
		json_t *one = json_object();

		json_object_set_new(one, "part", json_string(part->name));
		json_object_set_new(one, "address", json_string(part->address));
		json_object_set_new(one, "up", json_boolean(part->up));
		if (part->why[0] != '\0')
			json_object_set_new(one, "text", json_string(part->why));
		if (part->figures != NULL)
			json_object_set(one, "figures", part->figures);
		json_array_append_new(parts, one);
	}
	json_object_set_new(all, "ok", json_boolean(status->all_up));
	json_object_set_new(all, "parts", parts);
	if (status->tracker_ok)
		json_object_set(all, "groups", status->group_list);
	else
		cli_json_error(all, &status->tracker_err);
	cli_json(all);
}

static void print_screen(const struct status *status)
{
	int width = 20;

	for (size_t i = 0; i < status->count; i++)
		if ((int)strlen(status->parts[i].address) > width)
			width = (int)strlen(status->parts[i].address);
	printf("%-5s %-20s %-*s %7s %7s  %s\n", "STATE", "PART", width, "ADDRESS", "PID", "UP",
		"FIGURES");
	for (size_t i = 0; i < status->count; i++)
		print_part(&status->parts[i], width);
	print_groups(status, width);
}

static int status_run(struct cli *cli, const struct args *args)
{
	struct status status = { .cli = cli, .all_up = true, .group_list = json_array() };
	const struct settings *settings = cli_settings(cli);
	bool here;

	if (settings == NULL) {
		json_decref(status.group_list);
		return CLI_USAGE;
	}
	status.settings = settings;
	for (size_t i = 0; i < settings->varnish.count; i++)
		add_web(&status, "varnishd", settings->varnish.items[i]);
	add_cache_figures(&status);
	add_web(&status, "lighttpd", settings->gateway);
	add_daemon(&status, "download.fcgi", "", settings->download_listen);
	add_daemon(&status, "upload.cgi", "", settings->upload_listen);
	/* The store may be another's, such as a FastDFS cluster. */
	here = store_place_is_here(settings);
	if (here)
		add_daemon(&status, "tracker_server", "", settings->tracker_listen);
	for (size_t i = 0; here && i < settings->storage_count; i++)
		add_daemon(&status, "storage_server", settings->storages[i].name,
			settings->storages[i].listen);
	add_services(&status, "cut_svr", &settings->cut);
	add_services(&status, "del_svr", &settings->del);
	add_services(&status, "cs_del_svr", &settings->cs_del);
	add_services(&status, "sess_check_svr", &settings->sess_check);
	add_services(&status, "metadata_dbsvr", &settings->metadata);
	for (size_t i = 0; i < status.count; i++)
		status.all_up = status.all_up && status.parts[i].up;
	ask_tracker(&status);

	if (args_has(args, "json")) {
		print_json(&status);
	} else {
		print_screen(&status);
	}
	for (size_t i = 0; i < status.count; i++)
		json_decref(status.parts[i].figures);
	json_decref(status.group_list);
	free(status.groups);
	return status.all_up ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "json", NULL, "print one JSON object with all figures" },
	{ 0 },
};

const struct command command_status = {
	.name = "status",
	.operands = "",
	.summary = "show every part, its port, state and figures",
	.about = "Exit status 1 if any part is down.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = status_run,
};
