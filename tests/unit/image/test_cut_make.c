#include "image/cut_make.h"
#include "image/picture_probe.h"
#include "photos.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 16 << 20, ALL_FORMATS = (1 << PICTURE_FORMATS) - 2 };

static struct cut_rules rules = {
	.limits = {
		.max_width = 20000,
		.max_height = 20000,
		.max_pixels = 50000000,
		.max_pixels_progressive = 16000000,
		.max_frames = 100,
		.formats = ALL_FORMATS,
	},
	.max_pixels = 4000000,
	.quality = 95,
};

static uint8_t room[ROOM];

static void start(void)
{
	static bool started;
	struct err err = { 0 };

	if (!started && picture_probe_init(ALL_FORMATS, &err) == 0)
		fail_msg("%s", err.text);
	started = true;
}

/* Pixels as anybody sees them: upright, sRGB, on white, with alpha in a plane of its own. */
struct pixels {
	int width, height;
	uint8_t *rgb, *alpha;
};

static struct pixels pixels_of(struct span bytes)
{
	VipsImage *raw, *upright, *rgb, *alpha = NULL, *flat;
	struct pixels pixels;
	size_t len;

	start();
	raw = vips_image_new_from_buffer(bytes.data, bytes.len, "", NULL);
	if (raw == NULL)
		fail_msg("%s", vips_error_buffer());
	assert_int_equal(vips_autorot(raw, &upright, NULL), 0);
	if (upright->Type == VIPS_INTERPRETATION_CMYK)
		assert_int_equal(vips_icc_transform(upright, &rgb, "srgb", "embedded", TRUE,
					 "input_profile", "cmyk", NULL),
			0);
	else
		assert_int_equal(
			vips_colourspace(upright, &rgb, VIPS_INTERPRETATION_sRGB, NULL), 0);
	if (vips_image_hasalpha(rgb)) {
		VipsArrayDouble *white = vips_array_double_newv(3, 255.0, 255.0, 255.0);

		assert_int_equal(vips_flatten(rgb, &flat, "background", white, NULL), 0);
		vips_area_unref((VipsArea *)white);
		assert_int_equal(vips_extract_band(rgb, &alpha, 3, NULL), 0);
	} else {
		flat = rgb;
		g_object_ref(rgb);
	}
	pixels.width = flat->Xsize;
	pixels.height = flat->Ysize;
	assert_int_equal(flat->Bands, 3);
	pixels.rgb = vips_image_write_to_memory(flat, &len);
	pixels.alpha = alpha != NULL ? vips_image_write_to_memory(alpha, &len) : NULL;
	assert_non_null(pixels.rgb);
	if (alpha != NULL)
		g_object_unref(alpha);
	g_object_unref(flat);
	g_object_unref(rgb);
	g_object_unref(upright);
	g_object_unref(raw);
	return pixels;
}

static void pixels_free(struct pixels *pixels)
{
	g_free(pixels->rgb);
	g_free(pixels->alpha);
}

static struct span cut_with(const struct cut_rules *with, struct span bytes, struct cut_wish wish,
	struct picture_facts *made)
{
	struct err err = { 0 };
	size_t len;

	start();
	len = cut_make(with, bytes, &wish, room, sizeof room, made, &err);
	if (len == 0)
		fail_msg("%s", err.text);
	return span_of(room, len);
}

/* The slow and simple way: every pixel of the result is the mean of what lies under it. */
static double mean_difference(struct pixels source, struct pixels got, struct cut_wish wish)
{
	double x0 = wish.start_x, y0 = wish.start_y, w = wish.clip_w, h = wish.clip_h, sum = 0;

	if (wish.clip_w == 0 || wish.clip_h == 0) {
		x0 = y0 = 0;
		w = source.width;
		h = source.height;
	}
	for (int y = 0; y < got.height; y++) {
		for (int x = 0; x < got.width; x++) {
			double left = x0 + x * w / got.width, right = left + w / got.width;
			double top = y0 + y * h / got.height, bottom = top + h / got.height;
			double total[3] = { 0 }, area = (right - left) * (bottom - top);

			for (int v = (int)floor(top); v < bottom; v++) {
				for (int u = (int)floor(left); u < right; u++) {
					double part = (fmin(right, u + 1) - fmax(left, u)) *
						      (fmin(bottom, v + 1) - fmax(top, v));
					bool in = u >= 0 && v >= 0 && u < source.width &&
						  v < source.height;

					for (int c = 0; c < 3; c++)
						total[c] +=
							part *
							(in ? source.rgb[((size_t)v * source.width +
										 u) *
										 3 +
									 c]
							    : 255);
				}
			}
			for (int c = 0; c < 3; c++)
				sum += fabs(total[c] / area -
					    got.rgb[((size_t)y * got.width + x) * 3 + c]);
		}
	}
	return sum / (got.width * got.height * 3.0);
}

static void assert_same(const char *name, struct cut_wish wish, double most)
{
	struct span bytes = photo(name);
	struct pixels source = pixels_of(bytes), got;
	struct picture_facts made;
	struct span result = cut_with(&rules, bytes, wish, &made);
	double difference;

	assert_int_equal(picture_sniff(result), picture_sniff(bytes));
	got = pixels_of(result);
	assert_int_equal(got.width, made.width);
	assert_int_equal(got.height, made.height);
	if (wish.clip_w != 0 && wish.clip_h != 0) {
		assert_int_equal(got.width, wish.thumb_w);
		assert_int_equal(got.height, wish.thumb_h);
	}
	difference = mean_difference(source, got, wish);
	if (difference > most)
		fail_msg("%s %ux%u%+d%+d to %ux%u differs by %.2f", name, wish.clip_w, wish.clip_h,
			wish.start_x, wish.start_y, wish.thumb_w, wish.thumb_h, difference);
	pixels_free(&got);
	pixels_free(&source);
}

TEST(cuts_are_what_the_slow_way_makes)
{
	static const struct cut_wish wishes[] = {
		{ 0, 0, 0, 0, 200, 200 },             /* the whole */
		{ 0, 0, 0, 0, 2000, 2000 },           /* as it is */
		{ 1000, 1000, 100, 0, 120, 120 },     /* shrunk by 8 */
		{ 1003, 997, 101, 13, 120, 110 },     /* between the blocks */
		{ 800, 600, 511, 301, 300, 220 },     /* by 2 */
		{ 300, 200, 801, 402, 300, 200 },     /* not at all */
		{ 1600, 1600, -400, -400, 200, 200 }, /* over the corner */
		{ 1600, 1600, 1000, 500, 150, 150 },
		{ 3000, 3000, -600, -1000, 100, 100 }, /* all around */
		{ 1800, 100, 0, 950, 333, 77 },        /* over the bottom */
		{ 70, 1013, 1790, 0, 35, 90 },         /* a strip, stretched */
		{ 100, 100, -100, -100, 20, 20 },      /* beside */
		{ 1801, 1014, -1, -1, 400, 400 },      /* by one pixel */
	};

	for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
		assert_same("seeding-230k.jpg", wishes[i], 3.0);
}

TEST(beside_the_picture_everything_is_white)
{
	static const char *const names[] = { "seeding-4k.jpg", "photo.png", "photo.gif",
		"photo.webp" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct pixels source = pixels_of(photo(names[i]));
		const struct cut_wish wishes[] = {
			{ 1, 1, INT32_MAX, 0, 5, 6 },
			{ 1, 1, 0, INT32_MIN, 5, 6 },
			{ UINT32_MAX, 1, source.width, 0, 7, 1 }, /* right behind the last column */
			{ 10, UINT32_MAX, 0, source.height, 1, 7 },
			{ 9, 9, -9, 0, 30, 30 }, /* right before the first one, enlarged */
			{ 9, 9, 0, -9, 3, 3 },
			{ 1u << 31, 1u << 31, INT32_MIN, INT32_MIN, 8,
				8 }, /* ends where it begins */
			{ UINT32_MAX, UINT32_MAX, INT32_MAX, INT32_MAX, 300, 2 },
		};

		for (size_t j = 0; j < sizeof wishes / sizeof wishes[0]; j++) {
			struct picture_facts made;
			struct pixels got = pixels_of(
				cut_with(&rules, photo(names[i]), wishes[j], &made));

			assert_int_equal(got.width, wishes[j].thumb_w);
			assert_int_equal(got.height, wishes[j].thumb_h);
			for (int k = 0; k < got.width * got.height * 3; k++)
				if (got.rgb[k] != 255)
					fail_msg("%s, wish %zu: %d", names[i], j, got.rgb[k]);
			pixels_free(&got);
		}
		pixels_free(&source);
	}
}

TEST(every_format_is_cut)
{
	static const char *const names[] = { "photo.png", "interlaced.png", "photo.webp",
		"photo.gif", "progressive.jpg", "photo.avif", "seeding-4k.jpg", "animated.gif",
		"animated.webp" };
	static const struct cut_wish wishes[] = { { 0, 0, 0, 0, 40, 40 }, { 60, 50, 30, 7, 30, 25 },
		{ 50, 50, -10, -10, 50, 50 } };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		for (size_t j = 0; j < sizeof wishes / sizeof wishes[0]; j++)
			assert_same(
				names[i], wishes[j], strstr(names[i], ".gif") != NULL ? 8.0 : 4.0);
}

TEST(a_picture_is_upright_first)
{
	assert_same("rotated.jpg", (struct cut_wish){ 0, 0, 0, 0, 100, 100 }, 3.0);
	assert_same("rotated.jpg", (struct cut_wish){ 60, 40, 10, 100, 60, 40 }, 3.0);
	assert_same("rotated.jpg", (struct cut_wish){ 200, 90, -20, 130, 50, 45 }, 3.0);
}

/* The bytes of an image of vips, as `suffix` has it. */
static struct span save(VipsImage *image, const char *suffix)
{
	void *out;
	size_t len;

	if (vips_image_write_to_buffer(image, suffix, &out, &len, NULL) != 0)
		fail_msg("%s", vips_error_buffer());
	return span_of(out, len);
}

static VipsImage *load_photo(const char *name)
{
	struct span bytes = photo(name);
	VipsImage *image, *copy;

	start();
	image = vips_image_new_from_buffer(bytes.data, bytes.len, "", NULL);
	assert_non_null(image);
	assert_int_equal(vips_copy(image, &copy, NULL), 0);
	g_object_unref(image);
	return copy;
}

static double difference_of(struct span bytes, struct cut_wish wish)
{
	struct picture_facts made;
	struct pixels source = pixels_of(bytes);
	struct pixels got = pixels_of(cut_with(&rules, bytes, wish, &made));
	double difference = mean_difference(source, got, wish);

	pixels_free(&source);
	pixels_free(&got);
	return difference;
}

TEST(all_eight_orientations_are_upright_first)
{
	static const struct cut_wish wishes[] = { { 200, 300, 33, 21, 100, 150 },
		{ 400, 300, 300, -50, 40, 30 }, { 0, 0, 0, 0, 80, 80 } };

	for (int turned = 1; turned <= 8; turned++) {
		VipsImage *image = load_photo("seeding-43k.jpg");
		struct span bytes;

		vips_image_set_int(image, VIPS_META_ORIENTATION, turned);
		bytes = save(image, ".jpg[Q=95]");
		g_object_unref(image);
		for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
			double difference = difference_of(bytes, wishes[i]);

			if (difference > 4)
				fail_msg("orientation %d, wish %zu: differs by %.2f", turned, i,
					difference);
		}
		g_free((void *)(uintptr_t)bytes.data);
	}
}

TEST(cmyk_becomes_rgb)
{
	VipsImage *image = load_photo("seeding-43k.jpg"), *cmyk;
	struct picture_facts made;
	struct pixels got;
	struct span bytes;

	assert_int_equal(
		vips_icc_transform(image, &cmyk, "cmyk", "input_profile", "srgb", NULL), 0);
	bytes = save(cmyk, ".jpg[Q=95]");
	assert_true(difference_of(bytes, (struct cut_wish){ 400, 300, 300, -50, 40, 30 }) < 5);
	got = pixels_of(cut_with(&rules, bytes, (struct cut_wish){ 0, 0, 0, 0, 90, 90 }, &made));
	pixels_free(&got);
	g_object_unref(cmyk);
	g_object_unref(image);
	g_free((void *)(uintptr_t)bytes.data);
}

TEST(sixteen_bits_become_eight)
{
	VipsImage *image = load_photo("photo.png"), *wide;
	struct picture_facts made;
	struct span bytes, result;
	VipsImage *got;

	assert_int_equal(vips_colourspace(image, &wide, VIPS_INTERPRETATION_RGB16, NULL), 0);
	bytes = save(wide, ".png");
	assert_true(difference_of(bytes, (struct cut_wish){ 0, 0, 0, 0, 40, 40 }) < 3);
	result = cut_with(&rules, bytes, (struct cut_wish){ 0, 0, 0, 0, 40, 40 }, &made);
	got = vips_image_new_from_buffer(result.data, result.len, "", NULL);
	assert_int_equal(got->BandFmt, VIPS_FORMAT_UCHAR);
	g_object_unref(got);
	g_object_unref(wide);
	g_object_unref(image);
	g_free((void *)(uintptr_t)bytes.data);
}

/* 100 x 100 pixels of red, the right half of them clear. */
static VipsImage *half_clear(void)
{
	uint8_t *pixels = g_malloc(100 * 100 * 4);
	VipsImage *image;

	start();
	for (int i = 0; i < 100 * 100; i++) {
		const uint8_t red[] = { 255, 0, 0, 255 }, clear[] = { 0, 0, 255, 0 };

		memcpy(pixels + (size_t)i * 4, i % 100 < 50 ? red : clear, 4);
	}
	image = vips_image_new_from_memory_copy(
		pixels, 100 * 100 * 4, 100, 100, 4, VIPS_FORMAT_UCHAR);
	image->Type = VIPS_INTERPRETATION_sRGB;
	g_free(pixels);
	return image;
}

static void assert_pixel(VipsImage *image, int x, int y, int r, int g, int b, int a)
{
	const int want[] = { r, g, b, a };
	double *got;
	int count;

	assert_int_equal(vips_getpoint(image, &got, &count, x, y, NULL), 0);
	assert_int_equal(count, 4);
	for (int i = 0; i < 4; i++)
		if (fabs(got[i] - want[i]) > 6)
			fail_msg("pixel %d,%d is %.0f %.0f %.0f %.0f, not %d %d %d %d", x, y,
				got[0], got[1], got[2], got[3], r, g, b, a);
	g_free(got);
}

TEST(transparency_stays_and_the_outside_is_white)
{
	static const char *const suffixes[] = { ".png", ".webp[lossless]" };
	VipsImage *image = half_clear();

	for (int i = 0; i < 2; i++) {
		struct span bytes = save(image, suffixes[i]);
		struct picture_facts made;
		struct span result = cut_with(
			&rules, bytes, (struct cut_wish){ 200, 100, 0, 0, 40, 20 }, &made);
		VipsImage *got = vips_image_new_from_buffer(result.data, result.len, "", NULL);

		assert_pixel(got, 2, 10, 255, 0, 0, 255);
		assert_pixel(got, 30, 10, 255, 255, 255, 255);
		assert_pixel(got, 39, 19, 255, 255, 255, 255);
		{
			double *clear;
			int count;

			assert_int_equal(vips_getpoint(got, &clear, &count, 15, 10, NULL), 0);
			assert_int_equal((int)clear[3], 0);
			g_free(clear);
		}
		g_object_unref(got);
		g_free((void *)(uintptr_t)bytes.data);
	}
	g_object_unref(image);
}

TEST(nothing_but_pixels_is_left)
{
	VipsImage *image = load_photo("seeding-43k.jpg"), *got;
	struct picture_facts made;
	struct span bytes, result;

	vips_image_set_int(image, VIPS_META_ORIENTATION, 6);
	vips_image_set_string(image, "exif-ifd3-GPSLatitude", "52/1 31/1 12/1 (52, 31, 12)");
	bytes = save(image, ".jpg[profile=p3]");
	assert_non_null(memmem(bytes.data, bytes.len, "Exif", 4));
	assert_non_null(memmem(bytes.data, bytes.len, "ICC_PROFILE", 11));
	result = cut_with(&rules, bytes, (struct cut_wish){ 0, 0, 0, 0, 90, 90 }, &made);
	assert_null(memmem(result.data, result.len, "Exif", 4));
	assert_null(memmem(result.data, result.len, "ICC_PROFILE", 11));
	got = vips_image_new_from_buffer(result.data, result.len, "", NULL);
	assert_int_equal(vips_image_get_orientation(got), 1);
	g_object_unref(got);
	g_object_unref(image);
	g_free((void *)(uintptr_t)bytes.data);
}

TEST(colours_of_a_wide_profile_become_srgb)
{
	VipsImage *image, *wide, *got;
	uint8_t pixels[32 * 32 * 3];
	struct picture_facts made;
	struct span bytes, result;
	double *point;
	int count;

	start();
	for (size_t i = 0; i < sizeof pixels; i++)
		pixels[i] = i % 3 == 0 ? 234 : i % 3 == 1 ? 51 : 35; /* red of sRGB, said in P3 */
	image = vips_image_new_from_memory_copy(
		pixels, sizeof pixels, 32, 32, 3, VIPS_FORMAT_UCHAR);
	image->Type = VIPS_INTERPRETATION_sRGB;
	assert_int_equal(vips_copy(image, &wide, NULL), 0);
	{
		VipsBlob *profile;
		const void *data;
		size_t len;

		assert_int_equal(vips_profile_load("p3", &profile, NULL), 0);
		data = vips_blob_get(profile, &len);
		vips_image_set_blob_copy(wide, VIPS_META_ICC_NAME, data, len);
		vips_area_unref((VipsArea *)profile);
	}
	bytes = save(wide, ".png");
	result = cut_with(&rules, bytes, (struct cut_wish){ 0, 0, 0, 0, 8, 8 }, &made);
	got = vips_image_new_from_buffer(result.data, result.len, "", NULL);
	assert_int_equal(vips_getpoint(got, &point, &count, 4, 4, NULL), 0);
	assert_true(point[0] > 245 && point[1] < 25 && point[2] < 25);
	g_free(point);
	g_object_unref(got);
	g_object_unref(wide);
	g_object_unref(image);
	g_free((void *)(uintptr_t)bytes.data);
}

TEST(an_animation_is_cut_to_its_first_frame_or_to_all)
{
	static const char *const names[] = { "animated.gif", "animated.webp" };

	for (int i = 0; i < 2; i++) {
		struct span bytes = photo(names[i]), result;
		struct cut_rules all = rules;
		struct picture_facts made, facts;
		struct err err = { 0 };
		VipsImage *header;

		start();
		all.animated = true;
		assert_int_equal(picture_open(&rules.limits, bytes, &facts, &header, &err), 0);
		g_object_unref(header);
		assert_true(facts.frames > 1);
		result = cut_with(&rules, bytes, (struct cut_wish){ 0, 0, 0, 0, 20, 20 }, &made);
		assert_int_equal(made.frames, 1);
		result = cut_with(&all, bytes, (struct cut_wish){ 0, 0, 0, 0, 20, 20 }, &made);
		assert_int_equal(made.frames, facts.frames);
		assert_int_equal(picture_open(&rules.limits, result, &made, &header, &err), 0);
		assert_int_equal(made.frames, facts.frames);
		g_object_unref(header);
	}
}

static enum err_code code_of(struct span bytes, struct cut_wish wish)
{
	struct picture_facts made;
	struct err err = { 0 };

	start();
	if (cut_make(&rules, bytes, &wish, room, sizeof room, &made, &err) > 0)
		return ERR_NONE;
	assert_true(err.text[0] != '\0');
	return err.code;
}

TEST(what_cannot_be_cut_is_refused)
{
	struct span bytes = photo("seeding-43k.jpg");
	struct cut_wish small = { 0, 0, 0, 0, 10, 10 };

	assert_int_equal(code_of(bytes, (struct cut_wish){ 9, 9, 0, 0, 0, 9 }), ERR_BAD_REQUEST);
	assert_int_equal(code_of(bytes, (struct cut_wish){ 9, 9, 0, 0, 9, 0 }), ERR_BAD_REQUEST);
	assert_int_equal(
		code_of(bytes, (struct cut_wish){ 9, 9, 0, 0, UINT32_MAX, 1 }), ERR_TOO_LARGE);
	assert_int_equal(code_of(bytes, (struct cut_wish){ 9, 9, 0, 0, UINT32_MAX, UINT32_MAX }),
		ERR_TOO_LARGE);
	assert_int_equal(
		code_of(bytes, (struct cut_wish){ 9, 9, 0, 0, 2001, 2000 }), ERR_TOO_LARGE);
	assert_int_equal(code_of(bytes, (struct cut_wish){ UINT32_MAX, UINT32_MAX, INT32_MIN,
						INT32_MIN, 16, 16 }),
		ERR_NONE);
	assert_int_equal(code_of(SPAN("GIF89"), small), ERR_NOT_A_PICTURE);
	assert_int_equal(code_of(span_of(bytes.data, bytes.len / 2), small), ERR_TRUNCATED);
	assert_int_equal(code_of(span_of(bytes.data, 300), small), ERR_TRUNCATED);
}
