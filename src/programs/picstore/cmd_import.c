/* cmd_import.c - picstore import: pictures from elsewhere, which keep their old ids. */
#include "programs/picstore/commands.h"
#include "programs/picstore/crew.h"
#include "programs/picstore/files.h"
#include "programs/picstore/import_sources.h"
#include "programs/picstore/jobs.h"

#include <stdlib.h>
#include <string.h>

/* Where it is stored, as the journal remembers it. */
static void target_name(const struct settings *settings, char out[256])
{
	snprintf(out, 256, "%s",
		settings->tracker_server.count > 0 ? settings->tracker_server.items[0] : "");
}

static struct fdfs_client *source_client(
	const struct settings *settings, const char *tracker, struct err *err)
{
	char *trackers[] = { (char *)(uintptr_t)tracker };
	const struct fdfs_client_conf conf = {
		.trackers = trackers,
		.tracker_count = 1,
		.connect_timeout_ms = settings->connect_timeout,
		.network_timeout_ms = settings->network_timeout,
		.patience_ms = settings->patience,
		.max_file_size = 1 << 30,
		.idle_connections = JOBS_MAX,
	};

	return fdfs_client_new(&conf, err);
}

struct import {
	struct importer importer;
	struct move_report report;
	struct fdfs_folder folder;
	struct import_feed feed;
	const char *from;
};

/* Open what the kind of source needs.  -1 with err. */
static int prepare(struct import *import, const struct settings *settings, const struct args *args,
	struct err *err)
{
	struct importer *importer = &import->importer;
	const char *journal = args_value(args, "journal");
	char target[256];

	if (strcmp(import->from, "tracker") == 0) {
		importer->source = source_client(settings, args->operands[0], err);
		return importer->source == NULL ? -1 : 0;
	}
	if (strcmp(import->from, "fastdfs") == 0) {
		if (importer->group == NULL)
			return err_set(err, ERR_BAD_REQUEST,
				"the folders do not tell whose they are: --group says it");
		import->folder = (struct fdfs_folder){ importer->group, args->operands,
			args->count };
		importer->folder = &import->folder;
		return 0;
	}
	if (strcmp(import->from, "folder") == 0) {
		target_name(settings, target);
		importer->journal = import_journal_open(
			journal != NULL ? journal : "picstore-import.journal", target, err);
		return importer->journal == NULL ? -1 : 0;
	}
	if (strcmp(import->from, "export") == 0 && args->count == 1)
		return 0;
	return err_set(err, ERR_BAD_REQUEST,
		"--from is tracker, fastdfs, folder or export (of one DIR, or -)");
}

static int feed(struct import *import, const struct args *args, struct err *err)
{
	struct import_feed *feed = &import->feed;

	if (strcmp(import->from, "tracker") == 0)
		return import_feed_ids(feed, args->operands + 1, args->count - 1, err);
	if (strcmp(import->from, "fastdfs") == 0)
		return import_feed_fastdfs(feed, &import->folder, args_value(args, "binlog"), err);
	if (strcmp(import->from, "folder") == 0)
		return import_feed_files(feed, args->operands, args->count, err);
	return import_feed_export(feed, args->operands[0], err);
}

static int import_run(struct cli *cli, const struct args *args)
{
	struct import import = { .from = args_value(args, "from") };
	const struct settings *settings = cli_settings(cli);
	struct importer *importer = &import.importer;
	int64_t jobs;
	struct err err = { 0 };
	int status;

	if (settings == NULL)
		return CLI_USAGE;
	if (import.from == NULL) {
		cli_say(cli, "--from says where from: tracker, fastdfs, folder or export");
		return CLI_USAGE;
	}
	importer->group = args_value(args, "group");
	importer->any = args_has(args, "any");
	importer->report = &import.report;
	if (importer->group != NULL && !file_id_group_ok(span_str(importer->group))) {
		cli_say(cli, "--group: '%.40s' is not the name of a group", importer->group);
		return CLI_USAGE;
	}
	if (args_number(args, "jobs", 1, JOBS_MAX, 8, &jobs, &err) < 0)
		return cli_fail(cli, &err);
	importer->target = cli_client(cli);
	if (importer->target == NULL)
		return CLI_USAGE;
	if (prepare(&import, settings, args, &err) != 0 ||
		move_report_start(
			&import.report, cli, "imported", args_value(args, "failures"), &err) != 0) {
		status = cli_fail(cli, &err);
		goto done;
	}
	import.feed.report = &import.report;
	import.feed.crew = crew_new((size_t)jobs, importer_work, importer);
	if (feed(&import, args, &err) != 0)
		move_report_add(&import.report, import.from, MOVE_FAILED, 0, NULL, &err);
	crew_end(import.feed.crew);
	status = move_report_end(&import.report);
done:
	fdfs_client_free(importer->source);
	import_journal_close(importer->journal);
	return status;
}

static const struct arg_option options[] = {
	{ 'f', "from", "KIND", "tracker, fastdfs, folder or export" },
	{ 'g', "group", "GROUP", "of fastdfs: whose folders they are; of folder: store there" },
	{ 'j', "jobs", "N", "so many at a time (default: 8)" },
	{ '\0', "binlog", "DIR", "of fastdfs: its binlogs (default: data/sync of the first path)" },
	{ '\0', "journal", "FILE", "of folder: what is done (default: picstore-import.journal)" },
	{ '\0', "failures", "FILE", "write what failed to FILE: what, word, reason" },
	{ 'a', "any", NULL, "of folder: store what is no picture too" },
	{ 0 },
};

const struct command command_import = {
	.name = "import",
	.operands = "SOURCE...",
	.summary = "take pictures from a FastDFS, a folder or another picstore",
	.about = "  --from tracker HOST:PORT [FILE|-]   ids of a FastDFS or picstore, a line each\n"
		 "  --from fastdfs STORE_PATH...        its data folders, M00 first, and binlogs\n"
		 "  --from folder DIR...                pictures that have no ids\n"
		 "  --from export DIR|-                 what picstore export wrote\n"
		 "\n"
		 "Each picture is checked by size and CRC.  Old ids go on working.  Run again it "
		 "goes\n"
		 "on where it was cut off.  Nothing is removed anywhere.  Prints a line for each "
		 "that\n"
		 "was stored: \"ID<tab>OLD ID\" or \"ID<tab>PATH\".",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = import_run,
};
