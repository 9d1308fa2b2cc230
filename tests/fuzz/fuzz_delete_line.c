/* A line has one spelling: what is read is written as the same bytes. */
#include "core/file_id.h"
#include "deletion/delete_line.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct delete_line line;
	struct file_id id;
	struct buf out;

	if (!delete_line_parse(span_of(data, size), &line))
		return 0;
	assert(file_id_parse(span_str(line.url.text), &id));
	buf_init(&out, DELETE_LINE_MAX);
	delete_line_put(&out, &line);
	assert(buf_ok(&out) && out.len == size + 1);
	assert(memcmp(out.data, data, size) == 0 && out.data[size] == '\n');
	buf_fini(&out);
	return 0;
}
