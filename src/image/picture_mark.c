#include "image/picture_mark.h"

#include "core/crc32.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	TEXT_LEN = 25,
	JPEG_SOI_LEN = 2,
	JPEG_MARKER_LEN = 4, /* with its length */
	PNG_HEAD_LEN = 8,
	PNG_CHUNK_LEN = 12, /* of an empty one: length, type, CRC */
	RIFF_HEAD_LEN = 12,
	RIFF_CHUNK_LEN = 8,
	BOX_LEN = 8,
};

static const char PNG_END[] = "\0\0\0\0IEND\xae\x42\x60\x82";

static void write_text(uint64_t number, char text[TEXT_LEN + 1])
{
	snprintf(text, TEXT_LEN + 1, "picstore %016" PRIx64, number);
}

static struct span head_of(struct span all, size_t len)
{
	return span_of(all.data, len);
}

static struct span tail_of(struct span all, size_t from)
{
	return span_of(all.data + from, all.len - from);
}

static bool begins_with(struct span bytes, const char *what, size_t len)
{
	return bytes.len >= len && memcmp(bytes.data, what, len) == 0;
}

/* A JFIF header must come first. */
static bool mark_jpeg(struct span picture, struct span text, struct buf *out)
{
	size_t at = JPEG_SOI_LEN;

	if (!begins_with(picture, "\xff\xd8", JPEG_SOI_LEN))
		return false;
	if (begins_with(tail_of(picture, at), "\xff\xe0", 2)) {
		if (picture.len < at + JPEG_MARKER_LEN)
			return false;
		at += 2 + load_be16(picture.data + at + 2);
	}
	if (picture.len < at + 2 || picture.data[at] != 0xff)
		return false;
	buf_put_span(out, head_of(picture, at));
	buf_put_be16(out, 0xfffe);
	buf_put_be16(out, (uint16_t)(2 + text.len));
	buf_put_span(out, text);
	buf_put_span(out, tail_of(picture, at));
	return true;
}

static bool mark_png(struct span picture, struct span text, struct buf *out)
{
	struct buf chunk;
	size_t at;

	if (picture.len < PNG_HEAD_LEN + PNG_CHUNK_LEN)
		return false;
	at = picture.len - PNG_CHUNK_LEN;
	if (memcmp(picture.data + at, PNG_END, PNG_CHUNK_LEN) != 0)
		return false;
	buf_init(&chunk, PICTURE_MARK_MAX);
	buf_put_str(&chunk, "tEXtComment");
	buf_put_u8(&chunk, 0);
	buf_put_span(&chunk, text);
	buf_put_span(out, head_of(picture, at));
	buf_put_be32(out, (uint32_t)(chunk.len - 4)); /* without its type */
	buf_put_span(out, buf_span(&chunk));
	buf_put_be32(out, crc32_add(0, buf_span(&chunk)));
	buf_put_span(out, tail_of(picture, at));
	buf_fini(&chunk);
	return true;
}

/* Comments are of GIF89a. */
static bool mark_gif(struct span picture, struct span text, struct buf *out)
{
	size_t at = picture.len - 1;

	if (!begins_with(picture, "GIF89a", 6) || picture.data[at] != 0x3b)
		return false;
	buf_put_span(out, head_of(picture, at));
	buf_put_be16(out, 0x21fe);
	buf_put_u8(out, (uint8_t)text.len);
	buf_put_span(out, text);
	buf_put_u8(out, 0);
	buf_put_u8(out, 0x3b);
	return true;
}

/* The chunk counts in the length at the top; an odd one is padded. */
static bool mark_webp(struct span picture, struct span text, struct buf *out)
{
	uint64_t len = (uint64_t)picture.len + text.len + text.len % 2;

	if (picture.len < RIFF_HEAD_LEN + RIFF_CHUNK_LEN || picture.len % 2 != 0 ||
		!begins_with(picture, "RIFF", 4) ||
		memcmp(picture.data + RIFF_CHUNK_LEN, "WEBP", 4) != 0 ||
		load_le32(picture.data + 4) != picture.len - RIFF_CHUNK_LEN || len > UINT32_MAX)
		return false;
	buf_put_str(out, "RIFF");
	buf_put_le32(out, (uint32_t)len);
	buf_put_span(out, tail_of(picture, RIFF_CHUNK_LEN));
	buf_put_str(out, "PICS");
	buf_put_le32(out, (uint32_t)text.len);
	buf_put_span(out, text);
	if (text.len % 2 == 1)
		buf_put_u8(out, 0);
	return true;
}

/* A last box of length 0 would go on to the end of the file, and take this one in. */
static bool ends_with_a_box(struct span picture)
{
	size_t at = 0;

	while (picture.len - at >= BOX_LEN) {
		uint32_t len = load_be32(picture.data + at);

		if (len < BOX_LEN || len > picture.len - at)
			return false;
		at += len;
	}
	return at == picture.len && at > 0;
}

static bool mark_heif(struct span picture, struct span text, struct buf *out)
{
	if (!ends_with_a_box(picture))
		return false;
	buf_put_span(out, picture);
	buf_put_be32(out, (uint32_t)(BOX_LEN + text.len));
	buf_put_str(out, "free");
	buf_put_span(out, text);
	return true;
}

int picture_mark(struct span picture, enum picture_format format, uint64_t number, struct buf *out,
	struct err *err)
{
	static bool (*const mark[PICTURE_FORMATS])(
		struct span picture, struct span text, struct buf * out) = {
		[PICTURE_JPEG] = mark_jpeg,
		[PICTURE_PNG] = mark_png,
		[PICTURE_GIF] = mark_gif,
		[PICTURE_WEBP] = mark_webp,
		[PICTURE_AVIF] = mark_heif,
		[PICTURE_HEIC] = mark_heif,
	};
	char text[TEXT_LEN + 1];

	if (mark[format] == NULL)
		return err_set(err, ERR_UNSUPPORTED, "no number can be put into this format");
	write_text(number, text);
	if (picture.len == 0 || !mark[format](picture, span_of(text, TEXT_LEN), out))
		return err_set(
			err, ERR_TRUNCATED, "what was made is no whole %s", picture_name(format));
	if (!buf_ok(out))
		return err_set(err, ERR_TOO_LARGE, "%zu bytes are too many", picture.len);
	return 0;
}

bool picture_has_mark(struct span picture, uint64_t number)
{
	char text[TEXT_LEN + 1];

	write_text(number, text);
	return picture.len >= TEXT_LEN && memmem(picture.data, picture.len, text, TEXT_LEN) != NULL;
}
