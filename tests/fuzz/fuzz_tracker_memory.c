/* fuzz_tracker_memory.c - what a tracker takes from its memory it writes again, line by line
 * the same, and nothing else. */
#include "programs/tracker_server/cluster_memory.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cluster cluster, again;
	struct buf first, second;

	cluster_init(&cluster, CLUSTER_ROUND_ROBIN, "", 1000);
	cluster_init(&again, CLUSTER_ROUND_ROBIN, "", 1000);
	buf_init(&first, CLUSTER_MEMORY_MAX);
	buf_init(&second, CLUSTER_MEMORY_MAX);
	cluster_memory_get(&cluster, span_of(data, size));
	cluster_memory_put(&cluster, &first);
	assert(buf_ok(&first));
	assert(cluster_memory_get(&again, buf_span(&first)) == 0);
	cluster_memory_put(&again, &second);
	assert(span_equal(buf_span(&first), buf_span(&second)));
	buf_fini(&first);
	buf_fini(&second);
	cluster_fini(&cluster);
	cluster_fini(&again);
	return 0;
}
