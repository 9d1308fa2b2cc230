/* cmd_rm.c - picstore rm: delete pictures so that no copy is served any more.
 *
 * First in the store, then in every cache: the other way round a cache could fetch the
 * picture anew.  A picture that is gone already is purged all the same, so that a
 * removal that failed half way can be repeated. */
#include "deletion/derived_cuts.h"
#include "fdfs/client_names.h"
#include "photo/photo_client.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/jobs.h"
#include "programs/picstore/progress.h"
#include "programs/picstore/services.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct rm_item {
	struct err err; /* of an id that is none, and of what cannot be found out */
	struct deletion deletion;
	const struct deletion_place *store; /* of it; NULL: it was not begun */
};

struct rm {
	struct cli *cli;
	struct deletion_tools tools;
	struct derived derived;
	struct cut_memory *cuts;
	struct cli_words ids;
	bool json, force;
	struct rm_item *items;
	struct progress progress;
	size_t failed;
	pthread_mutex_t lock; /* of the web clients that no thread uses now */
	struct web *webs[JOBS_MAX];
	size_t web_count;
	struct photo_client *photos; /* NULL: pictures have none */
};

static struct web *web_take(struct rm *rm)
{
	struct web *web = NULL;

	pthread_mutex_lock(&rm->lock);
	if (rm->web_count > 0)
		web = rm->webs[--rm->web_count];
	pthread_mutex_unlock(&rm->lock);
	return web != NULL ? web : web_new();
}

static void web_give(struct rm *rm, struct web *web)
{
	pthread_mutex_lock(&rm->lock);
	rm->webs[rm->web_count++] = web; /* never more than there are threads */
	pthread_mutex_unlock(&rm->lock);
}

static void rm_one(void *context, size_t i)
{
	struct rm *rm = context;
	struct rm_item *item = &rm->items[i];
	const char *text = rm->ids.items[i];
	struct deletion_tools tools = rm->tools;
	struct file_id id;
	struct err ignored; /* the places have it */

	if (!file_id_parse(span_str(text), &id)) {
		err_set(&item->err, ERR_BAD_ID, "'%.160s' is not the id of a picture", text);
		return;
	}
	deletion_init(&item->deletion, &id);
	if (deletion_add_known(&item->deletion, &tools, &item->err) != 0)
		return;
	item->err.code = ERR_NONE;
	tools.web = web_take(rm);
	deletion_run(&item->deletion, &tools, &ignored);
	web_give(rm, tools.web);
	item->store = deletion_find(&item->deletion, text, "");
}

/* What became of the picture in the store. */
static enum err_code store_code(const struct rm_item *item)
{
	if (item->store == NULL)
		return item->err.code;
	return item->store->confirmed != 0 ? item->store->was : item->store->err.code;
}

static const char *store_word(enum err_code code)
{
	return code == ERR_NONE   ? "deleted"
	       : code == ERR_GONE ? "was gone already"
				  : err_meaning(code);
}

static bool is_cache(const struct deletion_place *place)
{
	return place->cache[0] != '\0' && strcmp(place->cache, DELETION_METADATA) != 0 &&
	       strcmp(place->cache, DELETION_CUTS) != 0;
}

static json_t *cache_json(const struct deletion_place *place)
{
	json_t *one = json_object();
	char when[32];

	json_object_set_new(one, "cache", json_string(place->cache));
	json_object_set_new(one, "status", json_integer(place->status));
	json_object_set_new(one, "purges", json_integer(place->purges));
	if (place->confirmed != 0) {
		cli_time(place->confirmed, true, when);
		json_object_set_new(one, "confirmed", json_string(when));
	} else {
		cli_json_error(one, &place->err);
	}
	return one;
}

static void print_json(const struct rm *rm, size_t i)
{
	const struct rm_item *item = &rm->items[i];
	enum err_code code = store_code(item);
	json_t *line = json_object(), *caches = json_array(), *made = json_array();

	json_object_set_new(line, "id", json_string(rm->ids.items[i]));
	json_object_set_new(
		line, "store", json_string(code == ERR_NONE ? "deleted" : err_word(code)));
	if (code != ERR_NONE)
		json_object_set_new(line, "message",
			json_string(item->store == NULL           ? item->err.text
				    : item->store->confirmed != 0 ? store_word(code)
								  : item->store->err.text));
	for (size_t p = 0; p < item->deletion.count; p++) {
		const struct deletion_place *place = &item->deletion.places[p];
		bool own = strcmp(place->picture, rm->ids.items[i]) == 0;

		/* One that the store still has was not purged from caches. */
		if (own && is_cache(place) && item->store->confirmed != 0)
			json_array_append_new(caches, cache_json(place));
		else if (!own && place->cache[0] == '\0')
			json_array_append_new(made, json_string(place->picture));
	}
	json_object_set_new(line, "caches", caches);
	json_object_set_new(line, "made_from_it", made);
	cli_json(line);
}

static void print_text(const struct rm *rm, size_t i)
{
	const struct rm_item *item = &rm->items[i];
	size_t made = 0;

	if (item->store == NULL || item->store->confirmed == 0)
		return;
	printf("%s\t%s", rm->ids.items[i], store_word(store_code(item)));
	for (size_t p = 0; p < item->deletion.count; p++) {
		const struct deletion_place *place = &item->deletion.places[p];
		bool own = strcmp(place->picture, rm->ids.items[i]) == 0;

		if (own && is_cache(place) && place->confirmed != 0)
			printf(", purged from %s (answers %d)", place->cache, place->status);
		made += !own && place->cache[0] == '\0' && place->confirmed != 0;
	}
	if (made > 0)
		printf(", with %zu made from it", made);
	putchar('\n');
}

/* Say what is not done.  Returns whether there is any such thing. */
static bool complain(const struct rm *rm, size_t i)
{
	const struct rm_item *item = &rm->items[i];
	enum err_code code = store_code(item);
	bool failed = false;

	if (item->store == NULL || code == ERR_GONE || code == ERR_NOT_FOUND) {
		failed = code != ERR_GONE && !(code == ERR_NOT_FOUND && rm->force);
		if (failed)
			cli_say(rm->cli, "%s: %s", rm->ids.items[i],
				item->store == NULL ? item->err.text : store_word(code));
	}
	for (size_t p = 0; p < item->deletion.count; p++) {
		const struct deletion_place *place = &item->deletion.places[p];
		const struct deletion_place *stored = deletion_find(
			&item->deletion, place->picture, "");

		if (place->confirmed != 0)
			continue;
		failed = true;
		if (place == stored || stored->confirmed != 0)
			cli_say(rm->cli, "%s: %s", place->picture, place->err.text);
	}
	return failed;
}

static void report_one(void *context, size_t i)
{
	struct rm *rm = context;

	progress_hide(&rm->progress);
	if (rm->json)
		print_json(rm, i);
	else
		print_text(rm, i);
	rm->failed += complain(rm, i);
	progress_step(&rm->progress, 0);
}

/* What was made from pictures is known on the machine that cuts them. */
static int open_cuts(struct rm *rm, const char *path, struct err *err)
{
	if (access(path, F_OK) != 0)
		return 0;
	rm->cuts = cut_memory_open(path, err);
	if (rm->cuts == NULL)
		return -1;
	rm->derived = derived_cuts(rm->cuts);
	rm->tools.derived = &rm->derived;
	return 0;
}

static int open_photos(struct rm *rm, const struct settings *settings, struct err *err)
{
	if (settings->upload_metadata[0] == '\0')
		return 0;
	rm->photos = photo_client_new(
		settings, settings->upload_metadata, settings->upload_metadata_timeout, err);
	rm->tools.mark = photo_client_mark;
	rm->tools.mark_context = rm->photos;
	return rm->photos == NULL ? -1 : 0;
}

static int rm_run(struct cli *cli, const struct args *args)
{
	struct rm rm = {
		.cli = cli,
		.json = args_has(args, "json"),
		.force = args_has(args, "force"),
	};
	const struct jobs jobs = { rm_one, report_one, &rm };
	const struct settings *settings;
	int64_t threads;
	struct err err;

	if (args_number(args, "jobs", 1, JOBS_MAX, 4, &threads, &err) < 0)
		return cli_fail(cli, &err);
	if (args_has(args, "now") && args_has(args, "later")) {
		cli_say(cli, "--now and --later are two ways: choose one");
		return CLI_USAGE;
	}
	if (args_has(args, "now") || args_has(args, "later"))
		return services_delete(cli, args,
			args_has(args, "now") ? CMD_DELETE_NOW : CMD_DELETE_LATER, threads);
	rm.tools.client = cli_client(cli);
	if (rm.tools.client == NULL)
		return CLI_USAGE;
	settings = cli_settings(cli);
	rm.tools.slaves = fdfs_slaves;
	rm.tools.names = fdfs_names;
	rm.tools.caches = &settings->varnish;
	rm.tools.purge_timeout_ms = WAIT_MS;
	if (open_cuts(&rm, settings->cut_made, &err) != 0 || open_photos(&rm, settings, &err) != 0)
		return cli_fail(cli, &err);
	cli_words_read(args, 0, &rm.ids);
	rm.items = calloc(rm.ids.count + 1, sizeof rm.items[0]);
	if (rm.items == NULL)
		abort();
	pthread_mutex_init(&rm.lock, NULL);
	progress_start(&rm.progress, "removed", rm.ids.count);
	jobs_run(&jobs, rm.ids.count, (size_t)threads);
	progress_end(&rm.progress);
	for (size_t i = 0; i < rm.web_count; i++)
		web_free(rm.webs[i]);
	for (size_t i = 0; i < rm.ids.count; i++)
		deletion_fini(&rm.items[i].deletion);
	pthread_mutex_destroy(&rm.lock);
	cut_memory_close(rm.cuts);
	photo_client_free(rm.photos);
	free(rm.items);
	cli_words_fini(&rm.ids);
	return rm.failed == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "now", NULL, "by cs_del_svr, which leaves a receipt" },
	{ '\0', "later", NULL, "by del_svr: noted, and deleted in its time" },
	SERVICES_SERVER,
	{ 'f', "force", NULL, "an id that the store does not have is no failure" },
	{ 'j', "jobs", "N", "so many at a time (default: 4)" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_rm = {
	.name = "rm",
	.operands = "ID...",
	.summary = "delete pictures from the store and from every cache",
	.about =
		"Deletes in the store, purges every cache in [varnish] servers, and asks each for\n"
		"the picture: only when all answer 404 or 410 it is removed.  What was cut from "
		"it\n"
		"on this machine goes with it.  What was gone already is purged again.\n"
		"With --now or --later a service does it instead, through admin_proxy.  With "
		"\"-\"\n"
		"as ID the first word of each line of stdin is an id.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = rm_run,
};
