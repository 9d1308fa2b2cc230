/* cut_speed - thumbnails of one JPEG: ours, and what libjpeg-turbo needs at the least.
 *
 *     cut_speed FILE WAY COUNT SIDE
 *
 * WAY is `ours` (a confined worker, as cut_svr has it), `turbo` (decode at 1/8, average
 * boxes, encode, in one process) or `decode` (decode at 1/8 and nothing else).  Prints one
 * JSON object: images per second of processor time, and the greatest resident memory of who does
 * the work. */
#include "image/cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>

enum { FILE_MAX = 64 << 20, SHRINK = 8, QUALITY = 85, WARM_UP = 3 };

static uint8_t bytes[FILE_MAX];
static struct span picture;
static uint32_t side;

static long figure_of(const char *path, const char *format)
{
	FILE *file = fopen(path, "re");
	char line[256];
	long value = -1;

	while (file != NULL && value < 0 && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, format, &value) != 1)
			value = -1;
	if (file != NULL)
		fclose(file);
	return value;
}

static long first_child(long pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
	return figure_of(path, "%ld");
}

/* What getrusage says has the memory of who called exec in it. */
static long peak_kb(long pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/status", pid);
	return figure_of(path, "VmHWM: %ld kB");
}

/* Processor time of a process, and of ourselves. */
static int64_t cpu_us(long pid)
{
	struct timespec own = { 0 }, other = { 0 };
	clockid_t clock;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	if (pid != getpid() && clock_getcpuclockid((pid_t)pid, &clock) == 0)
		clock_gettime(clock, &other);
	return (own.tv_sec + other.tv_sec) * INT64_C(1000000) +
	       (own.tv_nsec + other.tv_nsec) / 1000;
}

static void ours(struct picture_cutter *cutter)
{
	struct cut_wish wish = { .thumb_w = side, .thumb_h = side };
	struct picture_facts made;
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, 1 << 20);
	if (picture_cut(cutter, picture, &wish, &out, &made, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	buf_fini(&out);
}

static void encode(uint8_t *pixels, unsigned width, unsigned height)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr trouble;
	unsigned long len = 0;
	uint8_t *out = NULL;

	jpeg.err = jpeg_std_error(&trouble);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &out, &len);
	jpeg.image_width = width;
	jpeg.image_height = height;
	jpeg.input_components = 3;
	jpeg.in_color_space = JCS_RGB;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, QUALITY, TRUE);
	jpeg.optimize_coding = TRUE;
	jpeg_start_compress(&jpeg, TRUE);
	while (jpeg.next_scanline < height) {
		JSAMPROW row = pixels + (size_t)jpeg.next_scanline * width * 3;

		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	free(out);
}

/* Average the boxes under each pixel, which lie on whole pixels. */
static void average(const uint8_t *in, unsigned in_w, unsigned in_h, uint8_t *out, unsigned out_w,
	unsigned out_h)
{
	for (unsigned y = 0; y < out_h; y++) {
		unsigned top = y * in_h / out_h, bottom = (y + 1) * in_h / out_h;

		for (unsigned x = 0; x < out_w; x++) {
			unsigned left = x * in_w / out_w, right = (x + 1) * in_w / out_w;
			unsigned sums[3] = { 0 }, count = (bottom - top) * (right - left);

			for (unsigned v = top; v < bottom; v++)
				for (unsigned u = left; u < right; u++)
					for (int c = 0; c < 3; c++)
						sums[c] +=
							in[((size_t)v * in_w + u) * 3 + (size_t)c];
			for (int c = 0; c < 3; c++)
				*out++ = (uint8_t)(sums[c] / count);
		}
	}
}

static void turbo(bool all)
{
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr trouble;
	unsigned width, height, out_w = side, out_h;
	uint8_t *pixels, *small;

	jpeg.err = jpeg_std_error(&trouble);
	jpeg_create_decompress(&jpeg);
	jpeg_mem_src(&jpeg, picture.data, picture.len);
	jpeg_read_header(&jpeg, TRUE);
	jpeg.scale_num = 1;
	jpeg.scale_denom = SHRINK;
	jpeg_start_decompress(&jpeg);
	width = jpeg.output_width;
	height = jpeg.output_height;
	out_h = side * height / width;
	pixels = malloc((size_t)width * height * 3);
	small = malloc((size_t)out_w * out_h * 3);
	if (pixels == NULL || small == NULL)
		abort();
	while (jpeg.output_scanline < height) {
		JSAMPROW row = pixels + (size_t)jpeg.output_scanline * width * 3;

		jpeg_read_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_decompress(&jpeg);
	jpeg_destroy_decompress(&jpeg);
	if (all) {
		average(pixels, width, height, small, out_w, out_h);
		encode(small, out_w, out_h);
	}
	free(pixels);
	free(small);
}

static struct picture_cutter *new_cutter(void)
{
	struct err err = { 0 };
	struct picture_cutter *cutter = picture_cutter_new(
		&(struct picture_cutter_conf){
			.rules = {
				.limits = {
					.max_width = 20000,
					.max_height = 20000,
					.max_pixels = 100000000,
					.max_pixels_progressive = 16000000,
					.max_frames = 100,
					.formats = (1u << PICTURE_FORMATS) - 2,
				},
				.max_pixels = 25000000,
				.quality = QUALITY,
			},
			.workers = 1,
			.timeout_ms = 60000,
			.memory = 1 << 30,
			.max_bytes = FILE_MAX,
			.max_result = 1 << 20,
		},
		&err);

	if (cutter == NULL) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return cutter;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 5 ? fopen(argv[1], "rbe") : NULL;
	struct picture_cutter *cutter = NULL;
	int count = argc == 5 ? atoi(argv[3]) : 0;
	int64_t start = 0;
	long worker = getpid();

	if (file == NULL || count < 1 || atoi(argv[4]) < 1) {
		fprintf(stderr, "cut_speed FILE ours|turbo|decode COUNT SIDE\n");
		return 2;
	}
	picture = span_of(bytes, fread(bytes, 1, sizeof bytes, file));
	fclose(file);
	side = (uint32_t)atoi(argv[4]);
	if (strcmp(argv[2], "ours") == 0)
		cutter = new_cutter();
	if (cutter != NULL) /* a child of our child */
		worker = first_child(first_child(worker));
	for (int i = -WARM_UP; i < count; i++) {
		if (i == 0)
			start = cpu_us(worker);
		if (cutter != NULL)
			ours(cutter);
		else
			turbo(strcmp(argv[2], "turbo") == 0);
	}
	start = cpu_us(worker) - start;
	printf("{\"per_second\": %.2f, \"kb\": %ld}\n", count * 1e6 / (double)start,
		peak_kb(worker));
	picture_cutter_free(cutter);
	return 0;
}
