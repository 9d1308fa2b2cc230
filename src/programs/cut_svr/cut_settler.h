/* cut_settler.h - cuts that were sent to the store and of which nobody knows whether it
 * has them: cut_svr was killed before the answer came, or the answer was lost.
 *
 * Once such a cut is old enough it is searched for in the volumes of this machine's
 * storages: by group, length, CRC and time, and then for the mark in its bytes, which no
 * other picture has, since nobody was ever given these bytes.  One that is found is doomed:
 * removed from the store, and remembered as made of its source until then.
 *
 * Where the store is not all on this machine, what is not found was searched for in vain:
 * it stays noted, and is searched for once more when the program starts. */
#pragma once

#include "fdfs/client.h"
#include "meta/cut_memory.h"
#include "service/settings.h"

struct cut_settler;

/* All three are borrowed. */
struct cut_settler *cut_settler_new(
	const struct settings *settings, struct fdfs_client *client, struct cut_memory *memory);
void cut_settler_free(struct cut_settler *settler); /* NULL is fine */

/* Search for those that are old enough.  One thread at a time. */
int cut_settler_look(struct cut_settler *settler, struct err *err);
