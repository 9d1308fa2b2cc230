/* session_rules.h - which session keys are good here: the settings and the secrets. */
#pragma once

#include "auth/upload_key.h"
#include "service/settings.h"

/* Fill `rules` from [upload] and the secrets of the forms that are accepted.  Returns 0,
 * or -1 with a sentence that names the secret that is missing or wrong. */
int session_rules_read(
	const struct settings *settings, struct upload_key_rules *rules, struct err *err);
