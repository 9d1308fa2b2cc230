/* cmd_rm.c - picstore rm: delete pictures so that no copy is served any more.
 *
 * First in the store, then in every cache: the other way round a cache could fetch the
 * picture anew.  A picture that is gone already is purged all the same, so that a
 * removal that failed half way can be repeated. */
#include "programs/picstore/commands.h"
#include "programs/picstore/jobs.h"
#include "programs/picstore/progress.h"
#include "programs/picstore/services.h"
#include "web/purge.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 5000 };

struct rm_cache {
	struct purge_outcome outcome;
	struct err err; /* code ERR_NONE: it has forgotten the picture */
};

struct rm_item {
	struct err err; /* of the store */
	struct rm_cache *caches;
	size_t cache_count; /* that were asked */
};

struct rm {
	struct cli *cli;
	struct fdfs_client *client;
	const struct settings *settings;
	struct cli_words ids;
	bool json, force;
	struct rm_item *items;
	struct progress progress;
	size_t failed;
	pthread_mutex_t lock; /* of the web clients that no thread uses now */
	struct web *webs[JOBS_MAX];
	size_t web_count;
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

static bool store_has_not(const struct rm_item *item)
{
	return item->err.code == ERR_NONE || item->err.code == ERR_GONE ||
	       item->err.code == ERR_NOT_FOUND;
}

static void rm_one(void *context, size_t i)
{
	struct rm *rm = context;
	struct rm_item *item = &rm->items[i];
	const char *text = rm->ids.items[i];
	struct file_id id;
	struct web *web;

	if (!file_id_parse(span_str(text), &id)) {
		err_set(&item->err, ERR_BAD_ID, "'%.160s' is not the id of a picture", text);
		return;
	}
	if (fdfs_delete(rm->client, &id, &item->err) == 0)
		item->err.code = ERR_NONE;
	if (!store_has_not(item))
		return;
	item->cache_count = rm->settings->varnish.count;
	item->caches = calloc(item->cache_count + 1, sizeof item->caches[0]);
	if (item->caches == NULL)
		abort();
	web = web_take(rm);
	for (size_t c = 0; c < item->cache_count; c++)
		if (purge_cache(web, rm->settings->varnish.items[c], &id, WAIT_MS,
			    &item->caches[c].outcome, &item->caches[c].err) == 0)
			item->caches[c].err.code = ERR_NONE;
	web_give(rm, web);
}

static const char *store_word(enum err_code code)
{
	return code == ERR_NONE   ? "deleted"
	       : code == ERR_GONE ? "was gone already"
				  : err_meaning(code);
}

static void print_json(const struct rm *rm, size_t i)
{
	const struct rm_item *item = &rm->items[i];
	json_t *line = json_object(), *caches = json_array();

	json_object_set_new(line, "id", json_string(rm->ids.items[i]));
	json_object_set_new(line, "store",
		json_string(item->err.code == ERR_NONE ? "deleted" : err_word(item->err.code)));
	if (item->err.code != ERR_NONE)
		json_object_set_new(line, "message", json_string(item->err.text));
	for (size_t c = 0; c < item->cache_count; c++) {
		const struct rm_cache *cache = &item->caches[c];
		json_t *one = json_object();
		char when[32];

		json_object_set_new(one, "cache", json_string(rm->settings->varnish.items[c]));
		json_object_set_new(one, "status", json_integer(cache->outcome.status));
		json_object_set_new(one, "purges", json_integer(cache->outcome.purges));
		if (cache->err.code == ERR_NONE) {
			cli_time(cache->outcome.confirmed, true, when);
			json_object_set_new(one, "confirmed", json_string(when));
		} else {
			cli_json_error(one, &cache->err);
		}
		json_array_append_new(caches, one);
	}
	json_object_set_new(line, "caches", caches);
	cli_json(line);
}

static void print_text(const struct rm *rm, size_t i)
{
	const struct rm_item *item = &rm->items[i];

	if (!store_has_not(item))
		return;
	printf("%s\t%s", rm->ids.items[i], store_word(item->err.code));
	for (size_t c = 0; c < item->cache_count; c++)
		if (item->caches[c].err.code == ERR_NONE)
			printf(", purged from %s (answers %d)", rm->settings->varnish.items[c],
				item->caches[c].outcome.status);
	putchar('\n');
}

static void report_one(void *context, size_t i)
{
	struct rm *rm = context;
	const struct rm_item *item = &rm->items[i];
	enum err_code code = item->err.code;
	bool failed = false;

	progress_hide(&rm->progress);
	if (rm->json)
		print_json(rm, i);
	else
		print_text(rm, i);
	if (code != ERR_NONE && code != ERR_GONE && !(code == ERR_NOT_FOUND && rm->force)) {
		failed = true;
		cli_say(rm->cli, "%s: %s", rm->ids.items[i], item->err.text);
	}
	for (size_t c = 0; c < item->cache_count; c++) {
		if (item->caches[c].err.code != ERR_NONE) {
			failed = true;
			cli_say(rm->cli, "%s: %s", rm->ids.items[i], item->caches[c].err.text);
		}
	}
	rm->failed += failed;
	progress_step(&rm->progress, 0);
}

static int rm_run(struct cli *cli, const struct args *args)
{
	struct rm rm = {
		.cli = cli,
		.json = args_has(args, "json"),
		.force = args_has(args, "force"),
	};
	const struct jobs jobs = { rm_one, report_one, &rm };
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
	rm.client = cli_client(cli);
	if (rm.client == NULL)
		return CLI_USAGE;
	rm.settings = cli_settings(cli);
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
		free(rm.items[i].caches);
	pthread_mutex_destroy(&rm.lock);
	free(rm.items);
	cli_words_fini(&rm.ids);
	return rm.failed == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "now", NULL, "by cs_del_svr: cuts of it go too, and it leaves a receipt" },
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
		"the picture: only when all answer 404 or 410 it is removed.  With \"-\" as ID "
		"the\n"
		"first word of each line of stdin is an id.  What was gone already is purged "
		"again.\n"
		"With --now or --later a service does it instead, through admin_proxy.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = rm_run,
};
