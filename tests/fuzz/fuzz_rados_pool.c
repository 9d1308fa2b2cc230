/* fuzz_rados_pool.c - whatever a monitor answers: a number is from 1 on, a text fits, free
 * room is part of all room. */
#include "store/rados_pool.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span json = span_of(data, size);
	struct rados_pool_space space;
	int64_t number;
	char text[9];
	struct err err;

	if (rados_pool_read_number(json, "size", &number, &err) == 0)
		assert(number >= 1);
	else
		assert(err.code == ERR_UNREACHABLE);
	if (rados_pool_read_text(json, "erasure_code_profile", text, sizeof text - 1))
		assert(strlen(text) < sizeof text);
	if (rados_pool_read_space(json, "pics", &space, &err) == 0)
		assert(space.free <= space.total);
	else
		assert(err.code == ERR_UNREACHABLE);
	return 0;
}
