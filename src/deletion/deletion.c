#include "core/clock.h"
#include "deletion/deletion_inside.h"
#include "web/purge.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAUSE_MS = 200,       /* for a cache that is not there */
	HANG_PAUSE_MS = 1000, /* for one that did not answer in time */
	DERIVED_ROUNDS = 8,   /* pictures that are made while their source is being deleted */
};

/* ---- what is known ---- */

struct adding {
	struct deletion *deletion;
	const struct deletion_tools *tools;
};

static void add_everywhere(void *context, const struct file_id *id)
{
	const struct adding *adding = context;
	const struct conf_list *caches = adding->tools->caches;
	char text[FILE_ID_TEXT_MAX + 1];

	file_id_format(id, text);
	deletion_add(adding->deletion, text, "");
	for (size_t i = 0; i < caches->count; i++)
		deletion_add(adding->deletion, text, caches->items[i]);
	/* What was made from a picture has no photo. */
	if (adding->tools->mark != NULL && file_id_equal(id, &adding->deletion->id))
		deletion_add(adding->deletion, text, DELETION_METADATA);
}

static int add_made_of(const struct adding *adding, const struct file_id *id, struct err *err)
{
	const struct derived *derived = adding->tools->derived;

	if (derived == NULL || derived->list(derived->context, id, add_everywhere,
				       (void *)(uintptr_t)adding, err) == 0)
		return 0;
	return err_prefix(err, "cannot tell what was made from it");
}

/* The names of one picture. */
struct naming {
	struct adding *adding;
	struct err err;
};

static void add_name(void *context, const struct file_id *id, bool own)
{
	struct naming *naming = context;
	struct adding *adding = naming->adding;
	char text[FILE_ID_TEXT_MAX + 1];

	add_everywhere(adding, id);
	file_id_format(id, text);
	deletion_add(adding->deletion, text, "")->same = true;
	if (own && adding->tools->mark != NULL)
		deletion_add(adding->deletion, text, DELETION_METADATA);
	if (naming->err.code == ERR_NONE)
		add_made_of(adding, id, &naming->err);
}

/* What else it is called, and what was made from it under each name. */
static int add_derived(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err)
{
	struct adding adding = { deletion, tools };
	struct naming naming = { &adding, { .code = ERR_NONE } };
	struct err why = { .code = ERR_NONE };

	if (add_made_of(&adding, &deletion->id, err) != 0)
		return -1;
	/* Of a group that is not there, or not up, nothing can be deleted either. */
	if (tools->names != NULL &&
		tools->names(tools->client, &deletion->id, add_name, &naming, &why) != 0 &&
		why.code != ERR_NOT_FOUND && why.code != ERR_UNREACHABLE &&
		why.code != ERR_TIMEOUT) {
		*err = why;
		return err_prefix(err, "cannot tell what else it is called");
	}
	if (naming.err.code != ERR_NONE)
		*err = naming.err;
	return naming.err.code == ERR_NONE ? 0 : -1;
}

int deletion_add_known(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err)
{
	struct adding adding = { deletion, tools };

	add_everywhere(&adding, &deletion->id);
	return add_derived(deletion, tools, err);
}

/* ---- places ---- */

void deletion_confirm(struct deletion_place *place, const char *outcome)
{
	place->confirmed = clock_unix();
	place->left = 0;
	place->was = place->err.code;
	place->err = (struct err){ .code = ERR_NONE };
	snprintf(place->outcome, sizeof place->outcome, "%s", outcome);
}

static void delete_in_store(struct deletion_place *place, const struct deletion_tools *tools)
{
	const char *outcome;
	struct fdfs_deleted how;
	struct file_id id;
	char text[sizeof place->outcome];

	if (!file_id_parse(span_str(place->picture), &id)) {
		err_set(&place->err, ERR_BAD_ID, "'%s' is not the id of a picture", place->picture);
		return;
	}
	if (fdfs_delete(tools->client, &id, &how, &place->err) == 0) {
		place->err.code = ERR_NONE;
		outcome = "deleted";
	} else if (place->err.code == ERR_GONE) {
		outcome = "was deleted already";
	} else if (place->err.code == ERR_NOT_FOUND) {
		outcome = "was not there";
	} else {
		return;
	}
	/* What is not quite certain is said. */
	if (how.down > 0)
		snprintf(text, sizeof text, "%s, %u storages down", outcome, how.down);
	else
		snprintf(text, sizeof text, "%s%s", outcome,
			how.source_left ? ", source has left" : "");
	deletion_confirm(place, text);
}

static bool is_metadata(const struct deletion_place *place)
{
	return strcmp(place->cache, DELETION_METADATA) == 0;
}

/* `*number` becomes that of the cache. */
static bool is_configured(
	const struct deletion_place *place, const struct deletion_tools *tools, size_t *number)
{
	const struct conf_list *caches = tools->caches;

	if (is_metadata(place))
		return tools->mark != NULL;
	for (*number = 0; *number < caches->count; ++*number)
		if (strcmp(caches->items[*number], place->cache) == 0)
			return true;
	return false;
}

static void leave(struct deletion_place *place)
{
	if (place->left == 0)
		place->left = clock_unix();
	err_set(&place->err, ERR_CONFIG, "is not in the configuration any more");
}

static void mark(struct deletion_place *place, const struct deletion_tools *tools)
{
	place->left = 0;
	if (tools->mark(tools->mark_context, place->picture, &place->err) == 0)
		deletion_confirm(place, "marked as deleted");
}

/* Of a cache that did not answer one thread finds out whether it does now. */
static bool may_ask(struct deletion_pause *pause, int64_t timeout_ms)
{
	int64_t until = atomic_load(&pause->until_ms), now = clock_mono_ms();

	return until == 0 ||
	       (now >= until && atomic_compare_exchange_strong(&pause->until_ms, &until,
					now + 2 * timeout_ms + HANG_PAUSE_MS));
}

static void note_answer(struct deletion_pause *pause, enum err_code code)
{
	if (code == ERR_UNREACHABLE)
		atomic_store(&pause->until_ms, clock_mono_ms() + PAUSE_MS);
	else if (code == ERR_TIMEOUT)
		/* Thousands of pictures are not to wait for its timeout in turn. */
		atomic_store(&pause->until_ms, clock_mono_ms() + HANG_PAUSE_MS);
	else
		atomic_store(&pause->until_ms, 0);
}

static void purge(struct deletion_place *place, const struct deletion_tools *tools, size_t number)
{
	struct deletion_pause *pause = tools->pauses == NULL ? NULL : &tools->pauses[number];
	struct purge_outcome outcome;
	struct file_id id;
	char text[40];

	place->left = 0;
	if (!file_id_parse(span_str(place->picture), &id)) {
		err_set(&place->err, ERR_BAD_ID, "'%s' is not the id of a picture", place->picture);
		return;
	}
	if (pause != NULL && !may_ask(pause, tools->purge_timeout_ms)) {
		err_set(&place->err, ERR_UNREACHABLE, "the cache %s did not answer a moment ago",
			place->cache);
		return;
	}
	place->err.code = ERR_NONE;
	if (purge_cache(tools->web, place->cache, &id, tools->purge_timeout_ms, &outcome,
		    &place->err) == 0) {
		snprintf(text, sizeof text, "purged, answers %d", outcome.status);
		deletion_confirm(place, text);
	}
	if (pause != NULL)
		note_answer(pause, place->err.code);
	place->status = outcome.status;
	place->purges = outcome.purges;
}

/* ---- the order ---- */

static bool is_own(const struct deletion *deletion, const struct deletion_place *place)
{
	char text[FILE_ID_TEXT_MAX + 1];

	file_id_format(&deletion->id, text);
	return strcmp(place->picture, text) == 0;
}

static bool stored_nowhere(const struct deletion *deletion, const char *picture)
{
	const struct deletion_place *store = deletion_find(deletion, picture, "");

	return store != NULL && store->confirmed != 0;
}

static bool in_store(const struct deletion_place *place)
{
	return place->cache[0] == '\0' || deletion_is_cuts(place);
}

bool deletion_store_done(const struct deletion *deletion)
{
	for (size_t i = 0; i < deletion->count; i++)
		if (in_store(&deletion->places[i]) && deletion->places[i].confirmed == 0 &&
			deletion->places[i].left == 0)
			return false;
	return true;
}

enum kind { DERIVED, OWN, SAME };

static enum kind kind_of(const struct deletion *deletion, const struct deletion_place *place)
{
	if (is_own(deletion, place))
		return OWN;
	return place->same ? SAME : DERIVED;
}

/* The derived ones, then the picture itself, then what else it is called. */
static void clear_store(
	struct deletion *deletion, const struct deletion_tools *tools, enum kind kind)
{
	for (size_t i = 0; i < deletion->count; i++) {
		struct deletion_place *place = &deletion->places[i];

		if (place->confirmed == 0 && place->cache[0] == '\0' &&
			kind_of(deletion, place) == kind)
			delete_in_store(place, tools);
	}
}

static void add_slave(void *context, const struct file_id *id)
{
	struct naming *naming = context;

	add_everywhere(naming->adding, id);
	if (naming->err.code == ERR_NONE)
		add_made_of(naming->adding, id, &naming->err);
}

/* FastDFS's slave files of the picture, and what was made from these.  Only a storage of
 * ours can tell; where it is FastDFS's own there may be some that nobody knows of. */
static int add_slaves(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err)
{
	struct adding adding = { deletion, tools };
	struct naming naming = { &adding, { .code = ERR_NONE } };
	struct err why = { .code = ERR_NONE };

	if (tools->slaves == NULL ||
		tools->slaves(tools->client, &deletion->id, add_slave, &naming, &why) == 0 ||
		why.code == ERR_UNSUPPORTED || why.code == ERR_NOT_FOUND) {
		/* not found is the group, whose pictures are nowhere */
		if (naming.err.code == ERR_NONE)
			return 0;
		*err = naming.err;
		return -1;
	}
	*err = why;
	return err_prefix(err, "cannot tell which slave files it has");
}

/* Until nothing new has been made from the picture. */
static int clear_late(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err)
{
	for (int round = 0; round < DERIVED_ROUNDS; round++) {
		size_t from = deletion->count;

		if (deletion_note_unknown(deletion, tools, err) != 0 ||
			add_derived(deletion, tools, err) != 0 ||
			add_slaves(deletion, tools, err) != 0)
			return -1;
		if (deletion->count == from)
			return 0;
		if (tools->found != NULL &&
			tools->found(tools->found_context, deletion, from, err) != 0)
			return -1;
		clear_store(deletion, tools, DERIVED);
		clear_store(deletion, tools, SAME);
	}
	return err_set(err, ERR_BUSY, "pictures are still being made from it");
}

static void clear_caches(struct deletion *deletion, const struct deletion_tools *tools)
{
	for (size_t i = 0; i < deletion->count; i++) {
		struct deletion_place *place = &deletion->places[i];
		size_t number = 0;

		if (place->confirmed != 0 || in_store(place))
			continue;
		if (!is_configured(place, tools, &number))
			leave(place);
		else if (!stored_nowhere(deletion, place->picture))
			err_set(&place->err, ERR_BUSY, "waits until the store has deleted it");
		else if (is_metadata(place))
			mark(place, tools);
		else
			purge(place, tools, number);
	}
}

/* The first that is outstanding, the store's before those that wait for it. */
static int outcome(const struct deletion *deletion, struct err *err)
{
	const struct deletion_place *first = NULL;

	for (size_t i = 0; i < deletion->count; i++) {
		const struct deletion_place *place = &deletion->places[i];

		if (place->confirmed == 0 && place->left == 0 &&
			(first == NULL || (place->cache[0] == '\0' && first->cache[0] != '\0')))
			first = place;
	}
	if (first == NULL)
		return 0;
	if (err != NULL)
		*err = first->err;
	return err_prefix(err, "%s", first->picture);
}

int deletion_run(struct deletion *deletion, const struct deletion_tools *tools, struct err *err)
{
	struct err late = { .code = ERR_NONE }, ignored;
	int result;

	clear_store(deletion, tools, DERIVED);
	clear_store(deletion, tools, OWN);
	clear_store(deletion, tools, SAME);
	result = clear_late(deletion, tools, &late);
	clear_caches(deletion, tools);
	if (outcome(deletion, err) != 0)
		return -1;
	if (result != 0) {
		if (err != NULL)
			*err = late;
		return -1;
	}
	/* As long as one may exist, so does what tells that it is of this family. */
	if (deletion_has_unknown(deletion))
		return 0;
	/* What is remembered in vain is found, and deleted, once more: no harm. */
	if (tools->derived != NULL && tools->derived->forget != NULL)
		tools->derived->forget(tools->derived->context, &deletion->id, &ignored);
	return 0;
}
