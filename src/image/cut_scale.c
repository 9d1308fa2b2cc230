#include "image/cut_scale.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOBES = 3,
	BOX_FROM = 4, /* the factor from which boxes are averaged first */
	QUAD = 4,
	BLOCK = 4 * QUAD,
};

/* Four floats, wherever they lie. */
typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* The samples that one pixel of the result is made of. */
struct taps {
	uint32_t first, count;
	float cover;
	float *weights; /* inside the filter's block of them */
};

struct filter {
	struct cut_run in, out;
	uint32_t box;      /* decoded pixels that are averaged into one sample */
	uint32_t samples;  /* of them */
	uint32_t most;     /* taps of a pixel */
	struct taps *taps; /* of the pixels out.from to out.to */
	float *weights;
};

struct cut_scale {
	int channels;
	bool alpha;
	struct filter x, y;
	uint32_t boxed;   /* rows that the box below has so far */
	uint32_t samples; /* rows of samples so far */
	uint32_t made;    /* rows of the result so far */
	float *ring;      /* the last y.most rows of samples, the newest maybe unfinished */
	float *column;    /* a row of samples, all of y.taps applied; and QUAD more */
	uint8_t *out;
};

/* sinc(t) * sinc(t / 3); sin(3a) is made of sin(a). */
static double lanczos(double t)
{
	double third = M_PI * t / LOBES, sine;

	if (fabs(t) < 1e-9)
		return 1;
	if (fabs(t) >= LOBES)
		return 0;
	sine = sin(third);
	return (3 - 4 * sine * sine) * sine * sine / (LOBES * third * third);
}

static void *make(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);

	assert(memory != NULL);
	return memory;
}

/* Which decoded pixels have their centre in the rectangle; one if none has. */
static struct cut_run inside(double from, double to, uint32_t size)
{
	double first = ceil(from - 0.5), last = ceil(to - 0.5);

	if (last > size)
		last = size;
	if (first >= last) {
		first = floor((from + to) / 2);
		if (first > size - 1)
			first = size - 1;
		last = first + 1;
	}
	return (struct cut_run){ (uint32_t)first, (uint32_t)last };
}

/* The weights of one pixel whose centre is at `centre`, both in samples. */
static void fill_taps(struct taps *taps, double centre, double width, uint32_t samples)
{
	double reach = LOBES * width, sum = 0;
	double first = ceil(centre - reach - 0.5), last = floor(centre + reach - 0.5);

	if (first < 0)
		first = 0;
	if (last > samples - 1)
		last = samples - 1;
	if (first > last) /* at an end that was rounded */
		first = last = centre < 0.5 ? 0 : samples - 1;
	taps->first = (uint32_t)first;
	taps->count = (uint32_t)(last - first) + 1;
	for (uint32_t i = 0; i < taps->count; i++) {
		double weight = lanczos((first + i + 0.5 - centre) / width);

		taps->weights[i] = (float)weight;
		sum += weight;
	}
	for (uint32_t i = 0; i < taps->count; i++)
		taps->weights[i] = sum > 0.01 ? (float)(taps->weights[i] / sum)
					      : 1.0F / (float)taps->count;
}

static void filter_init(
	struct filter *filter, const struct cut_axis *axis, uint32_t size, double load)
{
	int64_t from = axis->start > 0 ? axis->start : 0;
	int64_t to = axis->start + axis->len < axis->size ? axis->start + axis->len : axis->size;
	double step = (double)axis->len / axis->out;
	double width = step * load;

	*filter = (struct filter){ .box = 1 };
	if (from >= to)
		return;
	filter->in = inside((double)from * load, (double)to * load, size);
	filter->out.from = (uint32_t)((from - axis->start) * axis->out / axis->len);
	filter->out.to = (uint32_t)(((to - axis->start) * axis->out + axis->len - 1) / axis->len);
	if (width >= BOX_FROM) {
		double box = floor(width / 2), most = filter->in.to - filter->in.from;

		filter->box = (uint32_t)(box < most ? box : most);
		width /= filter->box;
	}
	if (width < 1)
		width = 1;
	filter->samples = (filter->in.to - filter->in.from + filter->box - 1) / filter->box;
	filter->most = filter->samples;
	if (2 * LOBES * width + 2 < filter->most)
		filter->most = (uint32_t)(2 * LOBES * width + 2);
	filter->taps = make(filter->out.to - filter->out.from, sizeof *filter->taps);
	filter->weights = make((size_t)(filter->out.to - filter->out.from) * filter->most,
		sizeof *filter->weights);
	for (uint32_t i = filter->out.from; i < filter->out.to; i++) {
		struct taps *taps = &filter->taps[i - filter->out.from];
		double left = fmax((double)axis->start + i * step, (double)from);
		double right = fmin((double)axis->start + (i + 1.0) * step, (double)to);
		double cover = (right - left) / step;

		taps->cover = (float)(cover < 0 ? 0 : cover > 1 ? 1 : cover);
		taps->weights = filter->weights + (size_t)(i - filter->out.from) * filter->most;
		fill_taps(taps, ((left + right) / 2 * load - filter->in.from) / filter->box, width,
			filter->samples);
		assert(taps->count <= filter->most);
	}
}

static void filter_fini(struct filter *filter)
{
	free(filter->taps);
	free(filter->weights);
}

/* Floats of a row of samples, in whole blocks. */
static size_t row_len(const struct cut_scale *scale)
{
	size_t len = (size_t)scale->x.samples * (size_t)scale->channels;

	return (len + BLOCK - 1) / BLOCK * BLOCK;
}

struct cut_scale *cut_scale_new(const struct cut_scale_conf *conf)
{
	struct cut_scale *scale = make(1, sizeof *scale);
	size_t out_w, out_h;

	scale->channels = conf->channels;
	scale->alpha = conf->alpha;
	filter_init(&scale->x, &conf->x, conf->width, conf->load_x);
	filter_init(&scale->y, &conf->y, conf->height, conf->load_y);
	if (scale->x.samples == 0 || scale->y.samples == 0) { /* outside */
		filter_fini(&scale->x);
		filter_fini(&scale->y);
		scale->x = scale->y = (struct filter){ .box = 1 };
	}
	out_w = scale->x.out.to - scale->x.out.from;
	out_h = scale->y.out.to - scale->y.out.from;
	scale->column = make(row_len(scale) + QUAD, sizeof *scale->column);
	scale->ring = make(row_len(scale) * scale->y.most, sizeof *scale->ring);
	scale->out = make(out_w * out_h, (size_t)scale->channels);
	return scale;
}

void cut_scale_free(struct cut_scale *scale)
{
	if (scale == NULL)
		return;
	filter_fini(&scale->x);
	filter_fini(&scale->y);
	free(scale->ring);
	free(scale->column);
	free(scale->out);
	free(scale);
}

/* Add a row of pixels to a row of samples, colours weighed by their alpha. */
static void add_row(
	const struct cut_scale *scale, const uint8_t *restrict pixels, float *restrict at)
{
	uint32_t left = scale->x.in.to - scale->x.in.from, box = scale->x.box;
	int channels = scale->channels, colours = channels - scale->alpha;

	if (box == 1 && !scale->alpha) {
		size_t len = (size_t)left * (size_t)channels;

		for (size_t i = 0; i < len; i++)
			at[i] += pixels[i];
		return;
	}
	for (; left > 0; at += channels) {
		uint32_t count = left < box ? left : box;
		uint64_t sums[4] = { 0 };

		for (uint32_t i = 0; i < count; i++, pixels += channels) {
			uint32_t alpha = scale->alpha ? pixels[colours] : 255;

			for (int c = 0; c < colours; c++)
				sums[c] += pixels[c] * alpha;
			sums[3] += alpha;
		}
		for (int c = 0; c < colours; c++)
			at[c] += (float)sums[c] / (255.0F * (float)count);
		if (scale->alpha)
			at[colours] += (float)sums[3] / (float)count;
		left -= count;
	}
}

static uint8_t to_byte(float value)
{
	/* NOLINTNEXTLINE(bugprone-incorrect-roundings): never negative, and four times faster */
	return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + 0.5F);
}

static void finish_pixel(const struct cut_scale *scale, const float sums[QUAD], uint8_t *out)
{
	int colours = scale->channels - scale->alpha;
	float back = 1;

	if (scale->alpha) {
		out[colours] = to_byte(sums[colours]);
		back = sums[colours] >= 0.5F ? 255 / sums[colours] : 0;
	}
	for (int c = 0; c < colours; c++)
		out[c] = to_byte(sums[c] * back);
}

/* However many channels there are, four are computed: it costs no more than one. */
static void make_pixels(const struct cut_scale *scale, uint8_t *out)
{
	uint32_t count = scale->x.out.to - scale->x.out.from;
	size_t channels = (size_t)scale->channels;

	for (uint32_t x = 0; x < count; x++, out += channels) {
		const struct taps *taps = &scale->x.taps[x];
		const float *at = scale->column + taps->first * channels;
		union {
			quad all;
			float each[QUAD];
		} sums = { .all = { 0 } };

		for (uint32_t i = 0; i < taps->count; i++, at += channels)
			sums.all += *(const quad *)(const void *)at * taps->weights[i];
		finish_pixel(scale, sums.each, out);
	}
}

/* All of y.taps for a row of the result.  Rows are whole numbers of quads, which stay in
 * registers, four at a time, while the taps are applied. */
static void make_column(const struct cut_scale *scale, const struct taps *taps)
{
	size_t len = row_len(scale);

	for (size_t at = 0; at < len; at += BLOCK) {
		quad a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
		uint32_t slot = taps->first % scale->y.most;

		for (uint32_t i = 0; i < taps->count; i++) {
			const float *sample = scale->ring + slot * len + at;
			float weight = taps->weights[i];

			a += *(const quad *)(const void *)sample * weight;
			b += *(const quad *)(const void *)(sample + QUAD) * weight;
			c += *(const quad *)(const void *)(sample + 2 * QUAD) * weight;
			d += *(const quad *)(const void *)(sample + 3 * QUAD) * weight;
			slot = slot + 1 == scale->y.most ? 0 : slot + 1;
		}
		*(quad *)(void *)(scale->column + at) = a;
		*(quad *)(void *)(scale->column + at + QUAD) = b;
		*(quad *)(void *)(scale->column + at + 2 * QUAD) = c;
		*(quad *)(void *)(scale->column + at + 3 * QUAD) = d;
	}
}

static void make_row(struct cut_scale *scale, uint32_t row)
{
	uint32_t width = scale->x.out.to - scale->x.out.from;

	make_column(scale, &scale->y.taps[row]);
	make_pixels(scale, scale->out + (size_t)row * width * (size_t)scale->channels);
}

void cut_scale_put(struct cut_scale *scale, const uint8_t *pixels)
{
	size_t len = row_len(scale);
	float *slot = scale->ring + scale->samples % scale->y.most * len;
	uint32_t seen;

	assert(scale->samples < scale->y.samples);
	if (scale->boxed == 0)
		memset(slot, 0, len * sizeof *slot);
	add_row(scale, pixels, slot);
	scale->boxed++;
	seen = scale->samples * scale->y.box + scale->boxed;
	if (scale->boxed < scale->y.box && seen < scale->y.in.to - scale->y.in.from)
		return;
	if (scale->boxed > 1) {
		float share = 1.0F / (float)scale->boxed;

		for (size_t i = 0; i < len; i++)
			slot[i] *= share;
	}
	scale->boxed = 0;
	scale->samples++;
	while (scale->made < scale->y.out.to - scale->y.out.from &&
		scale->y.taps[scale->made].first + scale->y.taps[scale->made].count <=
			scale->samples)
		make_row(scale, scale->made++);
}

struct cut_run cut_scale_columns(const struct cut_scale *scale)
{
	return scale->x.in;
}

struct cut_run cut_scale_rows(const struct cut_scale *scale)
{
	return scale->y.in;
}

struct cut_run cut_scale_out_columns(const struct cut_scale *scale)
{
	return scale->x.out;
}

struct cut_run cut_scale_out_rows(const struct cut_scale *scale)
{
	return scale->y.out;
}

uint8_t *cut_scale_out(const struct cut_scale *scale)
{
	return scale->out;
}

static float cover(const struct filter *filter, uint32_t at)
{
	if (at < filter->out.from || at >= filter->out.to)
		return 0;
	return filter->taps[at - filter->out.from].cover;
}

float cut_scale_cover_x(const struct cut_scale *scale, uint32_t column)
{
	return cover(&scale->x, column);
}

float cut_scale_cover_y(const struct cut_scale *scale, uint32_t row)
{
	return cover(&scale->y, row);
}
