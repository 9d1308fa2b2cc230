/* storage_server - keeps the files of a group and hands them out.
 *
 * It takes clients of FastDFS and answers them from an engine; while it is up it tells
 * the trackers so several times a second, and needs none of them to start. */
#include "programs/storage_server/storage_server.h"
#include "service/reach.h"

#include "picstore_build.h"

static const struct service storage_server = {
	.name = "storage_server",
	.summary = "keeps the files of a group for FastDFS clients",
	.built_with = "engines: " PICSTORE_ENGINES,
	.has_instances = true,
	.counters = storage_counters,
	.counter_count = STORAGE_COUNTERS,
	.reach = REACH_NETWORK | REACH_STORE | REACH_STORES,
	.listen = storage_listen, /* takes its port while it still may */
	.open = storage_open,     /* opens the engine, begins to report */
	.run = storage_run,       /* answers */
	.stop = storage_stop,
	.reload = storage_reload, /* read-write, draining, read-only */
	.close = storage_close,
};

int main(int argc, char **argv)
{
	return service_main(&storage_server, argc, argv);
}
