/* cmd_get.c - picstore get: fetch pictures into files. */
#include "programs/picstore/commands.h"
#include "programs/picstore/files.h"
#include "programs/picstore/jobs.h"
#include "programs/picstore/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct get_item {
	char *path; /* NULL: stdout */
	uint64_t bytes;
	struct err err; /* code ERR_NONE: fetched */
};

struct get {
	struct cli *cli;
	struct fdfs_client *client;
	struct cli_words ids;
	const char *folder, *file; /* one of them, or neither for stdout */
	bool json, replace;
	struct get_item *items;
	struct progress progress;
	size_t failed;
};

static int to_stdout(struct span bytes, struct err *err)
{
	if (fwrite(bytes.data, 1, bytes.len, stdout) != bytes.len)
		return err_errno(err, "cannot write to stdout");
	return 0;
}

static int fetch(struct get *get, const char *text, struct get_item *item, struct buf *bytes)
{
	struct file_id id;

	if (!file_id_parse(span_str(text), &id))
		return err_set(&item->err, ERR_BAD_ID, "'%.160s' is not the id of a picture", text);
	if (get->file != NULL)
		item->path = strdup(get->file);
	else if (get->folder != NULL &&
		 asprintf(&item->path, "%s/%s", get->folder, strrchr(text, '/') + 1) < 0)
		abort();
	/* Not worth fetching for nothing; files_write has the last word. */
	if (item->path != NULL && !get->replace && access(item->path, F_OK) == 0)
		return err_set(
			&item->err, ERR_EXISTS, "%s: exists already; -f replaces it", item->path);
	if (fdfs_download(get->client, &id, bytes, &item->err) < 0)
		return err_prefix(&item->err, "%s", text);
	item->bytes = bytes->len;
	if (item->path == NULL)
		return to_stdout(buf_span(bytes), &item->err);
	return files_write(item->path, buf_span(bytes), get->replace, &item->err);
}

static void get_one(void *context, size_t i)
{
	struct get *get = context;
	struct buf bytes;

	buf_init(&bytes, 1 << 30);
	if (fetch(get, get->ids.items[i], &get->items[i], &bytes) == 0)
		get->items[i].err.code = ERR_NONE;
	buf_fini(&bytes);
}

static void report_one(void *context, size_t i)
{
	struct get *get = context;
	const struct get_item *item = &get->items[i];
	bool ok = item->err.code == ERR_NONE;

	progress_hide(&get->progress);
	if (get->json) {
		json_t *line = json_object();

		json_object_set_new(line, "id", json_string(get->ids.items[i]));
		if (ok) {
			json_object_set_new(line, "path", json_string(item->path));
			json_object_set_new(line, "bytes", json_integer((json_int_t)item->bytes));
		} else {
			cli_json_error(line, &item->err);
		}
		cli_json(line);
	} else if (ok && item->path != NULL) {
		printf("%s\t%s\n", get->ids.items[i], item->path);
	}
	if (!ok) {
		get->failed++;
		cli_say(get->cli, "%s", item->err.text);
	}
	progress_step(&get->progress, ok ? item->bytes : 0);
}

/* Where things go: -o names a file for one id, a folder, or "-" for stdout. */
static int choose_place(struct get *get, const char *output)
{
	struct stat st;
	bool folder;

	if (output == NULL) {
		get->folder = ".";
		return CLI_OK;
	}
	folder = stat(output, &st) == 0 && S_ISDIR(st.st_mode);
	if (strcmp(output, "-") == 0) {
		if (get->json || get->ids.count != 1) {
			cli_say(get->cli, "-o - takes one id, and no --json");
			return CLI_USAGE;
		}
	} else if (folder) {
		get->folder = output;
	} else if (get->ids.count == 1) {
		get->file = output;
	} else {
		cli_say(get->cli, "%s: is not a folder, and there is more than one id", output);
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int get_run(struct cli *cli, const struct args *args)
{
	struct get get = {
		.cli = cli,
		.json = args_has(args, "json"),
		.replace = args_has(args, "force"),
	};
	const struct jobs jobs = { get_one, report_one, &get };
	int64_t threads;
	struct err err;
	int status;

	if (args_number(args, "jobs", 1, JOBS_MAX, 4, &threads, &err) < 0)
		return cli_fail(cli, &err);
	get.client = cli_client(cli);
	if (get.client == NULL)
		return CLI_USAGE;
	cli_words_read(args, 0, &get.ids);
	status = choose_place(&get, args_value(args, "output"));
	get.items = calloc(get.ids.count + 1, sizeof get.items[0]);
	if (get.items == NULL)
		abort();
	if (status == CLI_OK) {
		progress_start(&get.progress, "fetched", get.ids.count);
		jobs_run(&jobs, get.ids.count, (size_t)threads);
		progress_end(&get.progress);
		status = get.failed == 0 ? CLI_OK : CLI_FAILED;
	}
	for (size_t i = 0; i < get.ids.count; i++)
		free(get.items[i].path);
	free(get.items);
	cli_words_fini(&get.ids);
	return status;
}

static const struct arg_option options[] = {
	{ 'o', "output", "PLACE", "a folder, a file for one id, or - (default: this folder)" },
	{ 'f', "force", NULL, "replace files that exist" },
	{ 'j', "jobs", "N", "so many at a time (default: 4)" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_get = {
	.name = "get",
	.operands = "ID...",
	.summary = "fetch pictures into files",
	.about = "Every picture is checked against its id, and its file appears whole or not at\n"
		 "all.  In a folder its name is the last part of the id.  With \"-\" as ID the "
		 "first\n"
		 "word of each line of stdin is an id.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = get_run,
};
