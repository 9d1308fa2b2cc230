/* key_mint.h - making session keys with this installation's secrets. */
#pragma once

#include "auth/upload_key.h"
#include "service/settings.h"

enum key_form {
	KEY_JWT,
	KEY_DES,
};

/* Make a key of `form` for `key`, which `issued` seconds ago is left to: it becomes now.
 * Of the old form `lifetime_s` is the configured one.  ERR_NOT_ALLOWED if the
 * configuration switches the form off. */
int key_mint(const struct settings *settings, enum key_form form, const struct upload_key *key,
	int64_t lifetime_s, char out[UPLOAD_KEY_JWT_MAX + 1], struct err *err);
