/* queue_files.h - the files of a delete queue, for those that make it up. */
#pragma once

#include "core/buf.h"
#include "deletion/delete_queue.h"
#include "deletion/line_reader.h"
#include "deletion/taken_back.h"

#include <sys/types.h>

enum { QUEUE_PATH_LEN = 4096, QUEUE_NAME_LEN = 16 };

/* In the places of undeletes: LOG.taken is before LOG. */
#define IN_LOG (UINT64_C(1) << 62)

struct delete_queue {
	char log[QUEUE_PATH_LEN], taken[QUEUE_PATH_LEN + QUEUE_NAME_LEN];
	int lock, run; /* descriptors, or -1 */
	int fd;        /* of LOG.taken, or -1 */
	uint64_t inode;
	struct line_reader reader; /* of it */
	struct taken_back back;
	uint64_t log_inode; /* of LOG, as far as it was looked through for undeletes */
	off_t log_seen;
};

/* The path of LOG with `end` behind it; returns `out`. */
const char *queue_name(const struct delete_queue *queue, const char *end,
	char out[QUEUE_PATH_LEN + QUEUE_NAME_LEN]);

/* Open it.  ERR_NOT_FOUND if it is not there, which queue_missing() tells. */
int queue_file(const struct delete_queue *queue, const char *end, int flags, struct err *err);
bool queue_missing(const struct err *err);

/* Write a whole file, which is there as it was or as it is now, whatever happens. */
int queue_replace(
	const struct delete_queue *queue, const char *end, struct span bytes, struct err *err);

/* It may be missing already. */
int queue_remove(const struct delete_queue *queue, const char *end, struct err *err);

/* How far LOG.taken, which is `inode` and has `size` bytes, is done; 0 if nobody has noted. */
int queue_read_position(const struct delete_queue *queue, uint64_t inode, off_t size, off_t *offset,
	struct err *err);
int queue_save_position(const struct delete_queue *queue, struct err *err);

/* Add the undeletes that stand from `*from` on, up to the last whole line, to `back`. */
int queue_find_undeletes(
	struct taken_back *back, int fd, uint64_t base, off_t *from, struct err *err);

/* `lines` as text in `out`, which this makes. */
void queue_put_lines(struct buf *out, const struct delete_line *lines, int count);

/* Append a damaged line to LOG.bad. */
int queue_set_aside(struct delete_queue *queue, struct span text, struct err *err);
