/* deletion.h - deleting one picture everywhere, and knowing where that has been done.
 *
 * A deletion has a list of places: the store and each cache, for the picture and for each
 * picture that was made from it.  They are gone through in this order:
 *
 *     1. what was made from the picture, in the store
 *     2. the picture, in the store; a picture that was moved here is deleted by any of its
 *        names, and the store is asked to confirm it for the others
 *     3. what has been made from it meanwhile, in the store; what may have been stored
 *        without anybody knowing as what is outstanding until somebody does
 *     4. each of them in each cache: purged, then asked for; 404 or 410 confirms; and the
 *        picture's photo in the metadata: marked
 *
 * A cache that was purged before the store had deleted could fetch the picture anew, so
 * a cache is not touched until then.  A place that is confirmed already is passed over:
 * running a deletion again does what is outstanding.
 *
 * A cache that has left the configuration cannot be told.  Its place is neither confirmed
 * nor outstanding; once it is configured again, it is purged like the others. */
#pragma once

#include "core/conf.h"
#include "core/file_id.h"
#include "fdfs/client.h"
#include "web/web.h"

#include <stdatomic.h>

#define DELETION_METADATA "metadata"     /* in the place of a cache: where photos are marked */
#define DELETION_CUTS     "unknown cuts" /* what may have been made from it and nobody knows as what \
					  */

struct deletion_place {
	int64_t row; /* in the database of receipts; 0: in none */
	char picture[FILE_ID_TEXT_MAX + 1];
	char *cache;       /* "host:port"; empty: the store; DELETION_METADATA, DELETION_CUTS */
	bool same;         /* another name of the picture to be deleted, as far as is known */
	int64_t confirmed; /* Unix seconds; 0: outstanding, or left */
	int64_t left;      /* Unix seconds, when it was found to be configured no more; or 0 */
	char outcome[80];  /* of a confirmed one, for people: "deleted", "was gone already" */
	enum err_code was; /* of a confirmed one in the store: ERR_NONE, ERR_GONE, ERR_NOT_FOUND */
	int status;        /* what the cache answers; 0: nothing yet */
	int purges;        /* how often it was told, this time */
	struct err err;    /* why it is outstanding; ERR_NONE: not tried yet */
};

struct deletion {
	struct file_id id;
	int64_t receipt; /* in the database; 0: none */
	struct deletion_place *places;
	size_t count;
	size_t *slots, slot_count; /* by picture and cache; of deletion_places.c alone */
};

/* Who knows what was made from a picture.  `list` calls `found` for each; it may be
 * called by several threads. */
struct derived {
	int (*list)(void *context, const struct file_id *source,
		void (*found)(void *found_context, const struct file_id *id), void *found_context,
		struct err *err);
	/* How many pictures made from `source` may be in the store and are not listed: those
	 * that will be, or are found not to be there, and those searched for in vain.  Asked
	 * before `list`.  NULL: there are none. */
	int (*making)(void *context, const struct file_id *source, int64_t *open, int64_t *in_vain,
		struct err *err);
	/* Everything made from `source` is deleted: forget that it was. */
	int (*forget)(void *context, const struct file_id *source, struct err *err);
	void *context;
};

/* When a cache that did not answer is asked again, by one thread for all. */
struct deletion_pause {
	_Atomic int64_t until_ms; /* clock_mono_ms; 0: it answers */
};

struct deletion_tools {
	struct fdfs_client *client;
	struct web *web; /* of this thread */
	const struct conf_list *caches;
	struct deletion_pause *pauses; /* one a cache; NULL: each is asked each time */
	int64_t purge_timeout_ms;
	const struct derived *derived; /* NULL: nothing is made from pictures */
	/* fdfs_slaves: FastDFS's slave files of a picture, asked for when it has been deleted.
	 * NULL: there are none. */
	int (*slaves)(struct fdfs_client *client, const struct file_id *id,
		void (*found)(void *context, const struct file_id *slave), void *context,
		struct err *err);
	/* fdfs_names: what else a picture is called, if it was moved here.  NULL: nothing. */
	int (*names)(struct fdfs_client *client, const struct file_id *id,
		void (*found)(void *context, const struct file_id *id, bool own), void *context,
		struct err *err);
	/* Mark the photo of `picture` as deleted; fine if it has none.  Any thread.  NULL:
	 * pictures have no photos. */
	int (*mark)(void *context, const char *picture, struct err *err);
	void *mark_context;
	/* Called before places from `from` on, which were found while the deletion ran, are
	 * touched; NULL: nobody wants to know. */
	int (*found)(void *context, struct deletion *deletion, size_t from, struct err *err);
	void *found_context;
};

/* A deletion of `id` without places; deletion_fini frees what it will have. */
void deletion_init(struct deletion *deletion, const struct file_id *id);
void deletion_fini(struct deletion *deletion);

/* Add a place, unless it is there.  Pointers to places end here. */
struct deletion_place *deletion_add(
	struct deletion *deletion, const char *picture, const char *cache);

/* Add every place that is known now.  -1 if `derived` cannot tell. */
int deletion_add_known(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err);

/* Do what is outstanding.  Returns 0 if nothing is then; else the places say what is, and
 * `err` has the first reason. */
int deletion_run(struct deletion *deletion, const struct deletion_tools *tools, struct err *err);

/* Has the store deleted all of it, so that only caches or the metadata may be outstanding? */
bool deletion_store_done(const struct deletion *deletion);

/* The place, or NULL. */
const struct deletion_place *deletion_find(
	const struct deletion *deletion, const char *picture, const char *cache);
