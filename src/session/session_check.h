/* session_check.h - how often a session key was used, as sess_check_svr knows it. */
#pragma once

#include "core/buf.h"
#include "service/settings.h"

#include <stdbool.h>

struct session_check;

/* A client of the service at `address`, for any number of threads. */
struct session_check *session_check_new(
	const struct settings *settings, const char *address, struct err *err);
void session_check_free(struct session_check *check); /* NULL is fine */

/* Count a use of `key` (or only look, with `use` false) for the user `uid`: how often it
 * has been used then, and how often it may be yet.  Returns 0, or -1: ERR_KEY_EXPIRED
 * when that was once too often, what upload_key_check() says if the service looks at the
 * keys itself, or that the service does not answer.  `used` and `left` may be NULL. */
int session_check_call(struct session_check *check, struct span key, uint32_t uid, bool use,
	uint32_t *used, uint32_t *left, struct err *err);
