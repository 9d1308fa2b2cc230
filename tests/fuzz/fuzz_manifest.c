/* A line of a manifest has one spelling: what is read is written as the same bytes. */
#include "moving/manifest.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest_file file;
	uint64_t files, bytes;
	struct buf out;

	buf_init(&out, MANIFEST_LINE_MAX);
	switch (manifest_parse(span_of(data, size), &file, &files, &bytes)) {
	case MANIFEST_NONSENSE:
		return 0;
	case MANIFEST_FILE:
		manifest_put_file(&out, &file);
		break;
	case MANIFEST_END:
		manifest_put_end(&out, files, bytes);
		break;
	}
	assert(buf_ok(&out) && out.len == size + 1);
	assert(memcmp(out.data, data, size) == 0 && out.data[size] == '\n');
	buf_fini(&out);
	return 0;
}
