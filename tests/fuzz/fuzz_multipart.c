/* fuzz_multipart.c - parts lie in the body one after another, each up to a boundary.
 * The first line of the input is the content type, the rest the body. */
#include "http/multipart.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
	struct multipart multipart;
	struct multipart_part part;
	struct span type, body;
	const uint8_t *from;
	struct err err = { 0 };
	int got;

	if (newline == NULL)
		return 0;
	type = span_of(data, (size_t)(newline - data));
	body = span_of(newline + 1, size - type.len - 1);
	from = body.data;
	if (multipart_open(&multipart, type, body, &err) < 0) {
		assert(err.code == ERR_BAD_REQUEST);
		return 0;
	}
	while ((got = multipart_next(&multipart, &part, &err)) > 0) {
		/* Parts follow one another inside the body, and no boundary is in any. */
		assert(part.data.data >= from);
		assert(part.data.data + part.data.len + multipart.delimiter_len <=
			body.data + body.len);
		from = part.data.data + part.data.len;
		assert(memcmp(from, multipart.delimiter, multipart.delimiter_len) == 0);
		assert(memchr(part.name, '\0', sizeof part.name) != NULL);
		assert(memchr(part.filename, '\0', sizeof part.filename) != NULL);
	}
	assert(got == 0 ? multipart.ended : err.code == ERR_BAD_REQUEST);
	return 0;
}
