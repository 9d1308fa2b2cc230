/* fuzz_s3_xml.c - a page that is accepted names objects that have a key and a size, has a
 * token if and only if there is more, and is none any more without its last byte. */
#include "store/s3_xml.h"

#include <assert.h>
#include <string.h>

static bool check(void *context, const struct s3_object *object)
{
	size_t len = strlen(object->key);

	assert(len >= 1 && len <= S3_KEY_MAX);
	++*(size_t *)context;
	return true;
}

static bool pass(void *context, const struct s3_object *object)
{
	(void)context;
	(void)object;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = 0;
	struct s3_page page = { .found = check, .context = &count };
	struct s3_page shorter = { .found = pass };
	struct span text = span_of(data, size);
	char code[S3_CODE_MAX + 1];
	struct err err;

	s3_error_code(text, code);
	assert(strlen(code) <= S3_CODE_MAX);
	if (s3_page_read(text, &page, &err) != 0) {
		assert(err.code == ERR_CORRUPT);
		return 0;
	}
	assert(code[0] == '\0'); /* not both */
	assert(!page.stopped && page.count == count && page.more == (page.token[0] != '\0'));
	/* Behind the root there may be comments and instructions. */
	if (data[size - 1] == '>' && memcmp(data + size - 8, "tResult>", 8) == 0)
		assert(s3_page_read(span_of(data, size - 1), &shorter, &err) != 0);
	return 0;
}
