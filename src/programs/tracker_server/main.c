/* tracker_server - tells clients which storage takes an upload and which one has a file.
 *
 * Storages report several times a second that they live and how much room they have, and
 * who does not report is left out.  It keeps which storages there are, and nothing else. */
#include "programs/tracker_server/tracker_server.h"
#include "service/reach.h"

static const struct service tracker_server = {
	.name = "tracker_server",
	.summary = "tells FastDFS clients where files go and where they are",
	.counters = tracker_counters,
	.counter_count = TRACKER_COUNTERS,
	.reach = REACH_TRACKER_MEMORY,
	.listen = tracker_listen, /* takes its port while it still may */
	.open = tracker_open,     /* makes the event loop */
	.run = tracker_run,       /* answers */
	.stop = tracker_stop,
	.close = tracker_close,
};

int main(int argc, char **argv)
{
	return service_main(&tracker_server, argc, argv);
}
