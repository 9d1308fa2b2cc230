/* fuzz_picture_sniff.c - the first 256 bytes decide; the bytes as a word mean one format. */
#include "image/picture.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { ENOUGH = 256 };
	enum picture_format format = picture_sniff(span_of(data, size));

	assert(format < PICTURE_FORMATS);
	/* The first bytes decide, whatever follows. */
	if (size > ENOUGH)
		assert(picture_sniff(span_of(data, ENOUGH)) == format);
	/* As a word it means at most one format, in lower case too. */
	format = picture_format_of(span_of(data, size));
	if (format != PICTURE_NONE) {
		assert(size < 100 || memchr(data, ';', size) != NULL || data[0] <= ' ' ||
			data[size - 1] <= ' ');
		assert(picture_format_of(span_str(picture_name(format))) == format);
	}
	return 0;
}
