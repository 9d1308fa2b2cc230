#include "image/cut_make.h"

#include "image/cut_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The result on its way: upright, sRGB or grey, 8 bits. */
struct canvas {
	uint8_t *pixels;
	int colours;   /* 1 or 3 */
	bool alpha;    /* one more channel */
	size_t stride; /* bytes of a pixel */
	uint32_t frames;
};

struct cut {
	const struct cut_rules *rules;
	struct picture_facts source;
	struct cut_plan plan;
	VipsImage *header; /* of the source, for what stands in it */
	struct cut_rows rows;
	struct canvas canvas;
	const void *profile; /* ICC, NULL: none that matters */
	size_t profile_len;
};

/* Does this profile say what is assumed without one? */
static bool is_srgb(const void *profile, size_t len)
{
	static const char name[] = "sRGB IEC61966-2";

	return memmem(profile, len, name, sizeof name - 1) != NULL;
}

static void read_profile(struct cut *cut)
{
	if (vips_image_get_typeof(cut->header, VIPS_META_ICC_NAME) == 0 ||
		vips_image_get_blob(
			cut->header, VIPS_META_ICC_NAME, &cut->profile, &cut->profile_len) != 0)
		return;
	if (!cut->rows.cmyk && is_srgb(cut->profile, cut->profile_len))
		cut->profile = NULL;
}

/* Convert scaled pixels to sRGB: a new memory that the caller g_frees, its channels in
 * `*channels`; NULL if that cannot be done. */
static uint8_t *to_srgb(const struct cut *cut, const uint8_t *pixels, uint32_t width,
	uint32_t height, int *channels)
{
	size_t len = (size_t)width * height * (size_t)*channels;
	VipsImage *image = vips_image_new_from_memory(
		pixels, len, (int)width, (int)height, *channels, VIPS_FORMAT_UCHAR);
	VipsImage *converted = NULL;
	uint8_t *out = NULL;

	if (image == NULL)
		return NULL;
	image->Type = cut->rows.cmyk   ? VIPS_INTERPRETATION_CMYK
		      : *channels <= 2 ? VIPS_INTERPRETATION_B_W
				       : VIPS_INTERPRETATION_sRGB;
	if (cut->profile != NULL)
		vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, cut->profile, cut->profile_len);
	if (vips_icc_transform(image, &converted, "srgb", "embedded", TRUE, "input_profile",
		    cut->rows.cmyk ? "cmyk" : "srgb", "intent", VIPS_INTENT_PERCEPTUAL,
		    NULL) == 0 &&
		converted->BandFmt == VIPS_FORMAT_UCHAR) {
		*channels = converted->Bands;
		out = vips_image_write_to_memory(converted, &len);
	}
	if (converted != NULL)
		g_object_unref(converted);
	g_object_unref(image);
	vips_error_clear();
	return out;
}

/* CMYK without the tables of colour management; a last resort. */
static uint8_t *from_cmyk(const uint8_t *pixels, size_t count, int *channels)
{
	uint8_t *out = g_malloc(count * 3);

	for (size_t i = 0; i < count; i++, pixels += 4)
		for (int c = 0; c < 3; c++)
			out[i * 3 + (size_t)c] = (uint8_t)((255 - pixels[c]) * (255 - pixels[3]) /
							   255);
	*channels = 3;
	return out;
}

/* Where on the canvas the pixel (x, y) of the plan goes, turned upright. */
static uint8_t *place(const struct cut *cut, uint32_t frame, uint32_t x, uint32_t y)
{
	const struct cut_plan *plan = &cut->plan;
	uint32_t column = plan->swap ? y : x, row = plan->swap ? x : y;

	if (plan->mirror_x)
		column = plan->width - 1 - column;
	if (plan->mirror_y)
		row = plan->height - 1 - row;
	return cut->canvas.pixels +
	       (((size_t)frame * plan->height + row) * plan->width + column) * cut->canvas.stride;
}

/* Paint a pixel over white, which shows as far as the picture does not cover it, and
 * through it where alpha cannot be kept. */
static void paint(
	const struct canvas *canvas, uint8_t *out, const uint8_t *in, bool has_alpha, float cover)
{
	float alpha = has_alpha ? (float)in[canvas->colours] / 255 : 1;
	float share = cover * alpha, total = share + (1 - cover);

	if (!has_alpha && cover >= 1) {
		memcpy(out, in, (size_t)canvas->colours);
		return;
	}
	if (!canvas->alpha)
		total = 1;
	for (int c = 0; c < canvas->colours; c++) {
		float value = total > 0 ? (share * in[c] + (total - share) * 255) / total : 255;

		out[c] = (uint8_t)(value + 0.5F);
	}
	if (canvas->alpha)
		out[canvas->colours] = (uint8_t)(total * 255 + 0.5F);
}

/* Make the canvas when the first frame tells how many colours it has. */
static void make_canvas(struct cut *cut, int channels)
{
	struct canvas *canvas = &cut->canvas;
	size_t len;

	canvas->colours = channels <= 2 ? 1 : 3;
	canvas->alpha = cut->rows.alpha && cut->source.format != PICTURE_JPEG;
	canvas->stride = (size_t)canvas->colours + canvas->alpha;
	canvas->frames = cut->rows.frames;
	len = (size_t)cut->plan.width * cut->plan.height * canvas->frames * canvas->stride;
	canvas->pixels = malloc(len);
	assert(canvas->pixels != NULL);
	memset(canvas->pixels, 255, len);
}

static int paint_frame(
	struct cut *cut, uint32_t frame, const struct cut_scale *scale, struct err *err)
{
	struct cut_run columns = cut_scale_out_columns(scale), rows = cut_scale_out_rows(scale);
	uint32_t width = columns.to - columns.from, height = rows.to - rows.from;
	const uint8_t *in = cut_scale_out(scale);
	uint8_t *converted = NULL;
	int channels = cut->rows.channels;

	if (width > 0 && height > 0 && (cut->rows.cmyk || cut->profile != NULL))
		converted = to_srgb(cut, in, width, height, &channels);
	if (converted == NULL && cut->rows.cmyk)
		converted = from_cmyk(in, (size_t)width * height, &channels);
	if (converted != NULL)
		in = converted;
	if (cut->canvas.pixels == NULL)
		make_canvas(cut, channels);
	if (channels != cut->canvas.colours + cut->rows.alpha) {
		g_free(converted);
		return err_set(err, ERR_TRUNCATED, "the frames of the %s differ",
			picture_name(cut->source.format));
	}
	for (uint32_t y = rows.from; y < rows.to; y++)
		for (uint32_t x = columns.from; x < columns.to; x++, in += channels)
			paint(&cut->canvas, place(cut, frame, x, y), in, cut->rows.alpha,
				cut_scale_cover_x(scale, x) * cut_scale_cover_y(scale, y));
	g_free(converted);
	return 0;
}

static int make_frames(struct cut *cut, struct err *err)
{
	struct cut_scale_conf conf = {
		.x = cut->plan.x,
		.y = cut->plan.y,
		.width = cut->rows.width,
		.height = cut->rows.height,
		.load_x = (double)cut->rows.width / cut->plan.x.size,
		.load_y = (double)cut->rows.height / cut->plan.y.size,
		.channels = cut->rows.channels,
		.alpha = cut->rows.alpha,
	};
	int result = 0;

	if (cut->source.format == PICTURE_JPEG) /* its last column may stand for less */
		conf.load_x = conf.load_y = 1.0 / cut_plan_shrink(&cut->plan);
	for (uint32_t frame = 0; result == 0 && frame < cut->rows.frames; frame++) {
		struct cut_scale *scale = cut_scale_new(&conf);

		result = cut_rows_feed(&cut->rows, frame, scale, err);
		if (result == 0)
			result = paint_frame(cut, frame, scale, err);
		cut_scale_free(scale);
	}
	return result;
}

static void copy_animation(const struct cut *cut, VipsImage *image)
{
	int *delays, count, loop;

	vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, (int)cut->plan.height);
	if (vips_image_get_typeof(cut->header, "delay") != 0 &&
		vips_image_get_array_int(cut->header, "delay", &delays, &count) == 0)
		vips_image_set_array_int(image, "delay", delays, count);
	if (vips_image_get_typeof(cut->header, "loop") != 0 &&
		vips_image_get_int(cut->header, "loop", &loop) == 0)
		vips_image_set_int(image, "loop", loop);
}

static int save(
	const struct cut *cut, struct span source, VipsImage *image, void **out, size_t *len)
{
	bool lossless = source.len >= 16 && memcmp(source.data + 12, "VP8L", 4) == 0;
	int quality = cut->rules->quality;

	switch (cut->source.format) {
	case PICTURE_PNG:
		return vips_pngsave_buffer(image, out, len, "filter", VIPS_FOREIGN_PNG_FILTER_ALL,
			"strip", TRUE, NULL);
	case PICTURE_GIF:
		return vips_gifsave_buffer(image, out, len, "strip", TRUE, NULL);
	case PICTURE_WEBP:
		return vips_webpsave_buffer(
			image, out, len, "Q", quality, "lossless", lossless, "strip", TRUE, NULL);
	case PICTURE_AVIF:
		return vips_heifsave_buffer(image, out, len, "Q", quality, "compression",
			VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "effort", 2, "strip", TRUE, NULL);
	case PICTURE_HEIC:
		return vips_heifsave_buffer(image, out, len, "Q", quality, "compression",
			VIPS_FOREIGN_HEIF_COMPRESSION_HEVC, "effort", 2, "strip", TRUE, NULL);
	case PICTURE_JPEG:
	case PICTURE_NONE:
	case PICTURE_FORMATS:
		break;
	}
	return -1;
}

static size_t write_out(
	const struct cut *cut, struct span source, uint8_t *room, size_t room_len, struct err *err)
{
	const struct canvas *canvas = &cut->canvas;
	uint32_t width = cut->plan.width, height = cut->plan.height * canvas->frames;
	void *out = NULL;
	VipsImage *image;
	size_t len = 0;
	int result;

	if (cut->source.format == PICTURE_JPEG)
		return cut_jpeg_write(canvas->pixels, width, height, canvas->colours,
			cut->rules->quality, room, room_len, err);
	image = vips_image_new_from_memory(canvas->pixels, canvas->stride * width * height,
		(int)width, (int)height, (int)canvas->stride, VIPS_FORMAT_UCHAR);
	if (image == NULL) {
		picture_damaged(err, cut->source.format, "cannot be written");
		return 0;
	}
	image->Type = canvas->colours == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
	if (canvas->frames > 1)
		copy_animation(cut, image);
	result = save(cut, source, image, &out, &len);
	g_object_unref(image);
	if (result != 0) {
		picture_damaged(err, cut->source.format, "cannot be written");
		return 0;
	}
	if (len > room_len) {
		err_set(err, ERR_TOO_LARGE, "the cut picture has %zu bytes, %zu are the most", len,
			room_len);
		len = 0;
	}
	memcpy(room, out, len);
	g_free(out);
	return len;
}

static int make_plan(struct cut *cut, const struct cut_wish *wish, struct err *err)
{
	uint32_t width = (uint32_t)vips_image_get_width(cut->header);
	uint32_t height = (uint32_t)vips_image_get_page_height(cut->header);
	uint64_t frames = cut->rules->animated ? cut->source.frames : 1;
	struct cut_plan *plan = &cut->plan;

	if (!cut_plan_make(wish, width, height, vips_image_get_orientation(cut->header), plan))
		return err_set(err, ERR_BAD_REQUEST, "a picture of %u x %u pixels makes no sense",
			wish->thumb_w, wish->thumb_h);
	if (plan->width > CUT_SIDE_MAX || plan->height > CUT_SIDE_MAX ||
		plan->width * (uint64_t)plan->height > cut->rules->max_pixels / frames)
		return err_set(err, ERR_TOO_LARGE,
			"a cut of %u x %u pixels is too large: %llu pixels are the most, and "
			"%d along a side",
			plan->width, plan->height,
			(unsigned long long)(cut->rules->max_pixels / frames), CUT_SIDE_MAX);
	return 0;
}

size_t cut_make(const struct cut_rules *rules, struct span bytes, const struct cut_wish *wish,
	uint8_t *room, size_t room_len, struct picture_facts *made, struct err *err)
{
	struct cut cut = { .rules = rules };
	size_t len = 0;

	if (picture_open(&rules->limits, bytes, &cut.source, &cut.header, err) < 0)
		return 0;
	if (make_plan(&cut, wish, err) == 0 && cut_rows_open(&cut.rows, bytes, &cut.source,
						       &cut.plan, rules->animated, err) == 0) {
		read_profile(&cut);
		if (make_frames(&cut, err) == 0)
			len = write_out(&cut, bytes, room, room_len, err);
	}
	*made = (struct picture_facts){
		.format = cut.source.format,
		.width = cut.plan.width,
		.height = cut.plan.height,
		.frames = cut.canvas.frames,
	};
	free(cut.canvas.pixels);
	cut_rows_close(&cut.rows);
	g_object_unref(cut.header);
	vips_error_clear();
	return len;
}
