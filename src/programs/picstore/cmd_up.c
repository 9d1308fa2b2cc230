/* cmd_up.c - picstore up: every part on this machine, until Ctrl-C. */
#include "core/address.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/up_config.h"
#include "programs/picstore/up_home.h"
#include "programs/picstore/up_parts.h"
#include "programs/picstore/up_ports.h"
#include "programs/picstore/up_store_paths.h"
#include "programs/picstore/up_tree.h"
#include "service/store_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONF_TEXT_MAX = 1 << 20, TAIL_LINES_MAX = 5 };

static void say_ready(const struct up_part *part, int64_t after_ms)
{
	printf("  %-22s %-24s ready after %" PRId64 " ms\n", part->label,
		part->is_port ? part->where : "", after_ms);
	fflush(stdout);
}

static void say_died(const struct up_part *part, int code, int signal)
{
	if (code == 256)
		printf("%s was ended by signal %d", part->label, signal);
	else
		printf("%s ended with status %d", part->label, code);
	printf("; it is started again\n");
	fflush(stdout);
}

/* The last lines of a part's log, for who wonders why it does not start. */
static void show_log(const struct up_place *place, const struct up_part *part)
{
	char path[UP_PATH], line[400], tail[TAIL_LINES_MAX][sizeof line];
	struct err ignored;
	size_t count = 0;
	FILE *file;

	if (up_path(path, &ignored, "%s/%s/current", place->log, part->name) < 0)
		return;
	file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL)
		memcpy(tail[count++ % TAIL_LINES_MAX], line, sizeof line);
	fclose(file);
	for (size_t i = count > TAIL_LINES_MAX ? count - TAIL_LINES_MAX : 0; i < count; i++)
		fprintf(stderr, "    %s", tail[i % TAIL_LINES_MAX]);
}

static int check_ports(
	const struct up_parts *parts, const struct settings *settings, struct err *err)
{
	for (size_t i = 0; store_place_is_here(settings) && i < settings->storage_count; i++) {
		const char *http = settings->storages[i].http_listen;
		struct address address;

		if (address_parse(http, &address) && !address.is_unix &&
			up_port_free("a storage's HTTP", http, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < parts->count; i++)
		if (parts->part[i].is_port &&
			up_port_free(parts->part[i].label, parts->part[i].where, err) < 0)
			return -1;
	return 0;
}

/* Two lines that work as they are, pasted into a shell. */
static void say_where(const struct up_place *place, const struct settings *settings)
{
	struct buf lines;

	buf_init(&lines, 64 << 10);
	buf_printf(&lines, "\nPictures go in and come out at %s\n", settings->public_url);
	buf_printf(&lines, "  settings   %s\n", place->conf);
	if (store_place_is_here(settings))
		buf_printf(&lines, "  pictures   %s/data\n", place->home);
	buf_printf(&lines, "  logs       %s/PART/current\n", place->log);
	buf_put_str(&lines, "\nTo put a picture in and fetch it, paste into another terminal:\n\n");
	buf_put_str(&lines, "id=$(curl -sS -F session_key=$(");
	up_put_quoted(&lines, place->self);
	buf_put_str(&lines, " token -c ");
	up_put_quoted(&lines, place->conf);
	buf_put_str(&lines, ") -F type=jpg -F file=@");
	up_put_quoted(&lines, place->sample);
	buf_printf(&lines,
		" %s/upload.cgi | tee /dev/stderr | sed -n 's/.*\"lloc\":\"\\([^\"]*\\)\".*/\\1/p' "
		"| tr -d '\\\\')\n",
		settings->public_url);
	buf_printf(&lines,
		"curl -sS -o fetched.jpg -w '%%{http_code} %%{content_type} %%{size_download} "
		"bytes\\n' %s/$id\n",
		settings->public_url);
	buf_put_str(&lines, "\nCtrl-C stops everything.\n");
	if (buf_ok(&lines))
		fwrite(lines.data, 1, lines.len, stdout);
	fflush(stdout);
	buf_fini(&lines);
}

static int self_test(struct up_tree *tree, struct up_place *place)
{
	char *const argv[] = { place->self, (char[]){ "doctor" }, (char[]){ "--config" },
		place->conf, NULL };

	printf("Self-test\n");
	fflush(stdout);
	return up_tree_run(tree, argv);
}

/* From a place that is ours to the end; the tree is stopped by the caller. */
static int start_and_stay(struct up_tree *tree, struct up_place *place,
	const struct settings *settings, struct up_parts *parts, bool test, struct err *err)
{
	printf("Starting picstore in %s\n", place->home);
	if (!store_place_is_here(settings))
		printf("The store is elsewhere: no tracker and no storage of ours is started; "
		       "uploads go where %s says\n",
			settings->tracker_server.items[0]);
	fflush(stdout);
	if (up_parts_write(parts, place, settings, err) < 0 ||
		up_tree_start(tree, place, parts, err) < 0)
		return -1;
	if (up_tree_wait_ready(tree, say_ready, err) < 0) {
		for (size_t i = 0; i < parts->count && !tree->asked; i++)
			if (!parts->part[i].ready && parts->part[i].deaths > 0)
				show_log(place, &parts->part[i]);
		return tree->asked ? 0 : -1;
	}
	if (test && self_test(tree, place) != 0 && !tree->asked)
		return err_set(
			err, ERR_UNKNOWN, "the self-test failed; the logs are in %s", place->log);
	if (!tree->asked)
		say_where(place, settings);
	return up_tree_stay(tree, say_died, err);
}

/* As root: whom a new home is given to. */
static const char *chosen_user(const struct args *args)
{
	const char *user = args_value(args, "user");

	if (user == NULL)
		user = getenv("PICSTORE_USER");
	return user == NULL || user[0] == '\0' ? "picstore" : user;
}

static int up_run(struct cli *cli, const struct args *args)
{
	const char *user = chosen_user(args);
	struct settings *settings = NULL;
	struct up_place place = { .lock = -1 };
	struct up_parts parts;
	struct up_tree tree;
	struct buf text;
	const char *environment = getenv("PICSTORE_PORT_BASE");
	int64_t port_base = UP_STANDARD_PORTS;
	bool started = false;
	struct err err;
	int status;

	if (environment != NULL && environment[0] != '\0') {
		port_base = atoi(environment);
		if (port_base < 1 || port_base > UP_PORT_BASE_MAX) {
			cli_say(cli, "PICSTORE_PORT_BASE is not a number from 1 to %d",
				UP_PORT_BASE_MAX);
			return CLI_USAGE;
		}
	}
	if (args_number(args, "port-base", 1, UP_PORT_BASE_MAX, port_base, &port_base, &err) < 0)
		return cli_fail(cli, &err);
	/* Where Debian has daemons; not in everybody's PATH. */
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);

	buf_init(&text, CONF_TEXT_MAX);
	status = up_tree_signals(&tree, &err);
	if (status == 0)
		status = up_place_find(&place, args_value(args, "home"), &err);
	if (status == 0)
		status = up_home_enter(&place, user, &err);
	if (status == 0)
		status = up_home_open(&place, &err);
	if (status == 0) {
		settings = up_config_read(&place, port_base, &text, &err);
		status = settings == NULL ? -1 : 0;
	}
	if (status == 0) {
		up_parts_list(&parts, settings);
		status = check_ports(&parts, settings, &err);
	}
	/* Nothing that lasts is written before it is sure that nobody is in the way. */
	if (status == 0)
		status = up_config_write(&place, &text, &err);
	if (status == 0)
		status = up_home_secrets(&place, &err);
	if (status == 0 && store_place_is_here(settings))
		status = up_store_paths_open(&place, settings, &err);
	if (status == 0) {
		status = start_and_stay(
			&tree, &place, settings, &parts, !args_has(args, "no-self-test"), &err);
		started = true;
	}
	if (status < 0)
		cli_say(cli, "%s", err.text);
	if (started) {
		printf("Stopping\n");
		fflush(stdout);
	}
	up_tree_stop(&tree);
	up_home_close(&place);
	if (started && store_place_is_here(settings))
		printf("Everything is stopped; the pictures are in %s/data\n", place.home);
	else if (started)
		printf("Everything is stopped\n");
	settings_free(settings);
	buf_fini(&text);
	return status == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "home", "DIR",
		"where everything is kept (default: $PICSTORE_HOME, else var/ in the "
		"source tree)" },
	{ '\0', "port-base", "N",
		"ports N+1 varnishd, N+2 lighttpd, N+3 tracker, N+4... storages, kept for later "
		"starts (default: $PICSTORE_PORT_BASE, else what the settings say)" },
	{ '\0', "user", "NAME",
		"as root: whom the parts run as in a new home (default: $PICSTORE_USER, "
		"else picstore)" },
	{ '\0', "no-self-test", NULL, "leave out the self-test after the start" },
	{ 0 },
};

const struct command command_up = {
	.name = "up",
	.operands = "",
	.summary = "run every part of picstore on this machine, until Ctrl-C",
	.about =
		"Makes what is missing in its home: settings, secrets, folders. Starts every part\n"
		"under s6, waits until each is ready, tests that a picture goes in and comes\n"
		"out, and stays. A part that ends is started again. Ctrl-C stops everything.\n"
		"Where [fdfs] tracker_server names another's trackers, such as those of a FastDFS\n"
		"cluster, the store is there, and no tracker and no storage is started.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = up_run,
};
