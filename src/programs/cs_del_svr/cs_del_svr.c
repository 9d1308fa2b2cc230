/* cs_del_svr.c - receipts opened, deletions run, receipts saved; and what is outstanding
 * tried again until it is done.
 *
 * A receipt has its places on the disk before the first of them is touched.  While its
 * process works on it, others leave it alone for HOLD_MS; a process that starts takes back
 * what it held when it died. */
#include "programs/cs_del_svr/cs_del_svr.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/steady_cond.h"
#include "deletion/derived_cuts.h"
#include "deletion/ledger.h"
#include "fdfs/client_names.h"
#include "photo/photo_client.h"
#include "programs/cs_del_svr/deleters.h"
#include "service/store_client.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	HOLD_MS = 5 * 60 * 1000,
	LOOK_MS = 200,         /* between looks for what is outstanding */
	CACHE_RETRY_MS = 200,  /* until a cache is tried again: when it is back, it serves */
	STORE_RETRY_MS = 1000, /* until a store is, which then has the picture anyway */
	RETRY_MAX = 200,       /* receipts that are tried again at a time */
	LINES_MAX = 10,        /* of failures of one request */
	MAX_FILE = 1 << 30,
};

struct service_counter cs_del_counters[CS_DEL_COUNTERS] = {
	FRAME_COUNTERS,
	[CS_DEL_PICTURES] = { "pictures", "pictures deleted everywhere", false, 0 },
	[CS_DEL_OUTSTANDING] = { "outstanding", "receipts that are open", true, 0 },
	[CS_DEL_RETRIED] = { "retried", "receipts that were tried again", false, 0 },
};

struct cs_del {
	char owner[300];
	struct fdfs_client *client;
	struct ledger *ledger;
	struct cut_memory *cuts;
	struct photo_client *photos; /* NULL: pictures have none */
	struct derived derived;
	struct deletion_tools tools;
	struct deleters *deleters;

	pthread_t retrier;
	bool has_retrier;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
};

/* The deletions of a request, or those that are tried again. */
struct batch {
	struct cs_del *cs_del;
	struct deletion *deletions;
	struct err *errs;
	size_t count;
	const struct frame_request *request;
	int64_t open; /* receipts afterwards */
};

/* ---- with the ledger ---- */

static int open_receipts(void *context, struct receipts *receipts, struct err *err)
{
	struct batch *batch = context;
	struct receipt_request asked = {
		.at = clock_unix(),
		.user = batch->request->package.id,
		.peer = batch->request->peer,
		.owner = batch->cs_del->owner,
		.next_try_ms = clock_unix_ms() + HOLD_MS,
	};

	for (size_t i = 0; i < batch->count; i++) {
		struct package_item item;

		package_delete_at(batch->request->body, batch->request->order, (uint32_t)i, &item);
		asked.hostid = item.hostid;
		if (receipt_open(receipts, &batch->deletions[i], &asked, err) != 0)
			return -1;
	}
	return 0;
}

static int save_receipts(void *context, struct receipts *receipts, struct err *err)
{
	struct batch *batch = context;
	int64_t now = clock_unix(), now_in_ms = clock_unix_ms();

	for (size_t i = 0; i < batch->count; i++) {
		const struct deletion *deletion = &batch->deletions[i];
		int64_t next_try = now_in_ms + (deletion_store_done(deletion) ? CACHE_RETRY_MS
									      : STORE_RETRY_MS);

		if (receipt_save(receipts, deletion, now, next_try, err) != 0)
			return -1;
	}
	return receipts_count_open(receipts, &batch->open, err);
}

struct late {
	struct deletion *deletion;
	size_t from;
};

static int add_late(void *context, struct receipts *receipts, struct err *err)
{
	struct late *late = context;

	for (size_t i = late->from; i < late->deletion->count; i++)
		late->deletion->places[i].row = 0;
	return receipt_add(receipts, late->deletion, late->from, err);
}

static int note_late(void *context, struct deletion *deletion, size_t from, struct err *err)
{
	struct cs_del *cs_del = context;
	struct late late = { deletion, from };

	return ledger_do(cs_del->ledger, add_late, &late, err);
}

/* What was left when the last process ended, or when a cache left the configuration; what was
 * searched for in vain may be found by now. */
static int take_up(void *context, struct receipts *receipts, struct err *err)
{
	const struct cs_del *cs_del = context;
	const struct conf_list *caches = cs_del->tools.caches;

	if (receipts_disown(receipts, cs_del->owner, err) != 0)
		return -1;
	for (size_t i = 0; i < caches->count; i++)
		if (receipts_reopen(receipts, caches->items[i], err) != 0)
			return -1;
	if (receipts_reopen(receipts, DELETION_CUTS, err) != 0)
		return -1;
	return cs_del->tools.mark == NULL ? 0 : receipts_reopen(receipts, DELETION_METADATA, err);
}

static int take_due(void *context, struct receipts *receipts, struct err *err)
{
	struct batch *batch = context;
	int64_t now = clock_unix_ms();
	int count = receipts_take(receipts, batch->cs_del->owner, now, now + HOLD_MS,
		batch->deletions, RETRY_MAX, err);

	batch->count = count < 0 ? 0 : (size_t)count;
	return count;
}

/* ---- a batch ---- */

static void batch_new(struct batch *batch, struct cs_del *cs_del, size_t count)
{
	*batch = (struct batch){ .cs_del = cs_del, .count = count };
	batch->deletions = calloc(count + 1, sizeof *batch->deletions);
	batch->errs = calloc(count + 1, sizeof *batch->errs);
	assert(batch->deletions != NULL && batch->errs != NULL);
}

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		deletion_fini(&batch->deletions[i]);
	free(batch->deletions);
	free(batch->errs);
}

/* Delete, and note what became of it.  Returns the number of pictures of which something
 * is outstanding, or -1 if that could not be noted. */
static int run(struct batch *batch, struct err *err)
{
	struct cs_del *cs_del = batch->cs_del;
	int failed = 0;

	deleters_run(cs_del->deleters, batch->deletions, batch->errs, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		failed += batch->errs[i].code != ERR_NONE;
	if (ledger_do(cs_del->ledger, save_receipts, batch, err) != 0)
		return -1;
	atomic_fetch_add(&cs_del_counters[CS_DEL_PICTURES].value, (int64_t)batch->count - failed);
	atomic_store(&cs_del_counters[CS_DEL_OUTSTANDING].value, batch->open);
	return failed;
}

/* ---- requests ---- */

/* All ids are looked at before anything is deleted. */
static int read_request(struct batch *batch, const struct frame_request *request, struct err *err)
{
	for (uint32_t i = 0; i < batch->count; i++) {
		struct package_item item;
		struct file_id id;

		package_delete_at(request->body, request->order, i, &item);
		if (!file_id_parse(span_str(item.url.text), &id))
			return err_set(err, ERR_BAD_ID,
				"picture %u of %zu, '%s', is not the id of a picture", i + 1,
				batch->count, item.url.text);
		deletion_init(&batch->deletions[i], &id);
	}
	for (size_t i = 0; i < batch->count; i++)
		if (deletion_add_known(&batch->deletions[i], &batch->cs_del->tools, err) != 0)
			return -1;
	batch->request = request;
	return 0;
}

/* The first failure is the answer, and the log has some more. */
static int report(const struct batch *batch, int failed, struct err *err)
{
	int lines = 0;

	for (size_t i = 0; i < batch->count; i++) {
		if (batch->errs[i].code == ERR_NONE)
			continue;
		if (lines++ == 0)
			*err = batch->errs[i];
		else if (lines <= LINES_MAX)
			log_warn("outstanding: %s", batch->errs[i].text);
	}
	if (failed == 0)
		return 0;
	return err_prefix(err, "%d of %zu outstanding", failed, batch->count);
}

int cs_del_answer(
	void *state, const struct frame_request *request, struct buf *reply, struct err *err)
{
	struct batch batch;
	uint32_t count;
	int result;

	(void)reply;
	if (!package_delete_decode(request->body, request->order, &count))
		return err_set(err, ERR_BAD_REQUEST, "the body is no list of at most %d pictures",
			PACKAGE_DELETE_MAX);
	if (count == 0)
		return 0;
	batch_new(&batch, state, count);
	result = read_request(&batch, request, err);
	if (result == 0)
		result = ledger_do(batch.cs_del->ledger, open_receipts, &batch, err);
	if (result == 0)
		result = run(&batch, err);
	if (result > 0)
		result = report(&batch, result, err);
	batch_free(&batch);
	return result;
}

/* ---- what is outstanding ---- */

/* Returns true if there may be more to do at once. */
static bool retry(struct cs_del *cs_del)
{
	struct batch batch;
	struct err err;
	int failed = 0;
	bool more;

	batch_new(&batch, cs_del, RETRY_MAX);
	batch.count = 0;
	if (ledger_do(cs_del->ledger, take_due, &batch, &err) < 0)
		goto fail;
	if (batch.count > 0 && (failed = run(&batch, &err)) < 0)
		goto fail;
	more = batch.count == RETRY_MAX && (size_t)failed < batch.count;
	atomic_fetch_add(&cs_del_counters[CS_DEL_RETRIED].value, (int64_t)batch.count);
	if (batch.count > (size_t)failed)
		log_info("%zu pictures of which something was outstanding are deleted now",
			batch.count - (size_t)failed);
	batch_free(&batch);
	return more;
fail:
	log_error("cannot try again what is outstanding: %s", err.text);
	batch_free(&batch);
	return false;
}

static void *retrier(void *argument)
{
	struct cs_del *cs_del = argument;

	pthread_mutex_lock(&cs_del->lock);
	while (!cs_del->ending) {
		bool more;

		pthread_mutex_unlock(&cs_del->lock);
		more = retry(cs_del);
		pthread_mutex_lock(&cs_del->lock);
		if (!cs_del->ending && !more)
			steady_cond_wait_ms(
				&cs_del->wake, &cs_del->lock, clock_mono_ms() + LOOK_MS);
	}
	pthread_mutex_unlock(&cs_del->lock);
	return NULL;
}

/* ---- the daemon ---- */

static int start(struct cs_del *cs_del, const struct settings *settings, struct err *err)
{
	const struct fdfs_client_conf conf = store_client_conf(
		settings, MAX_FILE, (size_t)settings->cs_del_workers);

	cs_del->client = fdfs_client_new(&conf, err);
	if (cs_del->client == NULL)
		return -1;
	cs_del->ledger = ledger_open(settings->cs_del_receipts, err);
	if (cs_del->ledger == NULL)
		return -1;
	cs_del->cuts = cut_memory_open(settings->cut_made, err);
	if (cs_del->cuts == NULL)
		return -1;
	cs_del->derived = derived_cuts(cs_del->cuts);
	if (settings->upload_metadata[0] != '\0') {
		cs_del->photos = photo_client_new(settings, settings->upload_metadata,
			settings->upload_metadata_timeout, err);
		if (cs_del->photos == NULL)
			return -1;
	}
	cs_del->tools = (struct deletion_tools){
		.client = cs_del->client,
		.slaves = fdfs_slaves,
		.names = fdfs_names,
		.caches = &settings->varnish,
		.pauses = calloc(settings->varnish.count + 1, sizeof(struct deletion_pause)),
		.purge_timeout_ms = settings->cs_del_purge_timeout,
		.derived = &cs_del->derived,
		.mark = cs_del->photos == NULL ? NULL : photo_client_mark,
		.mark_context = cs_del->photos,
		.found = note_late,
		.found_context = cs_del,
	};
	assert(cs_del->tools.pauses != NULL);
	if (ledger_do(cs_del->ledger, take_up, cs_del, err) != 0)
		return -1;
	cs_del->deleters = deleters_new(settings->cs_del_workers, &cs_del->tools, err);
	if (cs_del->deleters == NULL)
		return -1;
	if (pthread_create(&cs_del->retrier, NULL, retrier, cs_del) != 0)
		return err_set(err, ERR_INTERNAL, "cannot start a thread");
	cs_del->has_retrier = true;
	return 0;
}

int cs_del_open(struct service_context *context, struct err *err)
{
	struct cs_del *cs_del = calloc(1, sizeof *cs_del);

	assert(cs_del != NULL);
	context->state = cs_del;
	pthread_mutex_init(&cs_del->lock, NULL);
	steady_cond_init(&cs_del->wake);
	/* Only one process can listen there, so what it left open is nobody else's. */
	snprintf(cs_del->owner, sizeof cs_del->owner, "%s %s",
		context->listen != NULL ? context->listen : context->settings->cs_del.listen,
		context->instance != NULL ? context->instance : "");
	return start(cs_del, context->settings, err);
}

void cs_del_close(struct service_context *context)
{
	struct cs_del *cs_del = context->state;

	if (cs_del == NULL)
		return;
	if (cs_del->has_retrier) {
		pthread_mutex_lock(&cs_del->lock);
		cs_del->ending = true;
		pthread_cond_signal(&cs_del->wake);
		pthread_mutex_unlock(&cs_del->lock);
		pthread_join(cs_del->retrier, NULL);
	}
	deleters_free(cs_del->deleters);
	ledger_close(cs_del->ledger);
	photo_client_free(cs_del->photos);
	cut_memory_close(cs_del->cuts);
	fdfs_client_free(cs_del->client);
	free(cs_del->tools.pauses);
	pthread_cond_destroy(&cs_del->wake);
	pthread_mutex_destroy(&cs_del->lock);
	free(cs_del);
}
