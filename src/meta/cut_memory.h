/* cut_memory.h - which pictures were made of which by cutting.
 *
 * So that the same cut of the same picture is made once, and so that everything that was
 * made of a picture can be found when it is deleted.  One SQLite file, which any number
 * of processes and threads may use at a time; what cut_memory_put has said is on the
 * disk.  Ids are texts, "group/M00/...", and are taken as they are.
 *
 * What was made is remembered until somebody says that it is deleted for sure.  A picture
 * that is not found may be on another storage, and one that could not be removed may come
 * to light again: neither is the answer to a key any more, but both are made of their
 * source, and go with it.
 *
 * A picture that is about to be stored is remembered before, by what it can be found by:
 * between the store's doing and its answer a process may die, or the connection.  Who
 * deletes a picture asks cut_memory_making first and cut_memory_list then: what is in the
 * one no more is in the other, or was never stored. */
#pragma once

#include "core/err.h"
#include "core/file_id.h"

#include <stdint.h>

struct cut_memory;

/* What was asked for.  All of it is 0 but the box when there is no rectangle. */
struct cut_key {
	const char *source;
	int64_t clip_w, clip_h, start_x, start_y, thumb_w, thumb_h;
};

struct cut_name {
	char text[FILE_ID_TEXT_MAX + 1];
};

/* A picture on its way to the store. */
struct cut_storing {
	uint64_t number; /* drawn at random for it alone, and in it (image/picture_mark.h) */
	char group[FILE_ID_GROUP_MAX + 1];
	uint64_t length;
	uint32_t crc;
	int64_t time; /* Unix seconds, before it is sent */
};

/* Open the file, which is made if it is missing.  NULL with err as of db_open. */
struct cut_memory *cut_memory_open(const char *path, struct err *err);
void cut_memory_close(struct cut_memory *memory); /* NULL is fine */

/* The picture that was made: 1 with `id`, 0 if none is remembered, -1 with err. */
int cut_memory_get(
	struct cut_memory *memory, const struct cut_key *key, struct cut_name *id, struct err *err);

/* A picture for `key` is about to be stored.  Returns 0, or -1 with err. */
int cut_memory_begin(struct cut_memory *memory, const struct cut_key *key,
	const struct cut_storing *storing, struct err *err);

/* It was not, for sure, or it was removed. */
int cut_memory_end(struct cut_memory *memory, uint64_t number, struct err *err);

/* It was, as `id`.  `stands` becomes the answer to the key: `id`, or what somebody else
 * put there before; then `id` is doomed.  `number` that was begun is ended; 0 is none.
 * Returns 0, or -1 with err and nothing changed. */
int cut_memory_put(struct cut_memory *memory, const struct cut_key *key, const char *id,
	uint64_t number, struct cut_name *stands, struct err *err);

/* Those begun before `before` of which nobody has said what became of them, at most
 * `most`, the oldest first; with or without those that were searched for in vain.
 * Returns how many, or -1. */
int cut_memory_pending(struct cut_memory *memory, int64_t before, bool in_vain_too,
	struct cut_storing *list, int most, struct err *err);

/* The search is over: it was stored as `id`, which is doomed now, or (NULL) it was not.
 * Nothing happens if it was ended meanwhile. */
int cut_memory_settle(struct cut_memory *memory, uint64_t number, const char *id, struct err *err);

/* It was not found, but the store could not be searched to its end. */
int cut_memory_in_vain(struct cut_memory *memory, uint64_t number, struct err *err);

/* How many pictures made of `source`, or of one that was made of it, may be in the store
 * and are not listed: those that are waited for, and those searched for in vain. */
int cut_memory_making(struct cut_memory *memory, const char *source, int64_t *open,
	int64_t *in_vain, struct err *err);

/* `id` is the answer to `key` no more, but may still be somewhere. */
int cut_memory_supersede(
	struct cut_memory *memory, const struct cut_key *key, const char *id, struct err *err);

/* The same of an `id` that nobody was told of: it is to be removed from the store. */
int cut_memory_doom(
	struct cut_memory *memory, const struct cut_key *key, const char *id, struct err *err);

/* At most `most` doomed ones, the oldest first, in `*list`, which the caller frees. */
int cut_memory_doomed(struct cut_memory *memory, size_t most, struct cut_name **list, size_t *count,
	struct err *err);

/* A doomed one is removed for sure: forget it. */
int cut_memory_removed(struct cut_memory *memory, const char *id, struct err *err);

/* Every picture that was made of `source`, or of one that was made of it, in `*list`,
 * which the caller frees; those made last come first. */
int cut_memory_list(struct cut_memory *memory, const char *source, struct cut_name **list,
	size_t *count, struct err *err);

/* The other way: what `id` was made of, what that was made of, and so on. */
int cut_memory_origins(struct cut_memory *memory, const char *id, struct cut_name **list,
	size_t *count, struct err *err);

/* Forget all that cut_memory_list would find, and that `source` was made of anything. */
int cut_memory_forget(struct cut_memory *memory, const char *source, struct err *err);
