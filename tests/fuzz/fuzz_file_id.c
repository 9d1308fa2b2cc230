/* fuzz_file_id.c - an id has one spelling: what is accepted is written back byte for byte,
 * alone and from its parts, and can be made again from what was read out of it. */
#include "core/file_id.h"

#include <assert.h>
#include <string.h>

/* The pad digits of a name as the number that file_id_make takes them from. */
static uint32_t pad_of(const struct file_id *id)
{
	const char *tail = id->name + FILE_ID_NAME_LEN - 7;
	uint32_t pad = 0, unit = 1;

	for (; *tail >= '0' && *tail <= '9'; tail++, unit *= 10)
		pad += (uint32_t)(*tail - '0') * unit;
	return pad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct file_id id, again;
	char out[FILE_ID_TEXT_MAX + 1];

	if (!file_id_parse(text, &id))
		return 0;
	assert(file_id_format(&id, out) == size);
	assert(memcmp(out, data, size) == 0);
	assert(id.name_len == strlen(id.name));
	assert(file_id_parse_name(span_str(id.group), span_str(id.name), &again));
	assert(file_id_equal(&id, &again) && again.kind == id.kind);
	if (file_id_slave(&id, "_a", "jpg", &again))
		assert(again.kind == FILE_ID_SLAVE && again.name_len == strlen(again.name));
	if (id.kind != FILE_ID_NORMAL && id.kind != FILE_ID_APPENDER)
		return 0;
	/* FastDFS writes no size into the name of an appender: there is one name for it. */
	if (id.kind == FILE_ID_APPENDER && id.size != 0)
		return 0;
	again = id;
	assert(file_id_make(&again, pad_of(&id)));
	assert(file_id_equal(&id, &again));
	return 0;
}
