/* eraser.h - tombstones whose bytes are to be erased, when their time has come.
 *
 * Used by the writer's thread alone. */
#pragma once

#include "store/volume.h"

struct eraser;

/* Where the eraser finds volumes: returns a reference, or NULL. */
typedef struct volume *eraser_find(void *context, uint16_t number);

struct eraser *eraser_new(eraser_find *find, void *context); /* NULL: memory has ended */
void eraser_free(struct eraser *eraser); /* what is not erased yet stays for the scrub */

/* Erase what the tombstone at block `spot` covers at `due_ms` (clock_mono_ms).  Due
 * times must not go backwards.  Each takes 16 bytes until then; of more than four
 * million some are left for the scrub. */
void eraser_add(struct eraser *eraser, uint16_t number, uint32_t spot, int64_t due_ms);

/* Milliseconds from `now_ms` until something is due; -1 if there is nothing. */
int64_t eraser_wait_ms(const struct eraser *eraser, int64_t now_ms);

/* Erase what is due, but only so much that puts need not wait for long. */
void eraser_run(struct eraser *eraser, int64_t now_ms);
