#include "image/picture_mark.h"

#include "image/picture_probe.h"
#include "photos.h"
#include "unit.h"

#include <string.h>

#define NUMBER UINT64_C(0x0123456789abcdef)

static const struct {
	const char *file;
	enum picture_format format;
} real[] = {
	{ "seeding-4k.jpg", PICTURE_JPEG },
	{ "progressive.jpg", PICTURE_JPEG },
	{ "photo.png", PICTURE_PNG },
	{ "interlaced.png", PICTURE_PNG },
	{ "photo.gif", PICTURE_GIF },
	{ "animated.gif", PICTURE_GIF },
	{ "photo.webp", PICTURE_WEBP },
	{ "animated.webp", PICTURE_WEBP },
	{ "photo.avif", PICTURE_AVIF },
	{ "photo.heic", PICTURE_HEIC },
};

enum { REAL = sizeof real / sizeof real[0], ROOM = 1 << 20 };

static struct buf marked(struct span picture, enum picture_format format, uint64_t number)
{
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, ROOM);
	if (picture_mark(picture, format, number, &out, &err) != 0)
		fail_msg("%s: %s", picture_name(format), err.text);
	return out;
}

static void *pixels(struct span bytes, size_t *len)
{
	static bool started;
	struct err err = { 0 };
	VipsImage *image;
	void *all;

	if (!started && picture_probe_init((1 << PICTURE_FORMATS) - 2, &err) == 0)
		fail_msg("%s", err.text);
	started = true;
	image = vips_image_new_from_buffer(bytes.data, bytes.len, "", NULL);
	if (image == NULL)
		fail_msg("%s", vips_error_buffer());
	all = vips_image_write_to_memory(image, len);
	assert_non_null(all);
	g_object_unref(image);
	return all;
}

TEST(the_pixels_stay_and_the_number_is_found)
{
	for (size_t i = 0; i < REAL; i++) {
		struct span picture = photo(real[i].file);
		struct buf out = marked(picture, real[i].format, NUMBER);
		size_t len, marked_len;
		void *before = pixels(picture, &len), *after = pixels(buf_span(&out), &marked_len);

		assert_true(out.len > picture.len && out.len <= picture.len + PICTURE_MARK_MAX);
		assert_int_equal(picture_sniff(buf_span(&out)), real[i].format);
		if (len != marked_len || memcmp(before, after, len) != 0)
			fail_msg("%s looks different", real[i].file);
		assert_true(picture_has_mark(buf_span(&out), NUMBER));
		assert_false(picture_has_mark(buf_span(&out), NUMBER + 1));
		assert_false(picture_has_mark(picture, NUMBER));
		g_free(before);
		g_free(after);
		buf_fini(&out);
	}
}

TEST(each_number_is_as_long_as_the_others)
{
	for (size_t i = 0; i < REAL; i++) {
		struct buf small = marked(photo(real[i].file), real[i].format, 0);
		struct buf great = marked(photo(real[i].file), real[i].format, UINT64_MAX);

		assert_int_equal(small.len, great.len);
		assert_false(span_equal(buf_span(&small), buf_span(&great)));
		buf_fini(&small);
		buf_fini(&great);
	}
}

static void refused(struct span picture, enum picture_format format, size_t room, enum err_code why)
{
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, room);
	assert_int_equal(picture_mark(picture, format, NUMBER, &out, &err), -1);
	assert_int_equal(err.code, why);
	buf_fini(&out);
}

TEST(what_is_no_whole_picture_of_its_format_is_refused)
{
	for (size_t i = 0; i < REAL; i++) {
		struct span picture = photo(real[i].file);

		refused(span_of(picture.data, 0), real[i].format, ROOM, ERR_TRUNCATED);
		refused(span_of(picture.data, 3), real[i].format, ROOM, ERR_TRUNCATED);
		if (real[i].format != PICTURE_JPEG) /* whose end says nothing */
			refused(span_of(picture.data, picture.len - 1), real[i].format, ROOM,
				ERR_TRUNCATED);
		refused(SPAN("neither this nor that, but longer than any head"), real[i].format,
			ROOM, ERR_TRUNCATED);
		refused(picture, real[i].format, picture.len + 8, ERR_TOO_LARGE);
	}
	refused(photo("photo.png"), PICTURE_NONE, ROOM, ERR_UNSUPPORTED);
	/* A JFIF header that is longer than the file; a box that goes on to its end. */
	refused(SPAN("\xff\xd8\xff\xe0\xff\xff JFIF"), PICTURE_JPEG, ROOM, ERR_TRUNCATED);
	refused(SPAN("\0\0\0\0mdat0123456789"), PICTURE_AVIF, ROOM, ERR_TRUNCATED);
}
