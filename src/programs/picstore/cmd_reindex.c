/* cmd_reindex.c - picstore reindex: photos made to fit what is in the store.
 *
 *     1. the stores of this machine are walked: which pictures are there, which were
 *        deleted
 *     2. every photo is held against that
 *     3. what is in the store and has no photo is put; cuts have none
 *
 * It runs beside everything else: what is younger than a minute is left alone. */
#include "core/clock.h"
#include "image/picture.h"
#include "meta/cut_memory.h"
#include "photo/local_pictures.h"
#include "photo/photo_client.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/jobs.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 500, TIMEOUT_MS = 30000, YOUNG_S = 60, GROW = 1024, PUTTERS = 16 };

struct entry {
	struct file_id id;
	bool deleted, has_photo;
};

struct reindex {
	struct cli *cli;
	const struct settings *settings;
	struct photo_client *photos;
	struct cut_memory *cuts; /* NULL: nothing was ever cut */
	bool dry, json, all;     /* all: the whole store is on this machine */
	struct entry *entries;
	size_t count;
	int64_t newest; /* what is younger is left alone */
	/* figures */
	uint64_t pictures, deletions, corrupt, known, lost, back, marked, young, elsewhere;
	_Atomic uint64_t put, cut, failed;
};

/* ---- 1. the store ---- */

static bool note(void *context, const struct engine_found *found)
{
	struct reindex *reindex = context;
	bool deleted = found->what == ENGINE_FOUND_DELETED;

	if (found->what == ENGINE_FOUND_TORN)
		return true;
	if (found->what == ENGINE_FOUND_CORRUPT) {
		reindex->corrupt++;
		cli_say(reindex->cli, "%s", found->err.text);
		return true;
	}
	if (reindex->count % GROW == 0) {
		reindex->entries = realloc(
			reindex->entries, (reindex->count + GROW) * sizeof reindex->entries[0]);
		if (reindex->entries == NULL)
			abort();
	}
	reindex->entries[reindex->count++] = (struct entry){ .id = found->id, .deleted = deleted };
	if (deleted)
		reindex->deletions++;
	else
		reindex->pictures++;
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->id.group, y->id.group);

	return order != 0 ? order : strcmp(x->id.name, y->id.name);
}

static struct entry *find(struct reindex *reindex, const char *url)
{
	struct entry key = { 0 };

	if (!file_id_parse(span_str(url), &key.id))
		return NULL;
	return bsearch(&key, reindex->entries, reindex->count, sizeof key, by_id);
}

/* ---- 2. the photos ---- */

static int settle(struct reindex *reindex, const struct photo *photo, enum photo_settle what,
	uint64_t *figure, struct err *err)
{
	++*figure;
	if (reindex->dry)
		return 0;
	return photo_client_settle(reindex->photos, photo->photoid, what,
		what == PHOTO_SETTLE_STORED ? photo->url : "", err);
}

static int check_photo(struct reindex *reindex, const struct photo *photo, struct err *err)
{
	struct entry *entry;

	if (photo->state == PHOTO_PENDING || (int64_t)photo->time > reindex->newest) {
		reindex->young++; /* metadata_dbsvr settles those */
		entry = find(reindex, photo->url);
		if (entry != NULL)
			entry->has_photo = true;
		return 0;
	}
	entry = find(reindex, photo->url);
	if (entry != NULL)
		entry->has_photo = true;
	if (entry == NULL) {
		if (photo->state != PHOTO_STORED)
			return 0;
		if (!reindex->all) {
			reindex->elsewhere++;
			return 0;
		}
		return settle(reindex, photo, PHOTO_SETTLE_LOST, &reindex->lost, err);
	}
	if (entry->deleted && photo->state != PHOTO_DELETED)
		return settle(reindex, photo, PHOTO_SETTLE_DELETED, &reindex->marked, err);
	if (!entry->deleted && photo->state == PHOTO_LOST)
		return settle(reindex, photo, PHOTO_SETTLE_STORED, &reindex->back, err);
	reindex->known++;
	return 0;
}

static int check_photos(struct reindex *reindex, struct err *err)
{
	struct photo_request ask = { .cmd = CMD_PHOTO_LIST_ALL, .states = (1 << PHOTO_STATES) - 1 };
	struct photo *page = calloc(PAGE, sizeof *page);
	bool more = true;
	int result = 0;
	size_t count;

	if (page == NULL)
		abort();
	while (result == 0 && more) {
		result = photo_client_list(reindex->photos, &ask, page, PAGE, &count, &more, err);
		for (size_t i = 0; result == 0 && i < count; i++)
			result = check_photo(reindex, &page[i], err);
	}
	free(page);
	return result;
}

/* ---- 3. pictures without a photo ---- */

/* 1 if it was made of another, 0 if not, -1 if that cannot be told. */
static int is_cut(struct reindex *reindex, const char *url, struct err *err)
{
	struct cut_name *origins;
	size_t count = 0;

	if (reindex->cuts == NULL)
		return 0;
	if (cut_memory_origins(reindex->cuts, url, &origins, &count, err) != 0)
		return -1;
	free(origins);
	return count > 0;
}

static void put_one(void *context, size_t i)
{
	struct reindex *reindex = context;
	const struct entry *entry = &reindex->entries[i];
	struct photo photo = { .state = PHOTO_STORED };
	struct err err;
	int cut;

	if (entry->deleted || entry->has_photo || (int64_t)entry->id.time > reindex->newest)
		return;
	photo.type = (uint16_t)picture_format_of(span_str(entry->id.ext));
	photo.length = entry->id.size;
	photo.crc = entry->id.crc;
	photo.time = entry->id.time;
	file_id_format(&entry->id, photo.url);
	cut = is_cut(reindex, photo.url, &err);
	if (cut > 0)
		atomic_fetch_add(&reindex->cut, 1);
	else if (cut == 0 && (reindex->dry || photo_client_put(reindex->photos, &photo, &err) == 0))
		atomic_fetch_add(&reindex->put, 1);
	else if (cut < 0 || err.code != ERR_EXISTS) { /* an upload was faster */
		if (atomic_fetch_add(&reindex->failed, 1) == 0)
			cli_say(reindex->cli, "%s: %s", photo.url, err.text);
	}
}

static void say_nothing(void *context, size_t i)
{
	(void)context;
	(void)i;
}

/* ---- the whole ---- */

static int run(struct reindex *reindex, struct err *err)
{
	const struct jobs jobs = { put_one, say_nothing, reindex };
	struct fdfs_client *client = cli_client(reindex->cli);
	size_t skipped = 0;

	if (client == NULL)
		return err_set(err, ERR_CONFIG, "there is no tracker to ask");
	if (local_pictures_are_all(reindex->settings, true, client, NULL, &reindex->all, err) !=
			0 ||
		local_pictures_walk(reindex->settings, true, note, reindex, &skipped, err) != 0)
		return -1;
	/* What damage hides may be somebody's picture. */
	reindex->all = reindex->all && skipped == 0 && reindex->corrupt == 0;
	if (reindex->count > 0)
		qsort(reindex->entries, reindex->count, sizeof reindex->entries[0], by_id);
	if (check_photos(reindex, err) != 0)
		return -1;
	jobs_run(&jobs, reindex->count, PUTTERS);
	return 0;
}

struct figure {
	const char *name, *text;
	uint64_t value;
};

static void report(struct reindex *reindex)
{
	const struct figure figures[] = {
		{ "pictures", "pictures in the store", reindex->pictures },
		{ "deletions", "deleted ones in the store", reindex->deletions },
		{ "corrupt", "damaged records, see picstore fsck", reindex->corrupt },
		{ "known", "photos that fit", reindex->known },
		{ "young", "photos too young to judge", reindex->young },
		{ "put",
			"photos made; whose, album, channel, name, size in pixels and address of "
			"who uploaded are not known",
			reindex->put },
		{ "cuts", "pictures cut out of others, which have no photo", reindex->cut },
		{ "marked", "photos marked as deleted", reindex->marked },
		{ "lost", "photos marked as lost: the store has no such picture", reindex->lost },
		{ "back", "lost photos whose picture is there", reindex->back },
		{ "elsewhere", "photos not to be judged: not the whole store is on this machine",
			reindex->elsewhere },
		{ "failed", "photos that could not be put", reindex->failed },
	};
	json_t *line = json_object();

	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
		json_object_set_new(
			line, figures[i].name, json_integer((json_int_t)figures[i].value));
		if (!reindex->json && (figures[i].value > 0 || i == 0))
			printf("%10" PRIu64 "  %s\n", figures[i].value, figures[i].text);
	}
	if (reindex->json)
		cli_json(line);
	else
		json_decref(line);
}

static int reindex_run(struct cli *cli, const struct args *args)
{
	struct reindex reindex = {
		.cli = cli,
		.settings = cli_settings(cli),
		.dry = args_has(args, "dry-run"),
		.json = args_has(args, "json"),
		.newest = clock_unix() - (args_has(args, "younger") ? 0 : YOUNG_S),
	};
	const char *server = args_value(args, "server");
	struct err err;
	int result;

	if (reindex.settings == NULL)
		return CLI_USAGE;
	if (server == NULL)
		server = reindex.settings->upload_metadata[0] != '\0'
				 ? reindex.settings->upload_metadata
				 : reindex.settings->metadata.listen;
	reindex.photos = photo_client_new(reindex.settings, server, TIMEOUT_MS, &err);
	if (reindex.photos == NULL)
		return cli_fail(cli, &err);
	result = 0;
	if (access(reindex.settings->cut_made, F_OK) == 0) {
		reindex.cuts = cut_memory_open(reindex.settings->cut_made, &err);
		result = reindex.cuts == NULL ? -1 : 0;
	}
	if (result == 0)
		result = run(&reindex, &err);
	if (result == 0)
		report(&reindex);
	cut_memory_close(reindex.cuts);
	photo_client_free(reindex.photos);
	free(reindex.entries);
	if (result != 0)
		return cli_fail(cli, &err);
	return reindex.failed == 0 && reindex.corrupt == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ 'n', "dry-run", NULL, "change nothing, tell what would be" },
	{ '\0', "younger", NULL, "look at what is younger than a minute too: nobody may upload" },
	{ 's', "server", "ADDRESS", "metadata_dbsvr or admin_proxy (default: as configured)" },
	{ '\0', "json", NULL, "print one JSON object" },
	{ 0 },
};

const struct command command_reindex = {
	.name = "reindex",
	.operands = "",
	.summary = "make the photos of metadata_dbsvr fit what is in the store",
	.about =
		"Walks the volumes of this machine.  A picture without a photo gets one, of which\n"
		"much is unknown; a photo whose picture is gone is marked.  Run it as a user that\n"
		"may read the volumes.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = reindex_run,
};
