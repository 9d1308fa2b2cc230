/* settings_check.h - what no single key can tell: settings that do not fit each other. */
#pragma once

#include "service/settings.h"

/* Refuse settings that contradict each other, and fill in the groups of storages that
 * name none.  Returns 0, or -1 with ERR_CONFIG and a sentence that names the key. */
int settings_check(struct settings *settings, struct err *err);
