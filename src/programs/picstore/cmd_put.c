/* cmd_put.c - picstore put: store files, straight over the FastDFS protocol. */
#include "programs/picstore/commands.h"
#include "programs/picstore/files.h"
#include "programs/picstore/jobs.h"
#include "programs/picstore/progress.h"

#include <stdlib.h>
#include <string.h>

struct put_item {
	char id[FILE_ID_TEXT_MAX + 1];
	uint64_t bytes;
	struct err err; /* code ERR_NONE: stored */
};

struct put {
	struct cli *cli;
	struct fdfs_client *client;
	const char *group, *ext;
	bool json, quiet;
	struct files_list files;
	struct put_item **items; /* from the beginning of the work until the report */
	struct progress progress;
	size_t failed, unreadable;
};

static void put_one(void *context, size_t i)
{
	struct put *put = context;
	struct put_item *item = calloc(1, sizeof *item);
	char ext[FILE_ID_EXT_MAX + 1];
	struct file_id id;
	struct buf bytes;

	if (item == NULL)
		abort();
	put->items[i] = item;
	buf_init(&bytes, 1 << 30);
	if (put->ext != NULL)
		snprintf(ext, sizeof ext, "%s", put->ext);
	else
		files_ext(put->files.paths[i], ext);
	if (files_read(put->files.paths[i], &bytes, &item->err) == 0) {
		item->bytes = bytes.len;
		if (bytes.len == 0)
			err_set(&item->err, ERR_EMPTY_FILE, "%s: is empty", put->files.paths[i]);
		else if (fdfs_upload(put->client, put->group, buf_span(&bytes), ext, &id,
				 &item->err) == 0) {
			item->err.code = ERR_NONE;
			file_id_format(&id, item->id);
		} else {
			err_prefix(&item->err, "%s", put->files.paths[i]);
		}
	}
	buf_fini(&bytes);
}

/* A line for each file, whatever its name: get, rm and stat take the first word of each. */
static void print_line(const char *id, const char *path)
{
	printf("%s\t", id);
	for (const char *c = path; *c != '\0'; c++)
		putchar((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
	putchar('\n');
}

static void report_one(void *context, size_t i)
{
	struct put *put = context;
	struct put_item *item = put->items[i];
	const char *path = put->files.paths[i];
	bool ok = item->err.code == ERR_NONE;

	progress_hide(&put->progress);
	if (put->json) {
		json_t *line = json_object();

		/* A path that is not UTF-8 has no form in JSON. */
		json_object_set_new(line, "path", json_string(path));
		json_object_set_new(line, "bytes", json_integer((json_int_t)item->bytes));
		if (ok)
			json_object_set_new(line, "id", json_string(item->id));
		else
			cli_json_error(line, &item->err);
		cli_json(line);
	} else if (ok && put->quiet) {
		puts(item->id);
	} else if (ok) {
		print_line(item->id, path);
	}
	if (!ok) {
		put->failed++;
		cli_say(put->cli, "%s", item->err.text);
	}
	progress_step(&put->progress, ok ? item->bytes : 0);
	free(item);
}

static int put_run(struct cli *cli, const struct args *args)
{
	const struct jobs jobs = { put_one, report_one, NULL };
	struct put put = {
		.cli = cli,
		.group = args_value(args, "group"),
		.ext = args_value(args, "ext"),
		.json = args_has(args, "json"),
		.quiet = args_has(args, "quiet"),
	};
	struct jobs mine = jobs;
	int64_t threads;
	struct err err;

	if (args_number(args, "jobs", 1, JOBS_MAX, 4, &threads, &err) < 0)
		return cli_fail(cli, &err);
	if (put.ext != NULL && !file_id_ext_ok(span_str(put.ext))) {
		cli_say(cli,
			"--ext: '%.40s' is not an extension that ids have: at most 6 letters "
			"and digits, without the dot",
			put.ext);
		return CLI_USAGE;
	}
	if (put.group != NULL && !file_id_group_ok(span_str(put.group))) {
		cli_say(cli, "--group: '%.40s' is not the name of a group", put.group);
		return CLI_USAGE;
	}
	put.client = cli_client(cli);
	if (put.client == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < args->count; i++) {
		if (files_add(&put.files, args->operands[i], &err) < 0) {
			put.unreadable++;
			cli_say(cli, "%s", err.text);
		}
	}
	put.items = calloc(put.files.count + 1, sizeof put.items[0]);
	if (put.items == NULL)
		abort();
	progress_start(&put.progress, "stored", put.files.count);
	mine.context = &put;
	jobs_run(&mine, put.files.count, (size_t)threads);
	progress_end(&put.progress);
	if (put.failed > 0 && put.files.count > 1)
		cli_say(cli, "%zu of %zu files were not stored", put.failed, put.files.count);
	free(put.items);
	files_list_fini(&put.files);
	return put.failed + put.unreadable == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ 'g', "group", "GROUP", "store in this group (default: the tracker decides)" },
	{ 'j', "jobs", "N", "so many at a time (default: 4)" },
	{ 'e', "ext", "EXT", "extension of the ids (default: that of the file's name)" },
	{ 'q', "quiet", NULL, "print ids without paths" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_put = {
	.name = "put",
	.operands = "FILE|DIR...",
	.summary = "store files, and the files in folders",
	.about = "Prints a line a file, \"ID<tab>PATH\", which get, rm and stat take on stdin.\n"
		 "\"-\" stores what comes on stdin.  Files go straight to the store: whether they\n"
		 "are pictures is not checked, and no session key is needed.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = put_run,
};
