/* cmd_receipt.c - picstore receipt: what became of the deletion of a picture.
 *
 * With --check it is not believed: the store and each cache are asked again. */
#include "deletion/receipt.h"
#include "programs/picstore/commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 5000, URL_MAX = 512 };

struct show {
	struct cli *cli;
	bool json, check;
	struct web *web;
	struct receipt receipt;      /* that is being shown */
	json_t *asked, *places;      /* of it */
	uint64_t outstanding, there; /* places, of all receipts */
};

/* ---- asking again ---- */

static int store_has(struct show *show, const struct file_id *id, bool *there, struct err *err)
{
	struct fdfs_client *client = cli_client(show->cli);
	struct fdfs_info info;

	if (client == NULL)
		return err_set(err, ERR_CONFIG, "the trackers cannot be asked");
	*there = fdfs_stat(client, id, &info, err) == 0;
	return *there || err->code == ERR_GONE || err->code == ERR_NOT_FOUND ? 0 : -1;
}

/* One byte tells as much as the whole picture. */
static int cache_has(
	struct show *show, const char *cache, const char *picture, bool *there, struct err *err)
{
	static const char *const headers[] = { "Range: bytes=0-0", NULL };
	struct web_response response;
	char url[URL_MAX];
	const struct web_request request = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.timeout_ms = WAIT_MS,
		.max_body = 64 << 20,
	};
	int result;

	snprintf(url, sizeof url, "http://%s/%s", cache, picture);
	web_response_init(&response);
	result = web_ask(show->web, &request, &response, err);
	*there = response.status >= 200 && response.status < 300;
	if (result == 0 && !*there && response.status != 404 && response.status != 410)
		result = err_set(
			err, ERR_UNKNOWN, "the cache %s answers %d", cache, response.status);
	web_response_fini(&response);
	return result;
}

/* "gone", "THERE", or why that cannot be told. */
static const char *look(struct show *show, const struct deletion_place *place, struct err *err)
{
	struct file_id id;
	bool there = false;
	int result;

	if (!file_id_parse(span_str(place->picture), &id))
		result = err_set(err, ERR_BAD_ID, "that is no id");
	else if (place->cache[0] == '\0')
		result = store_has(show, &id, &there, err);
	else if (strcmp(place->cache, DELETION_METADATA) == 0) /* a photo is no copy */
		return place->confirmed != 0 ? "marked" : "outstanding";
	else if (strcmp(place->cache, DELETION_CUTS) == 0)
		return place->confirmed != 0 ? "none" : "may be there";
	else
		result = cache_has(show, place->cache, place->picture, &there, err);
	show->there += there;
	if (result == 0)
		return there ? "THERE" : "gone";
	show->outstanding += place->confirmed != 0; /* others are counted already */
	return err->text;
}

/* ---- showing ---- */

static void show_receipt(void *context, const struct receipt *receipt)
{
	struct show *show = context;
	char opened[32], closed[32];

	show->receipt = *receipt;
	if (show->json) {
		show->asked = json_array();
		show->places = json_array();
		return;
	}
	cli_time(receipt->opened, false, opened);
	cli_time(receipt->closed, false, closed);
	printf("receipt %" PRId64 " of %s\n", receipt->number, receipt->picture);
	if (receipt->closed != 0 && receipt->left == 0)
		printf("  deleted everywhere: %s\n", closed);
	else if (receipt->closed != 0)
		printf("  deleted everywhere but in %" PRId64 " places that have left: %s\n",
			receipt->left, closed);
	else
		printf("  OUTSTANDING since %s\n", opened);
}

static void show_asked(void *context, const struct receipt_asked *asked)
{
	struct show *show = context;
	char when[32];
	json_t *one;

	cli_time(asked->at, show->json, when);
	if (!show->json) {
		printf("  asked for by user %" PRIu32 ", host %" PRIu32 ", from %s: %s\n",
			asked->user, asked->hostid, asked->peer, when);
		return;
	}
	one = json_object();
	json_object_set_new(one, "at", json_string(when));
	json_object_set_new(one, "user", json_integer(asked->user));
	json_object_set_new(one, "hostid", json_integer(asked->hostid));
	json_object_set_new(one, "peer", json_string(asked->peer));
	json_array_append_new(show->asked, one);
}

static void place_json(
	struct show *show, const struct deletion_place *place, int64_t tries, const char *now)
{
	json_t *one = json_object();
	char when[32];

	json_object_set_new(one, "picture", json_string(place->picture));
	json_object_set_new(
		one, "place", json_string(place->cache[0] == '\0' ? "store" : place->cache));
	cli_time(place->confirmed, true, when);
	json_object_set_new(
		one, "confirmed", place->confirmed != 0 ? json_string(when) : json_null());
	cli_time(place->left, true, when);
	if (place->left != 0)
		json_object_set_new(one, "left", json_string(when));
	json_object_set_new(one, "tries", json_integer(tries));
	if (place->confirmed != 0)
		json_object_set_new(one, "outcome", json_string(place->outcome));
	else
		json_object_set_new(one, "error", json_string(place->err.text));
	if (now != NULL)
		json_object_set_new(one, "now", json_string(now));
	json_array_append_new(show->places, one);
}

static void show_place(void *context, const struct deletion_place *place, int64_t tries)
{
	struct show *show = context;
	const char *now = NULL;
	struct err err;
	char when[32];

	show->outstanding += place->confirmed == 0 && place->left == 0;
	if (show->check)
		now = look(show, place, &err);
	if (show->json) {
		place_json(show, place, tries, now);
		return;
	}
	cli_time(place->confirmed != 0 ? place->confirmed : place->left, false, when);
	if (strcmp(place->picture, show->receipt.picture) == 0)
		printf("  %-21s  ", place->cache[0] == '\0' ? "store" : place->cache);
	else
		printf("  %-21s  %s made from it: ",
			place->cache[0] == '\0' ? "store" : place->cache, place->picture);
	if (place->confirmed != 0)
		printf("%s  %s", when, place->outcome);
	else if (place->left != 0)
		printf("%s  NOT CONFIRMED: %s", when, place->err.text);
	else
		printf("OUTSTANDING after %" PRId64 " tries: %s", tries, place->err.text);
	if (now != NULL)
		printf(".  Now: %s", now);
	putchar('\n');
}

static void show_end(void *context)
{
	struct show *show = context;
	char opened[32], closed[32];
	json_t *line;

	if (!show->json)
		return;
	line = json_object();
	cli_time(show->receipt.opened, true, opened);
	cli_time(show->receipt.closed, true, closed);
	json_object_set_new(line, "receipt", json_integer(show->receipt.number));
	json_object_set_new(line, "id", json_string(show->receipt.picture));
	json_object_set_new(line, "opened", json_string(opened));
	json_object_set_new(
		line, "closed", show->receipt.closed != 0 ? json_string(closed) : json_null());
	json_object_set_new(line, "asked", show->asked);
	json_object_set_new(line, "places", show->places);
	cli_json(line);
}

/* ---- the command ---- */

static int show_one(struct show *show, struct receipts *receipts, const char *id, struct err *err)
{
	const struct receipt_reader reader = {
		.receipt = show_receipt,
		.asked = show_asked,
		.place = show_place,
		.end = show_end,
		.context = show,
	};
	struct file_id parsed;
	int count;

	if (id != NULL && !file_id_parse(span_str(id), &parsed))
		return err_set(err, ERR_BAD_ID, "'%.160s' is not the id of a picture", id);
	count = receipts_read(receipts, id, &reader, err);
	if (count == 0 && id != NULL)
		return err_set(err, ERR_NOT_FOUND, "%s: there is no receipt of its deletion", id);
	return count < 0 ? -1 : 0;
}

static int receipt_run(struct cli *cli, const struct args *args)
{
	struct show show = {
		.cli = cli,
		.json = args_has(args, "json"),
		.check = args_has(args, "check"),
	};
	const struct settings *settings = cli_settings(cli);
	bool open = args_has(args, "outstanding");
	struct receipts *receipts;
	struct cli_words ids;
	size_t failed = 0;
	struct err err;

	if (settings == NULL)
		return CLI_USAGE;
	if (open == (args->count > 0)) {
		cli_say(cli, open ? "--outstanding takes no ids" : "which picture?");
		return CLI_USAGE;
	}
	receipts = receipts_open(settings->cs_del_receipts, true, &err);
	if (receipts == NULL)
		return cli_fail(cli, &err);
	if (show.check)
		show.web = web_new();
	cli_words_read(args, 0, &ids);
	for (size_t i = 0; i < ids.count + open; i++) {
		if (show_one(&show, receipts, open ? NULL : ids.items[i], &err) == 0)
			continue;
		cli_say(cli, "%s", err.text);
		failed++;
	}
	cli_words_fini(&ids);
	web_free(show.web);
	receipts_close(receipts);
	if (show.there > 0)
		cli_say(cli, "%" PRIu64 " copies are STILL THERE", show.there);
	return failed == 0 && show.there == 0 && show.outstanding == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "check", NULL, "ask the store and each cache again" },
	{ '\0', "outstanding", NULL, "all receipts of which something is outstanding" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_receipt = {
	.name = "receipt",
	.operands = "[ID...]",
	.summary = "show what became of the deletion of a picture",
	.about =
		"Shows what was asked by whom, and for the store and each cache when it confirmed\n"
		"that the picture, and what was made from it, is gone.  What is outstanding is\n"
		"tried again by cs_del_svr until it is done.  Exit status 1 if something is\n"
		"outstanding, or with --check still there.",
	.options = options,
	.least = 0,
	.most = SIZE_MAX,
	.run = receipt_run,
};
