#include "delivery/target.h"

#include <assert.h>
#include <string.h>

/* What is accepted is a prefix, then the id's one spelling, then nothing or a query. */
static void check_id(struct span text, const struct target *target)
{
	static const char *const prefixes[] = { "/", "/download.fcgi/" };
	char id[FILE_ID_TEXT_MAX + 1];
	size_t len = file_id_format(&target->id, id);
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		size_t at = strlen(prefixes[i]);

		if (text.len >= at + len && memcmp(text.data, prefixes[i], at) == 0 &&
			memcmp(text.data + at, id, len) == 0)
			found = found || text.len == at + len || text.data[at + len] == '?';
	}
	assert(found);
}

/* A file name in a header has no character that could end it, and is its own escaped
 * form. */
static void check_disposition(struct span name)
{
	static const char safe[] = "-._~!%";
	struct buf value, again;
	struct span escaped;

	buf_init(&value, 4096);
	buf_init(&again, 4096);
	if (target_disposition(name, &value)) {
		escaped = span_of(value.data + 29, value.len - 29);
		assert(escaped.len > 0 && escaped.len <= TARGET_NAME_MAX);
		for (size_t i = 0; i < escaped.len; i++) {
			uint8_t c = escaped.data[i];

			assert((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
				(c != '\0' && strchr(safe, c) != NULL));
		}
		assert(target_disposition(escaped, &again));
		assert(span_equal(buf_span(&value), buf_span(&again)));
	} else {
		assert(value.len == 0);
	}
	buf_fini(&value);
	buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target target;

	if (!target_parse(span_of(data, size), &target))
		return 0;
	check_id(span_of(data, size), &target);
	assert(target.name.data >= data && target.name.data + target.name.len <= data + size);
	check_disposition(target.name);
	return 0;
}
