#include "programs/picstore/services.h"

#include "programs/picstore/jobs.h"
#include "programs/picstore/progress.h"

#include <stdlib.h>
#include <string.h>

enum {
	TIMEOUT_MS = 120000, /* longer than admin_proxy waits for any service */
	BATCH = 1000,        /* pictures of one request to del_svr */
	BODY_MAX = 4 + BATCH * (4 + PACKAGE_URL_LEN),
};

struct deletion {
	struct cli *cli;
	struct frame_client *client;
	enum byte_order order;
	uint16_t cmd;
	bool json;
	struct cli_words ids;
	struct err *errs; /* by id; ERR_NONE: done */
	struct progress progress;
	size_t failed;
};

struct frame_client *services_client(struct cli *cli, const struct args *args)
{
	const struct settings *settings = cli_settings(cli);
	const char *server = args_value(args, "server");
	struct frame_client *client;
	struct err err;

	if (settings == NULL)
		return NULL;
	client = frame_client_new(
		&(struct frame_client_conf){
			.address = server != NULL ? server : settings->proxy.listen,
			.order = (enum byte_order)settings->byte_order,
			.connect_ms = settings->connect_timeout,
			.timeout_ms = TIMEOUT_MS,
			.max_package = (uint32_t)settings->max_package,
			.idle = JOBS_MAX,
		},
		&err);
	if (client == NULL)
		cli_fail(cli, &err);
	return client;
}

/* One request for the ids from `from` on that are ids; all of them share its outcome. */
static void request(struct deletion *deletion, size_t from, size_t count)
{
	struct frame_call call = { deletion->cmd, 0, .repeat = FRAME_REPEAT };
	struct err err = { 0 };
	uint32_t good = 0;
	struct buf body;

	buf_init(&body, BODY_MAX);
	package_put_u32(&body, deletion->order, 0);
	for (size_t i = from; i < from + count; i++) {
		const char *text = deletion->ids.items[i];
		struct package_item item = { 0 };
		struct file_id id;

		if (!file_id_parse(span_str(text), &id) || strlen(text) > PACKAGE_URL_LEN) {
			err_set(&deletion->errs[i], ERR_BAD_ID,
				"'%.160s' is not the id of a picture", text);
			continue;
		}
		snprintf(item.url.text, sizeof item.url.text, "%s", text);
		package_item_encode(&body, deletion->order, &item);
		good++;
	}
	if (deletion->order == ORDER_BIG)
		store_be32(body.data, good);
	else
		store_le32(body.data, good);
	call.body = buf_span(&body);
	if (good > 0 && frame_client_call(deletion->client, &call, NULL, &err) != 0)
		for (size_t i = from; i < from + count; i++)
			if (deletion->errs[i].code == ERR_NONE)
				deletion->errs[i] = err;
	buf_fini(&body);
}

static void delete_one(void *context, size_t i)
{
	request(context, i, 1);
}

static void note_batch(void *context, size_t batch)
{
	struct deletion *deletion = context;
	size_t from = batch * BATCH, left = deletion->ids.count - from;

	request(deletion, from, left < BATCH ? left : BATCH);
}

static void report_one(void *context, size_t i)
{
	struct deletion *deletion = context;
	const char *done = deletion->cmd == CMD_DELETE_NOW ? "deleted" : "noted";
	const struct err *err = &deletion->errs[i];

	progress_hide(&deletion->progress);
	if (deletion->json) {
		json_t *line = json_object();

		json_object_set_new(line, "id", json_string(deletion->ids.items[i]));
		if (err->code == ERR_NONE)
			json_object_set_new(line, "result", json_string(done));
		else
			cli_json_error(line, err);
		cli_json(line);
	} else if (err->code == ERR_NONE) {
		printf("%s\t%s\n", deletion->ids.items[i], done);
	}
	if (err->code != ERR_NONE) {
		cli_say(deletion->cli, "%s: %s", deletion->ids.items[i], err->text);
		deletion->failed++;
	}
	progress_step(&deletion->progress, 0);
}

static void report_batch(void *context, size_t batch)
{
	struct deletion *deletion = context;

	for (size_t i = batch * BATCH; i < deletion->ids.count && i < (batch + 1) * BATCH; i++)
		report_one(deletion, i);
}

int services_delete(struct cli *cli, const struct args *args, uint16_t cmd, int64_t threads)
{
	bool now = cmd == CMD_DELETE_NOW;
	struct deletion deletion = { .cli = cli, .cmd = cmd, .json = args_has(args, "json") };
	const struct jobs jobs = { now ? delete_one : note_batch, now ? report_one : report_batch,
		&deletion };

	deletion.client = services_client(cli, args);
	if (deletion.client == NULL)
		return CLI_USAGE;
	deletion.order = (enum byte_order)cli_settings(cli)->byte_order;
	cli_words_read(args, 0, &deletion.ids);
	deletion.errs = calloc(deletion.ids.count + 1, sizeof deletion.errs[0]);
	if (deletion.errs == NULL)
		abort();
	progress_start(&deletion.progress, now ? "deleted" : "noted", deletion.ids.count);
	jobs_run(&jobs, now ? deletion.ids.count : (deletion.ids.count + BATCH - 1) / BATCH,
		(size_t)threads);
	progress_end(&deletion.progress);
	free(deletion.errs);
	cli_words_fini(&deletion.ids);
	frame_client_free(deletion.client);
	return deletion.failed == 0 ? CLI_OK : CLI_FAILED;
}
