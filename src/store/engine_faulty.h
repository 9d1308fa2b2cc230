/* engine_faulty.h - an engine that fails on purpose, around another that works.
 *
 * So that what answers failures gets tests too.  Rules say which operation fails and
 * how; with none it does what the inner engine does.  A rule for ERR_UNKNOWN lets the
 * inner engine do it and only hides that. */
#pragma once

#include "store/engine.h"

enum engine_op {
	ENGINE_OP_PUT,
	ENGINE_OP_REMOVE,
	ENGINE_OP_GET,
	ENGINE_OP_STAT,
	ENGINE_OP_PLACE,
	ENGINE_OP_WALK,
	ENGINE_OP_SPACE,
	ENGINE_OP_COUNT,
};

struct engine_fault {
	enum err_code code; /* ERR_NONE: no fault */
	unsigned after;     /* so many calls go well first */
	unsigned every;     /* then each so-many-th fails; 0 and 1: each */
};

/* Put the faults around `inner`, which engine_close then closes too. */
struct engine *engine_faulty_new(struct engine *inner, struct err *err);

/* Set the rule for one operation and start its count anew. */
void engine_faulty_set(struct engine *engine, enum engine_op op, const struct engine_fault *fault);

/* Set rules from a text, as in "put=store_full,get=corrupt/10+3": operation, the word
 * of a code (err_word), "/every", "+after".  The engine "faulty" reads it from
 * $PICSTORE_FAULTS when it is opened.  Returns -1 with err if it is something else. */
int engine_faulty_parse(struct engine *engine, const char *text, struct err *err);
