/* cut_jpeg.h - JPEGs in rows, by libjpeg-turbo itself.
 *
 * libvips feeds libjpeg-turbo 4 KB at a time, and its fast Huffman decoder only works
 * where more than 3 KB lie ahead: handing it the whole picture in one piece makes
 * decoding a quarter faster.
 *
 * All calls run in a confined worker. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

struct cut_jpeg_in {
	struct span bytes;
	int shrink;             /* 1, 2, 4 or 8 */
	uint32_t width, height; /* of the picture when it is shrunk so */
	int channels;           /* 1 or 3 */
};

/* Fill the rest of `in` from bytes and shrink.  Returns false if the picture is one that
 * libvips has to read (CMYK), or damaged. */
bool cut_jpeg_look(struct cut_jpeg_in *in);

/* Decode the rows `from` to `to` (behind the last) and hand each to `put`, beginning with
 * the column `left`.  ERR_TRUNCATED. */
int cut_jpeg_read(const struct cut_jpeg_in *in, uint32_t left, uint32_t right, uint32_t from,
	uint32_t to, void (*put)(void *context, const uint8_t *pixels), void *context,
	struct err *err);

/* Write width x height pixels of 1 or 3 channels as a JPEG into `room`.  Returns its
 * length; 0 with err, ERR_TOO_LARGE if it does not fit. */
size_t cut_jpeg_write(const uint8_t *pixels, uint32_t width, uint32_t height, int channels,
	int quality, uint8_t *room, size_t room_len, struct err *err);
