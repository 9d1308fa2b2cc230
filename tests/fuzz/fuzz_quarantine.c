/* A list that was read and written is read as the same list. */
#include "store/quarantine.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quarantine list, again;
	struct buf out, twice;

	quarantine_parse(&list, span_of(data, size));
	buf_init(&out, size + 64);
	buf_init(&twice, size + 64);
	quarantine_put(&list, &out);
	assert(buf_ok(&out)); /* nothing that was not there */
	quarantine_parse(&again, buf_span(&out));
	quarantine_put(&again, &twice);
	assert(again.count == list.count && span_equal(buf_span(&out), buf_span(&twice)));
	quarantine_fini(&list);
	quarantine_fini(&again);
	buf_fini(&out);
	buf_fini(&twice);
	return 0;
}
