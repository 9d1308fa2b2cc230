#include "programs/picstore/tiny_png.h"

#include "core/crc32.h"

#include <string.h>

enum {
	ROW = 1 + TINY_PNG_SIDE * 3, /* filter byte, then RGB */
	RAW = ROW * TINY_PNG_SIDE,   /* fits one stored block of deflate */
	CHUNK_MAX = RAW + 16,
};

static void put_chunk(struct buf *out, const char type[4], struct span data)
{
	size_t from;

	buf_put_be32(out, (uint32_t)data.len);
	from = out->len;
	buf_put(out, type, 4);
	buf_put_span(out, data);
	if (buf_ok(out))
		buf_put_be32(out, crc32_add(0, span_of(out->data + from, 4 + data.len)));
}

static uint32_t adler32(struct span bytes)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		a = (a + bytes.data[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

void tiny_png(struct buf *out, uint64_t seed)
{
	static const uint8_t shape[] = { 8, 2, 0, 0, 0 }; /* 8 bits, RGB */
	uint8_t raw[RAW];
	struct buf chunk;

	buf_init(&chunk, CHUNK_MAX);
	buf_put(out, "\x89PNG\r\n\x1a\n", 8);
	buf_put_be32(&chunk, TINY_PNG_SIDE);
	buf_put_be32(&chunk, TINY_PNG_SIDE);
	buf_put(&chunk, shape, sizeof shape);
	put_chunk(out, "IHDR", buf_span(&chunk));

	for (size_t i = 0; i < RAW; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		raw[i] = i % ROW == 0 ? 0 : (uint8_t)(seed >> 56);
	}
	buf_clear(&chunk);
	buf_put(&chunk, "\x78\x01\x01", 3); /* zlib, then one last block, stored */
	buf_put_le16(&chunk, RAW);
	buf_put_le16(&chunk, (uint16_t)~RAW);
	buf_put(&chunk, raw, RAW);
	buf_put_be32(&chunk, adler32(span_of(raw, RAW)));
	put_chunk(out, "IDAT", buf_span(&chunk));
	put_chunk(out, "IEND", (struct span){ 0 });
	buf_fini(&chunk);
}
