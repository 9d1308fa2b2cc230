#include "image/cut_jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h> /* does not stand alone */

#include <jerror.h>

struct trouble {
	struct jpeg_error_mgr mgr;
	jmp_buf back;
	char text[JMSG_LENGTH_MAX];
};

static _Noreturn void leave(j_common_ptr jpeg)
{
	struct trouble *trouble = (struct trouble *)jpeg->err;

	trouble->mgr.format_message(jpeg, trouble->text);
	longjmp(trouble->back, 1);
}

/* Bytes that end too early are a failure; lesser damage is what decoders put up with. */
static void hear(j_common_ptr jpeg, int level)
{
	if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF)
		leave(jpeg);
}

static void say_nothing(j_common_ptr jpeg)
{
	(void)jpeg;
}

static struct jpeg_error_mgr *trouble_init(struct trouble *trouble)
{
	jpeg_std_error(&trouble->mgr);
	trouble->mgr.error_exit = leave;
	trouble->mgr.emit_message = hear;
	trouble->mgr.output_message = say_nothing;
	return &trouble->mgr;
}

/* Begin to read `in`; true if rows of pixels can be had. */
static bool begin(struct jpeg_decompress_struct *jpeg, const struct cut_jpeg_in *in)
{
	jpeg_create_decompress(jpeg);
	jpeg_mem_src(jpeg, in->bytes.data, in->bytes.len);
	jpeg_read_header(jpeg, TRUE);
	if (jpeg->jpeg_color_space == JCS_GRAYSCALE)
		jpeg->out_color_space = JCS_GRAYSCALE;
	else if (jpeg->jpeg_color_space == JCS_YCbCr || jpeg->jpeg_color_space == JCS_RGB)
		jpeg->out_color_space = JCS_RGB;
	else
		return false;
	jpeg->scale_num = 1;
	jpeg->scale_denom = (unsigned)in->shrink;
	return true;
}

bool cut_jpeg_look(struct cut_jpeg_in *in)
{
	struct jpeg_decompress_struct jpeg = { 0 };
	struct trouble trouble;
	bool good;

	jpeg.err = trouble_init(&trouble);
	if (setjmp(trouble.back) != 0) {
		jpeg_destroy_decompress(&jpeg);
		return false;
	}
	good = begin(&jpeg, in);
	if (good) {
		jpeg_calc_output_dimensions(&jpeg);
		in->width = jpeg.output_width;
		in->height = jpeg.output_height;
		in->channels = jpeg.out_color_components;
	}
	jpeg_destroy_decompress(&jpeg);
	return good && (in->channels == 1 || in->channels == 3);
}

int cut_jpeg_read(const struct cut_jpeg_in *in, uint32_t left, uint32_t right, uint32_t from,
	uint32_t to, void (*put)(void *context, const uint8_t *pixels), void *context,
	struct err *err)
{
	enum { MARGIN = 16 }; /* columns at a border are not interpolated as others are */
	struct jpeg_decompress_struct jpeg = { 0 };
	struct trouble trouble;
	JSAMPROW row = malloc((size_t)in->width * (size_t)in->channels);
	JDIMENSION first = left > MARGIN ? left - MARGIN : 0, width;

	jpeg.err = trouble_init(&trouble);
	if (row == NULL)
		return err_set(err, ERR_TRUNCATED, "there is not enough memory for the jpeg");
	if (setjmp(trouble.back) != 0) {
		jpeg_destroy_decompress(&jpeg);
		free(row);
		return err_set(err, ERR_TRUNCATED, "the jpeg cannot be decoded: %s", trouble.text);
	}
	if (!begin(&jpeg, in))
		ERREXIT(&jpeg, JERR_CONVERSION_NOTIMPL);
	jpeg_start_decompress(&jpeg);
	if (jpeg.output_width != in->width || jpeg.output_height != in->height)
		ERREXIT(&jpeg, JERR_CONVERSION_NOTIMPL);
	width = right + MARGIN < in->width ? right + MARGIN - first : in->width - first;
	if (width < in->width / 4 * 3)
		jpeg_crop_scanline(&jpeg, &first, &width);
	else
		first = 0;
	if (from > 0)
		jpeg_skip_scanlines(&jpeg, from);
	for (uint32_t y = from; y < to; y++) {
		jpeg_read_scanlines(&jpeg, &row, 1);
		put(context, row + (size_t)(left - first) * (size_t)in->channels);
	}
	jpeg_destroy_decompress(&jpeg); /* the rest of it is not wanted */
	free(row);
	return 0;
}

struct room {
	struct jpeg_destination_mgr mgr;
	uint8_t *start;
	size_t len;
};

static void room_open(j_compress_ptr jpeg)
{
	struct room *room = (struct room *)jpeg->dest;

	room->mgr.next_output_byte = room->start;
	room->mgr.free_in_buffer = room->len;
}

static boolean room_is_full(j_compress_ptr jpeg)
{
	ERREXIT(jpeg, JERR_FILE_WRITE);
	return FALSE;
}

static void room_close(j_compress_ptr jpeg)
{
	(void)jpeg;
}

size_t cut_jpeg_write(const uint8_t *pixels, uint32_t width, uint32_t height, int channels,
	int quality, uint8_t *room_start, size_t room_len, struct err *err)
{
	struct jpeg_compress_struct jpeg = { 0 };
	struct trouble trouble;
	struct room room = {
		.mgr = {
			.init_destination = room_open,
			.empty_output_buffer = room_is_full,
			.term_destination = room_close,
		},
		.start = room_start,
		.len = room_len,
	};

	jpeg.err = trouble_init(&trouble);
	if (setjmp(trouble.back) != 0) {
		bool full = jpeg.err->msg_code == JERR_FILE_WRITE;

		jpeg_destroy_compress(&jpeg);
		if (full)
			err_set(err, ERR_TOO_LARGE, "the cut picture has more than %zu bytes",
				room.len);
		else
			err_set(err, ERR_TRUNCATED, "the cut picture cannot be written: %s",
				trouble.text);
		return 0;
	}
	jpeg_create_compress(&jpeg);
	jpeg.dest = &room.mgr;
	jpeg.image_width = width;
	jpeg.image_height = height;
	jpeg.input_components = channels;
	jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, quality, TRUE);
	jpeg.optimize_coding = TRUE;
	if (quality >= 90) /* full colour resolution, as libvips does */
		jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
	jpeg_start_compress(&jpeg, TRUE);
	while (jpeg.next_scanline < height) {
		JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)jpeg.next_scanline * width *
								      (size_t)channels);

		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	return room.len - room.mgr.free_in_buffer;
}
