/* local_source.h - the volumes of this machine's storages, read in place.
 *
 * The id says where the bytes are, so download.fcgi need not ask the storage_server
 * beside it.  Engines are opened read-only at the first id that needs them; one that
 * does not open (its storage has not been started yet) is tried again after a while,
 * and until then the ids go to the next source. */
#pragma once

#include "delivery/delivery.h"
#include "service/settings.h"

struct local_source;

/* The storages of `settings`, which must outlive the source.  `now_ms` is a clock that
 * only goes forward: clock_mono_ms, or a test's. */
struct local_source *local_source_new(const struct settings *settings, int64_t (*now_ms)(void));

/* For `own`, one of these storages, which answers from its `engine` itself, of whatever
 * kind, before it looks into the volumes of the others (none of them if local_read is
 * off).  `engine` stays the caller's and must outlive the source; both may be NULL. */
struct local_source *local_source_beside(const struct settings *settings,
	const struct storage_settings *own, struct engine *engine, int64_t (*now_ms)(void));
void local_source_free(struct local_source *source); /* NULL is fine */

/* As an entry of a delivery's table, valid as long as the source. */
struct delivery_source local_source_entry(struct local_source *source);
