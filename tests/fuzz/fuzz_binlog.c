/* What a line of a FastDFS binlog names is a file of the group, and what a slot of a trunk
 * file is taken for is what its name says.  The input is a line and, behind a newline, the
 * bytes at the slot. */
#include "moving/binlog.h"
#include "moving/trunk_slot.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	struct binlog_line line;
	struct file_id again;
	struct span slot;

	if (!binlog_parse(span_of(data, end == NULL ? size : (size_t)(end - data)), "g01", &line))
		return 0;
	assert(strcmp(line.id.group, "g01") == 0 && line.time >= 0);
	assert(file_id_parse_name(
		span_str("g01"), span_of(line.id.name, line.id.name_len), &again));
	if (end == NULL || line.id.kind != FILE_ID_TRUNK)
		return 0;
	slot = span_of(end + 1, size - (size_t)(end + 1 - data));
	if (slot.len >= TRUNK_SLOT_HEAD && trunk_slot_look(slot.data, &line.id) == TRUNK_SLOT_FILE)
		assert(load_be32(slot.data + 9) == line.id.crc &&
			load_be32(slot.data + 5) == line.id.size);
	return 0;
}
