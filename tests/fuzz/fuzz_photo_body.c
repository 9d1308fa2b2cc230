/* The first byte says the order of the bytes and which body the rest is. */
#include "wire/photo_body.h"

#include <assert.h>

static void assert_same(struct buf *again, struct span body)
{
	assert(buf_ok(again) && span_equal(buf_span(again), body)); /* one body, one spelling */
	buf_fini(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum byte_order order;
	struct photo_request request;
	struct photo_album album;
	struct cursor cursor;
	struct photo photo;
	struct span body;
	struct buf again;
	uint16_t cmd;

	if (size < 1)
		return 0;
	order = data[0] & 0x80 ? ORDER_BIG : ORDER_LITTLE;
	cmd = (uint16_t)(CMD_PHOTO_PUT + (data[0] & 0x0f));
	body = span_of(data + 1, size - 1);
	buf_init(&again, 4096);
	if (cmd == CMD_PHOTO_PUT) {
		if (photo_decode(body, order, &photo)) {
			photo_encode(&again, order, &photo);
			assert(again.len <= PHOTO_ENCODED_MAX);
			assert_same(&again, body);
		}
	} else if (cmd > CMD_PHOTO_LIST_ALL) {
		char clean[PHOTO_TEXT_MAX + 1];

		photo_text_clean(body, clean);
		assert(photo_text_ok(span_str(clean)));
		cursor = cursor_of(body);
		if (photo_album_take(&cursor, order, &album) && cursor_end(&cursor)) {
			photo_album_encode(&again, order, &album);
			assert_same(&again, body);
		}
	} else if (photo_request_decode(cmd, body, order, &request)) {
		photo_request_encode(&again, order, &request);
		assert_same(&again, body);
	}
	return 0;
}
