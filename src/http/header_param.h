/* header_param.h - header values of the form `word; name=value; name="value"`. */
#pragma once

#include "core/buf.h"

struct header_param {
	struct span name;
	struct span value; /* without its quotes, but with its backslashes */
	bool quoted;
};

/* The word in front of the first semicolon, without blanks around it. */
struct span header_word(struct span value);

/* Read the next parameter of a value; `*rest` starts as the whole value and is moved on.
 * Returns 1, 0 when there are no more, -1 when they are malformed. */
int header_param_next(struct span *rest, struct header_param *param);

/* Without the blanks (space, tab, CR, LF) around it. */
struct span header_trim(struct span text);
