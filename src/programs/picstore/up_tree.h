/* up_tree.h - the supervisor and everything below it, as children of this process.
 *
 * s6-svscan keeps a supervisor for each part, which starts it again when it ends.  They
 * are in a session of their own, so that Ctrl-C reaches this process alone.  When this
 * process dies, however it dies, the kernel tells s6-svscan to stop everything; and while
 * it lives it inherits whatever loses its parent, so nothing gets away. */
#pragma once

#include "programs/picstore/up_parts.h"

struct up_tree {
	const struct up_place *place;
	struct up_parts *parts;
	pid_t scanner; /* s6-svscan; 0 when it has ended */
	int signals;   /* signalfd */
	int events;    /* a line from each part that ends */
	bool asked;    /* SIGINT, SIGTERM or SIGHUP came */
};

/* From now on signals are taken by up_tree_next; may be called before all else. */
int up_tree_signals(struct up_tree *tree, struct err *err);

int up_tree_start(struct up_tree *tree, const struct up_place *place, struct up_parts *parts,
	struct err *err);

/* Wait until every part is ready, and call `ready` for each as it becomes so.  Returns 0;
 * or -1 if one does not, with a sentence that names it; or if the user asked to stop. */
int up_tree_wait_ready(struct up_tree *tree,
	void (*ready)(const struct up_part *part, int64_t after_ms), struct err *err);

/* Run a program of ours to its end, unless the user asks to stop.  Returns its exit
 * status, or -1. */
int up_tree_run(struct up_tree *tree, char *const *argv);

/* Stay until the user asks to stop (0) or the supervisor ends (-1); `died` is told of
 * each part that ended and will be started again. */
int up_tree_stay(struct up_tree *tree,
	void (*died)(const struct up_part *part, int code, int signal), struct err *err);

/* Stop everything that was started here and wait until it has ended. */
void up_tree_stop(struct up_tree *tree);
