#include "programs/picstore/move_watch.h"

#include "core/clock.h"
#include "photo/local_store.h"
#include "programs/picstore/progress.h"
#include "store/mover.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LOOK_MS = 200,
	SAY_MS = 5000,       /* where there is no bar */
	PATIENCE_MS = 60000, /* with a storage that does not answer: it may be started anew */
	RATE_MAX = 1 << 20,
};

struct watch {
	struct cli *cli;
	struct fdfs_client *client;
	bool json;
	struct progress progress;
	struct watched {
		const struct storage_settings *settings;
		struct fdfs_move_report report;
		bool over, failed;
		int64_t silent_ms; /* since when; 0: it has answered */
	} * storages;
	size_t count;
};

static const char *address_of(const struct storage_settings *storage)
{
	return storage->advertise[0] != '\0' ? storage->advertise : storage->listen;
}

static bool is_over(const struct fdfs_move_report *report)
{
	return report->state != MOVER_WORKING && report->state != MOVER_WAITING;
}

static const char *state_word(uint8_t state)
{
	static const char *const words[MOVER_STATES] = {
		[MOVER_IDLE] = "idle",
		[MOVER_WORKING] = "working",
		[MOVER_WAITING] = "waiting",
		[MOVER_SETTLED] = "settled",
		[MOVER_DONE] = "done",
	};

	return words[state]; /* the decoder knows no other */
}

static void print_json(const struct watched *watched)
{
	const struct fdfs_move_report *report = &watched->report;
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{ "volumes", report->volumes },
		{ "volumes_done", report->volumes_done },
		{ "looked", report->looked },
		{ "moved", report->moved },
		{ "bytes", report->bytes },
		{ "young", report->young },
		{ "failed", report->failed },
	};
	json_t *line = json_object();

	json_object_set_new(line, "storage", json_string(watched->settings->name));
	json_object_set_new(line, "group", json_string(watched->settings->group));
	json_object_set_new(line, "state", json_string(state_word(report->state)));
	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
		json_object_set_new(
			line, figures[i].name, json_integer((json_int_t)figures[i].value));
	json_object_set_new(line, "trouble", json_string(report->trouble));
	cli_json(line);
}

static void print_report(const struct watch *watch, const struct watched *watched)
{
	const struct fdfs_move_report *report = &watched->report;
	char size[16];

	if (watch->json) {
		print_json(watched);
		return;
	}
	progress_size(size, report->bytes);
	printf("%s: %s: %" PRIu64 " pictures looked at, %" PRIu64 " moved (%s)",
		watched->settings->name, state_word(report->state), report->looked, report->moved,
		size);
	if (report->young > 0)
		printf(", %" PRIu64 " too young", report->young);
	if (report->failed > 0)
		printf(", %" PRIu64 " FAILED: see the storage's log", report->failed);
	if (report->trouble[0] != '\0')
		printf("; the last trouble: %s", report->trouble);
	putchar('\n');
}

static void fail(struct watch *watch, struct watched *watched, const struct err *err)
{
	progress_hide(&watch->progress);
	cli_say(watch->cli, "[storage %s]: %s", watched->settings->name, err->text);
	watched->over = watched->failed = true;
}

static void look(struct watch *watch, struct watched *watched)
{
	struct err err;

	if (fdfs_move(watch->client, address_of(watched->settings), NULL, &watched->report, &err) ==
		0) {
		watched->silent_ms = 0;
		watched->over = is_over(&watched->report);
		return;
	}
	if (watched->silent_ms == 0)
		watched->silent_ms = clock_mono_ms();
	if (err.code != ERR_UNREACHABLE && err.code != ERR_TIMEOUT && err.code != ERR_UNKNOWN)
		fail(watch, watched, &err);
	else if (clock_mono_ms() - watched->silent_ms > PATIENCE_MS)
		fail(watch, watched, &err);
}

static void say(const struct watched *watched)
{
	const struct fdfs_move_report *report = &watched->report;
	char size[16];

	progress_size(size, report->bytes);
	fprintf(stderr, "%s: %s: %" PRIu64 " moved, %s, %" PRIu64 " of %" PRIu64 " volumes%s%s\n",
		watched->settings->name, state_word(report->state), report->moved, size,
		report->volumes_done, report->volumes, report->state == MOVER_WAITING ? ": " : "",
		report->state == MOVER_WAITING ? report->trouble : "");
}

/* True while something is under way. */
static bool look_at_all(struct watch *watch)
{
	uint64_t done = 0, all = 0, bytes = 0;
	bool more = false;

	for (size_t i = 0; i < watch->count; i++) {
		struct watched *watched = &watch->storages[i];

		if (!watched->over)
			look(watch, watched);
		more |= !watched->over;
		done += watched->report.volumes_done;
		all += watched->report.volumes;
		bytes += watched->report.bytes;
	}
	progress_set(&watch->progress, (size_t)done, (size_t)all, bytes);
	return more;
}

static void watch_all(struct watch *watch)
{
	struct timespec nap = { .tv_nsec = LOOK_MS * 1000000L };
	int64_t said_ms = clock_mono_ms();

	progress_start(&watch->progress, "volumes", SIZE_MAX);
	while (look_at_all(watch)) {
		nanosleep(&nap, NULL);
		if (isatty(STDERR_FILENO) || clock_mono_ms() - said_ms < SAY_MS)
			continue;
		said_ms = clock_mono_ms();
		for (size_t i = 0; i < watch->count; i++)
			if (!watch->storages[i].over)
				say(&watch->storages[i]);
	}
	progress_drop(&watch->progress);
}

static int check_cold(const struct storage_settings *storage, const char *cold, struct err *err)
{
	const char *behind = local_store_cold(storage);

	if (behind == NULL)
		return err_set(err, ERR_CONFIG,
			"[storage %s]: no cold store stands behind it: set cold_engine and what it "
			"needs, and start it anew",
			storage->name);
	if (cold != NULL && strcmp(cold, behind) != 0)
		return err_set(err, ERR_CONFIG, "[storage %s]: its cold_engine is %s, not %s",
			storage->name, behind, cold);
	return 0;
}

/* The storages that are meant. */
static int find_storages(struct watch *watch, const char *group, const char *cold, struct err *err)
{
	const struct settings *settings = cli_settings(watch->cli);

	watch->storages = calloc(settings->storage_count + 1, sizeof *watch->storages);
	if (watch->storages == NULL)
		abort();
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];

		if (group != NULL ? strcmp(storage->group, group) != 0
				  : local_store_cold(storage) == NULL)
			continue;
		if (check_cold(storage, cold, err) != 0)
			return -1;
		watch->storages[watch->count++].settings = storage;
	}
	if (watch->count > 0)
		return 0;
	return err_set(err, ERR_CONFIG, "%s has no [storage] section%s%s", settings->file,
		group == NULL ? " with a cold_engine" : " of group ", group == NULL ? "" : group);
}

static void give_order(struct watch *watch, const struct fdfs_move_order *order)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct watched *watched = &watch->storages[i];
		struct err err;

		if (fdfs_move(watch->client, address_of(watched->settings), order, &watched->report,
			    &err) != 0)
			fail(watch, watched, &err);
	}
}

int move_watch(struct cli *cli, const struct args *args, const char *group, const char *cold,
	const struct fdfs_move_order *order)
{
	bool asks = args_has(args, "status"), stops = args_has(args, "stop");
	struct watch watch = { .cli = cli, .json = args_has(args, "json") };
	struct fdfs_move_order given = *order;
	int status = CLI_OK;
	struct err err;
	int64_t rate;

	if (args_number(args, "rate", 1, RATE_MAX, 0, &rate, &err) < 0)
		return cli_fail(cli, &err);
	if (cli_settings(cli) == NULL || (watch.client = cli_client(cli)) == NULL)
		return CLI_USAGE;
	if (find_storages(&watch, group, cold, &err) != 0) {
		free(watch.storages);
		return cli_fail(cli, &err);
	}
	given.rate = (uint64_t)rate << 20;
	if (stops)
		given = (struct fdfs_move_order){ .action = MOVER_REST };
	give_order(&watch, asks ? NULL : &given);
	if (!asks && !stops && !args_has(args, "no-wait"))
		watch_all(&watch);
	for (size_t i = 0; i < watch.count; i++) {
		if (!watch.storages[i].failed)
			print_report(&watch, &watch.storages[i]);
		if (watch.storages[i].failed || watch.storages[i].report.failed > 0)
			status = CLI_FAILED;
	}
	free(watch.storages);
	return status;
}
