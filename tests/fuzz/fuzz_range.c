/* The first 8 bytes are the size of the content, the rest is a Range header. */
#include "http/http_range.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t content, first, len, first_again, len_again;
	char text[64];

	if (size < 8)
		return 0;
	content = load_be64(data);
	if (http_range_parse(span_of(data + 8, size - 8), content, &first, &len) != HTTP_RANGE_PART)
		return 0;
	/* A part is inside, and asking for just it gives just it. */
	assert(len > 0 && len <= content && first <= content - len);
	snprintf(text, sizeof text, "bytes=%" PRIu64 "-%" PRIu64, first, first + (len - 1));
	assert(http_range_parse(span_str(text), content, &first_again, &len_again) ==
		HTTP_RANGE_PART);
	assert(first_again == first && len_again == len);
	return 0;
}
