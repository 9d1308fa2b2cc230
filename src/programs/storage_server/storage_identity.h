/* storage_identity.h - who a storage is: the address that clients are told, and what
 * stands for it in the ids of its files. */
#pragma once

#include "programs/storage_server/storage_inside.h"

/* Fill address, source and source_text of `storage` from its settings and the socket it
 * listens on.  Returns 0, or -1 with ERR_CONFIG and what to configure. */
int storage_identify(struct storage *storage, struct err *err);
