#include "image/picture_probe.h"

#include <string.h>
#include <vips/vips.h>

#include <vips/vector.h> /* does not stand alone */

enum { STRIP_LINES = 64 };

static const struct {
	const char *loader; /* its class, with all that it reads from */
	const char *reader; /* the one that reads from memory */
} loaders[PICTURE_FORMATS] = {
	[PICTURE_JPEG] = { "VipsForeignLoadJpeg", "VipsForeignLoadJpegBuffer" },
	[PICTURE_PNG] = { "VipsForeignLoadPng", "VipsForeignLoadPngBuffer" },
	[PICTURE_GIF] = { "VipsForeignLoadNsgif", "VipsForeignLoadNsgifBuffer" },
	[PICTURE_WEBP] = { "VipsForeignLoadWebp", "VipsForeignLoadWebpBuffer" },
	[PICTURE_AVIF] = { "VipsForeignLoadHeif", "VipsForeignLoadHeifBuffer" },
	[PICTURE_HEIC] = { "VipsForeignLoadHeif", "VipsForeignLoadHeifBuffer" },
};

/* Decoders warn about what the check finds out anyway. */
static GLogWriterOutput say_nothing(
	GLogLevelFlags level, const GLogField *fields, gsize count, gpointer context)
{
	(void)level;
	(void)fields;
	(void)count;
	(void)context;
	return G_LOG_WRITER_HANDLED;
}

unsigned picture_probe_init(unsigned formats, struct err *err)
{
	unsigned found = 0;

	g_log_set_writer_func(say_nothing, NULL, NULL);
	if (VIPS_INIT("picstore") != 0) {
		err_set(err, ERR_INTERNAL, "libvips does not start: %s", vips_error_buffer());
		return 0;
	}
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	vips_vector_set_enabled(FALSE); /* it makes code at run time */
	vips_block_untrusted_set(TRUE);
	vips_operation_block_set("VipsForeignLoad", TRUE);
	for (int format = PICTURE_NONE + 1; format < PICTURE_FORMATS; format++) {
		GType type = g_type_from_name(loaders[format].reader);

		if ((formats & 1u << format) == 0 || type == 0)
			continue;
		vips_operation_block_set(loaders[format].loader, FALSE);
		g_type_class_ref(type); /* set up once here, rather than in every worker */
		found |= 1u << format;
	}
	if (found == 0)
		err_set(err, ERR_INTERNAL, "this libvips reads none of the accepted formats");
	return found;
}

int picture_damaged(struct err *err, enum picture_format format, const char *what)
{
	char reason[128];

	g_strlcpy(reason, vips_error_buffer(), sizeof reason);
	vips_error_clear();
	reason[strcspn(reason, "\r\n")] = '\0';
	return err_set(err, ERR_TRUNCATED, "the %s %s: %s", picture_name(format), what,
		reason[0] != '\0' ? reason : "it is damaged");
}

static VipsImage *open_picture(enum picture_format format, struct span bytes)
{
	void *data = (void *)(uintptr_t)bytes.data; /* libvips only reads it */
	VipsImage *image = NULL;
	int result = -1;

	switch (format) {
	case PICTURE_JPEG:
		result = vips_jpegload_buffer(data, bytes.len, &image, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
		break;
	case PICTURE_PNG:
		result = vips_pngload_buffer(data, bytes.len, &image, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
		break;
	case PICTURE_GIF:
		result = vips_gifload_buffer(data, bytes.len, &image, "n", -1, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
		break;
	case PICTURE_WEBP:
		result = vips_webpload_buffer(data, bytes.len, &image, "n", -1, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
		break;
	case PICTURE_AVIF:
	case PICTURE_HEIC:
		result = vips_heifload_buffer(data, bytes.len, &image, "access",
			VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
		break;
	case PICTURE_NONE:
	case PICTURE_FORMATS:
		break;
	}
	return result == 0 ? image : NULL;
}

/* Is there a field of that name, and not 0?  libvips gives "jpeg-multiscan" to every JPEG. */
static bool is_set(VipsImage *image, const char *field)
{
	int value = 0;

	return vips_image_get_typeof(image, field) != 0 &&
	       (vips_image_get_int(image, field, &value) != 0 || value != 0);
}

/* Pictures that a decoder has to hold in memory as a whole. */
static bool is_whole(enum picture_format format, VipsImage *image)
{
	return (format != PICTURE_JPEG && format != PICTURE_PNG) || is_set(image, "interlaced") ||
	       is_set(image, "jpeg-multiscan");
}

static int check_limits(const struct picture_limits *limits, uint64_t width, uint64_t height,
	uint64_t frames, bool whole, struct err *err)
{
	if (width > limits->max_width || height > limits->max_height)
		return err_set(err, ERR_PIXEL_BOMB,
			"the picture has %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT
			" pixels, %u x %u are the most",
			width, height, limits->max_width, limits->max_height);
	if (frames > limits->max_frames)
		return err_set(err, ERR_PIXEL_BOMB,
			"the picture has %" G_GUINT64_FORMAT " frames, %u are the most", frames,
			limits->max_frames);
	if (width * height > limits->max_pixels / frames)
		return err_set(err, ERR_PIXEL_BOMB,
			"the picture has %" G_GUINT64_FORMAT " pixels in %" G_GUINT64_FORMAT
			" frames, %" G_GUINT64_FORMAT " are the most",
			width * height * frames, frames, limits->max_pixels);
	if (whole && width * height > limits->max_pixels_progressive)
		return err_set(err, ERR_PIXEL_BOMB,
			"the picture has %" G_GUINT64_FORMAT
			" pixels to decode at once, %" G_GUINT64_FORMAT " are the most",
			width * height, limits->max_pixels_progressive);
	return 0;
}

/* Read every pixel, strip by strip, and keep none. */
static int decode(VipsImage *image)
{
	VipsRegion *region = vips_region_new(image);
	int result = 0;

	for (int top = 0; result == 0 && top < image->Ysize; top += STRIP_LINES) {
		VipsRect strip = { 0, top, image->Xsize,
			VIPS_MIN(STRIP_LINES, image->Ysize - top) };

		result = vips_region_prepare(region, &strip);
	}
	g_object_unref(region);
	return result;
}

static int check_image(const struct picture_limits *limits, VipsImage *image,
	struct picture_facts *facts, struct err *err)
{
	int pages = vips_image_get_n_pages(image);
	int width = vips_image_get_width(image);
	int height = vips_image_get_page_height(image);

	if (pages < 1 || width < 1 || height < 1)
		return err_set(err, ERR_TRUNCATED, "the picture has no pixels");
	if (check_limits(limits, (uint64_t)width, (uint64_t)height, (uint64_t)pages,
		    is_whole(facts->format, image), err) < 0)
		return -1;
	facts->frames = (uint32_t)pages;
	facts->width = (uint32_t)width;
	facts->height = (uint32_t)height;
	if (vips_image_get_orientation_swap(image)) {
		facts->width = (uint32_t)height;
		facts->height = (uint32_t)width;
	}
	return 0;
}

/* What the first bytes declare.  Decoders may see that otherwise: libpng calls what is
 * over its own limits damage, libnsgif mends screens that look too large. */
static int check_declared(const struct picture_limits *limits, enum picture_format format,
	struct span bytes, struct err *err)
{
	uint32_t width = 1, height = 1;

	if (format == PICTURE_PNG && bytes.len >= 24) {
		width = load_be32(bytes.data + 16);
		height = load_be32(bytes.data + 20);
	} else if (format == PICTURE_GIF && bytes.len >= 10) {
		width = load_le16(bytes.data + 6);
		height = load_le16(bytes.data + 8);
	}
	return check_limits(limits, width, height, 1, false, err);
}

/* Pass over the sub-blocks of a GIF; NULL if they do not end. */
static const uint8_t *skip_blocks(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != 0) {
		if (end - at <= *at)
			return NULL;
		at += 1 + *at;
	}
	return at < end ? at + 1 : NULL;
}

/* True if the blocks of a GIF follow each other to the trailer, or to the end of the
 * bytes. */
static bool gif_is_whole(struct span bytes)
{
	enum { HEAD = 13, DESCRIPTOR = 10, TABLE = 0x80 };
	const uint8_t *at = bytes.data + HEAD, *end = bytes.data + bytes.len;

	if (bytes.len < HEAD)
		return false;
	if ((bytes.data[10] & TABLE) != 0) {
		if (end - at < 6 << (bytes.data[10] & 7))
			return false;
		at += 6 << (bytes.data[10] & 7); /* 3 bytes for each of 2 << n colours */
	}
	while (at != NULL && at < end && *at != 0x3b) {
		if (*at == 0x21 && end - at >= 2) {
			at = skip_blocks(at + 2, end);
		} else if (*at == 0x2c && end - at > DESCRIPTOR) {
			ptrdiff_t table = (at[9] & TABLE) != 0 ? 6 << (at[9] & 7) : 0;

			if (end - at < DESCRIPTOR + table + 1)
				return false;
			at = skip_blocks(at + DESCRIPTOR + table + 1, end);
		} else {
			return false;
		}
	}
	return at != NULL;
}

/* True if the chunks of a PNG (length u32 big endian, type, content, CRC u32) follow each
 * other to the last one.  Decoders have all pixels before they come to it. */
static bool png_is_whole(struct span bytes)
{
	enum { MAGIC = 8, AROUND = 12 };

	for (size_t at = MAGIC; bytes.len - at >= AROUND;) {
		size_t len = load_be32(bytes.data + at);

		if (len > bytes.len - at - AROUND)
			return false;
		if (memcmp(bytes.data + at + 4, "IEND", 4) == 0)
			return true;
		at += AROUND + len;
	}
	return false;
}

/* Decoders show the frames that they find, and do not say that some are cut off. */
static bool is_complete(enum picture_format format, struct span bytes)
{
	if (format == PICTURE_PNG)
		return png_is_whole(bytes);
	if (format == PICTURE_GIF)
		return gif_is_whole(bytes);
	if (format == PICTURE_WEBP) /* the length of all that follows stands behind "RIFF" */
		return bytes.len - 8 >= load_le32(bytes.data + 4);
	return true;
}

int picture_open(const struct picture_limits *limits, struct span bytes,
	struct picture_facts *facts, VipsImage **image, struct err *err)
{
	struct picture_facts found = { .format = picture_sniff(bytes) };

	if (found.format == PICTURE_NONE)
		return err_set(
			err, ERR_NOT_A_PICTURE, "the bytes are no picture of a known format");
	if ((limits->formats & 1u << found.format) == 0)
		return err_set(err, ERR_NOT_A_PICTURE, "%s is not accepted here",
			picture_name(found.format));
	if (!is_complete(found.format, bytes))
		return err_set(err, ERR_TRUNCATED, "the %s is cut off or damaged",
			picture_name(found.format));
	if (check_declared(limits, found.format, bytes, err) < 0)
		return -1;
	*image = open_picture(found.format, bytes);
	if (*image == NULL)
		return picture_damaged(err, found.format, "cannot be read");
	if (check_image(limits, *image, &found, err) < 0) {
		g_object_unref(*image);
		return -1;
	}
	*facts = found;
	return 0;
}

int picture_probe(const struct picture_limits *limits, struct span bytes,
	struct picture_facts *facts, struct err *err)
{
	struct picture_facts found;
	VipsImage *image;
	int result = picture_open(limits, bytes, &found, &image, err);

	if (result < 0)
		return -1;
	if (limits->decode && decode(image) != 0)
		result = picture_damaged(err, found.format, "is cut off or damaged");
	g_object_unref(image);
	vips_error_clear();
	if (result == 0)
		*facts = found;
	return result;
}
