#include "image/cut_rows.h"

#include <stdlib.h>

enum {
	STRIP_LINES = 16,
	SIDE_LEAST = 8, /* pixels that a picture keeps when it is shrunk while it is decoded */
};

/* By which a WebP is shrunk while it is decoded. */
static double webp_scale(const struct cut_plan *plan, bool animated)
{
	uint32_t side = plan->x.size < plan->y.size ? plan->x.size : plan->y.size;
	/* NOLINTNEXTLINE(bugprone-integer-division): whole numbers are meant */
	double factor = cut_plan_factor(plan), most = side / SIDE_LEAST;

	/* A rectangle that is much larger than the picture wants hardly any of its pixels. */
	if (factor > most)
		factor = most;
	return animated || factor < 2 ? 1.0 : 1 / (double)(int64_t)factor;
}

static int load(const struct cut_rows *rows, struct span bytes, const struct cut_plan *plan,
	bool animated, VipsImage **image)
{
	void *data = (void *)(uintptr_t)bytes.data; /* libvips only reads it */
	int frames = animated ? -1 : 1;

	switch (rows->format) {
	case PICTURE_JPEG:
		return vips_jpegload_buffer(data, bytes.len, image, "shrink", cut_plan_shrink(plan),
			"access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
	case PICTURE_PNG:
		return vips_pngload_buffer(data, bytes.len, image, "access", VIPS_ACCESS_SEQUENTIAL,
			"fail_on", VIPS_FAIL_ON_ERROR, NULL);
	case PICTURE_GIF:
		return vips_gifload_buffer(data, bytes.len, image, "n", frames, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
	case PICTURE_WEBP:
		return vips_webpload_buffer(data, bytes.len, image, "n", frames, "scale",
			webp_scale(plan, animated), "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
			VIPS_FAIL_ON_ERROR, NULL);
	case PICTURE_AVIF:
	case PICTURE_HEIC:
		return vips_heifload_buffer(data, bytes.len, image, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
	case PICTURE_NONE:
	case PICTURE_FORMATS:
		break;
	}
	return -1;
}

/* Bytes, in a colour space that a profile can be applied to. */
static int normalise(VipsImage **image)
{
	VipsImage *now = NULL;
	int result = 0;

	switch ((*image)->Type) {
	case VIPS_INTERPRETATION_B_W:
	case VIPS_INTERPRETATION_sRGB:
	case VIPS_INTERPRETATION_RGB:
	case VIPS_INTERPRETATION_CMYK:
	case VIPS_INTERPRETATION_RGB16:
	case VIPS_INTERPRETATION_GREY16:
		if ((*image)->BandFmt != VIPS_FORMAT_UCHAR)
			result = vips_cast(*image, &now, VIPS_FORMAT_UCHAR, "shift", TRUE, NULL);
		break;
	default:
		result = vips_colourspace(*image, &now, VIPS_INTERPRETATION_sRGB, NULL);
		break;
	}
	if (now != NULL) {
		g_object_unref(*image);
		*image = now;
	}
	return result;
}

static bool open_jpeg(struct cut_rows *rows, struct span bytes, const struct cut_plan *plan)
{
	rows->jpeg = (struct cut_jpeg_in){ .bytes = bytes, .shrink = cut_plan_shrink(plan) };
	if (!cut_jpeg_look(&rows->jpeg))
		return false;
	rows->is_jpeg = true;
	rows->width = rows->jpeg.width;
	rows->height = rows->jpeg.height;
	rows->channels = rows->jpeg.channels;
	rows->frames = 1;
	return true;
}

int cut_rows_open(struct cut_rows *rows, struct span bytes, const struct picture_facts *facts,
	const struct cut_plan *plan, bool animated, struct err *err)
{
	*rows = (struct cut_rows){ .format = facts->format };
	if (facts->format == PICTURE_JPEG && open_jpeg(rows, bytes, plan))
		return 0;
	if (load(rows, bytes, plan, animated && facts->frames > 1, &rows->image) != 0 ||
		normalise(&rows->image) != 0)
		return picture_damaged(err, facts->format, "cannot be read");
	rows->width = (uint32_t)vips_image_get_width(rows->image);
	rows->height = (uint32_t)vips_image_get_page_height(rows->image);
	rows->frames = (uint32_t)vips_image_get_height(rows->image) / rows->height;
	rows->channels = vips_image_get_bands(rows->image);
	rows->cmyk = rows->image->Type == VIPS_INTERPRETATION_CMYK;
	rows->alpha = !rows->cmyk && (rows->channels == 2 || rows->channels == 4);
	if (rows->channels > 4 || rows->image->BandFmt != VIPS_FORMAT_UCHAR)
		return err_set(err, ERR_TRUNCATED, "the %s has channels that are not known",
			picture_name(facts->format));
	return 0;
}

void cut_rows_close(struct cut_rows *rows)
{
	if (rows->image != NULL)
		g_object_unref(rows->image);
	rows->image = NULL;
}

static void put(void *context, const uint8_t *pixels)
{
	cut_scale_put(context, pixels);
}

int cut_rows_feed(struct cut_rows *rows, uint32_t frame, struct cut_scale *scale, struct err *err)
{
	struct cut_run columns = cut_scale_columns(scale), needed = cut_scale_rows(scale);
	int base = (int)(frame * rows->height), bottom = base + (int)needed.to;
	VipsRegion *region;
	int result = 0;

	if (needed.from == needed.to || columns.from == columns.to)
		return 0;
	if (rows->is_jpeg)
		return cut_jpeg_read(&rows->jpeg, columns.from, columns.to, needed.from, needed.to,
			put, scale, err);
	region = vips_region_new(rows->image);
	for (int top = base + (int)needed.from; result == 0 && top < bottom; top += STRIP_LINES) {
		VipsRect strip = { (int)columns.from, top, (int)(columns.to - columns.from),
			VIPS_MIN(STRIP_LINES, bottom - top) };

		result = vips_region_prepare(region, &strip);
		for (int y = top; result == 0 && y < top + strip.height; y++)
			cut_scale_put(scale, VIPS_REGION_ADDR(region, strip.left, y));
	}
	g_object_unref(region);
	if (result != 0)
		return picture_damaged(err, rows->format, "is cut off or damaged");
	return 0;
}
