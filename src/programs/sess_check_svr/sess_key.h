/* sess_key.h - which count a session key has, and until when it is kept.
 *
 * A key that is looked at (`verify`) has one spelling, and its count is that of its text and
 * its time of issue: 48 digits of the old form that come up again after 65536 seconds
 * say another time, and are another key.  Any other text is counted as it is.
 *
 * The count of a key outlives it by SESS_KEY_KEPT_S: a use that was found good in the last
 * second is counted a moment later, and clocks are set back, or differ.  Were the count
 * gone by then, the key would begin anew. */
#pragma once

#include "auth/upload_key.h"
#include "programs/sess_check_svr/sess_store.h"

enum { SESS_KEY_KEPT_S = 3600 };

/* Fill the key and `ends` of `count` for the key `text` at the time `now`, Unix seconds.
 * Returns 0, or -1 as upload_key_check() does. */
int sess_key_look(const struct settings *settings, const struct upload_key_rules *rules,
	struct span text, int64_t now, struct sess_count *count, struct err *err);
