/* eraser.h - the bytes under tombstones, and of pictures that have gone to a cold store, are
 * erased when their time has come.
 *
 * Giving blocks back can take a file system milliseconds each, so that it is done by a thread of
 * its own, with a volume handle of its own: neither uploads nor deletes wait for it.  Headers are
 * written by the writer alone; what has been erased is handed to it, to be noted.  Without
 * a delay there is no thread, and the writer erases what it has added.
 *
 * What is not erased, because the program stops or because something fails, stays for
 * the scrub to find. */
#pragma once

#include "store/volume.h"

enum { ERASER_AT_ONCE = 64 };

struct eraser;

struct erasure {
	uint16_t number; /* of the volume */
	uint32_t spot;   /* of the record */
	int64_t due_ms;  /* the eraser's */
};

struct eraser_conf {
	const struct volume_store *store; /* borrowed until eraser_close */
	int64_t delay_ms;
	void (*erased)(void *context); /* there is something for eraser_take; from the thread */
	void *context;
};

/* NULL with err. */
struct eraser *eraser_open(const struct eraser_conf *conf, struct err *err);

/* Stop the thread, after what is being erased.  eraser_take still works. */
void eraser_stop(struct eraser *eraser);
void eraser_close(struct eraser *eraser); /* NULL is fine */

/* Erase what the record at block `spot` of volume `number` covers, after the delay.  Its
 * header, which lets that be, has been flushed.  Each takes 16 bytes until then; of more than
 * four million some are left for the scrub. */
void eraser_add(struct eraser *eraser, uint16_t number, uint32_t spot);

/* Without a delay: erase what was added, ERASER_AT_ONCE at most.  False: there was nothing. */
bool eraser_catch_up(struct eraser *eraser);

/* What has been erased and flushed since the last time, to be noted in the headers.  Returns
 * how many. */
size_t eraser_take(struct eraser *eraser, struct erasure taken[ERASER_AT_ONCE]);

/* Between these two nothing is erased: for whoever fills a record anew. */
void eraser_hold(struct eraser *eraser);
void eraser_release(struct eraser *eraser);
