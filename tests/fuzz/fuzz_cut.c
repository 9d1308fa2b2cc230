/* The first 24 bytes are a wish, the rest a picture.  Whatever comes out is a picture of
 * the same format, of the size that was wanted, and can be opened. */
#include "image/cut_make.h"
#include "image/picture_probe.h"

#include <assert.h>
#include <string.h>

enum {
	ROOM = 1 << 20,
	FORMATS = 1 << PICTURE_JPEG | 1 << PICTURE_PNG | 1 << PICTURE_GIF | 1 << PICTURE_WEBP
};

static const struct cut_rules rules = {
	.limits = {
		.max_width = 4000,
		.max_height = 4000,
		.max_pixels = 1000000,
		.max_pixels_progressive = 250000,
		.max_frames = 20,
		.formats = FORMATS,
	},
	.max_pixels = 20000,
	.quality = 85,
	.animated = true,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[ROOM];
	static bool started;
	struct picture_facts made, found;
	struct cut_wish wish;
	struct err err = { 0 };
	VipsImage *image;
	size_t len;

	if (!started)
		assert(picture_probe_init(FORMATS, &err) == FORMATS);
	started = true;
	if (size < sizeof wish)
		return 0;
	memcpy(&wish, data, sizeof wish);
	len = cut_make(&rules, span_of(data + sizeof wish, size - sizeof wish), &wish, room,
		sizeof room, &made, &err);
	if (len == 0) {
		assert(err.code != ERR_NONE && err.text[0] != '\0');
		return 0;
	}
	assert(len <= sizeof room && made.width > 0 && made.height > 0);
	assert((uint64_t)made.width * made.height * made.frames <= rules.max_pixels);
	if (wish.clip_w != 0 && wish.clip_h != 0)
		assert(made.width == wish.thumb_w && made.height == wish.thumb_h);
	else
		assert(made.width <= wish.thumb_w && made.height <= wish.thumb_h);
	assert(picture_open(&rules.limits, span_of(room, len), &found, &image, &err) == 0);
	g_object_unref(image);
	assert(found.format == made.format && found.frames == made.frames);
	assert(found.width == made.width && found.height == made.height);
	return 0;
}
