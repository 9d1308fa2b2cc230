#include "image/cut_plan.h"

/* The whole picture, as large as the box allows, but not larger than it is. */
static void fit(const struct cut_wish *wish, uint32_t width, uint32_t height, struct cut_plan *plan)
{
	uint64_t box_w = wish->thumb_w, box_h = wish->thumb_h;
	uint64_t out_w = width, out_h = height;

	if (box_w * height <= box_h * width && box_w < width) {
		out_w = box_w;
		out_h = (2 * box_w * height + width) / (2 * (uint64_t)width);
	} else if (box_h < height) {
		out_h = box_h;
		out_w = (2 * box_h * width + height) / (2 * (uint64_t)height);
	}
	plan->width = (uint32_t)(out_w > 0 ? out_w : 1);
	plan->height = (uint32_t)(out_h > 0 ? out_h : 1);
}

bool cut_plan_make(const struct cut_wish *wish, uint32_t width, uint32_t height, int orientation,
	struct cut_plan *plan)
{
	bool swap = orientation >= 5 && orientation <= 8;
	bool mirror_x = orientation == 2 || orientation == 3 || orientation == 6 ||
			orientation == 7;
	bool mirror_y = orientation == 3 || orientation == 4 || orientation == 7 ||
			orientation == 8;
	uint32_t shown_w = swap ? height : width, shown_h = swap ? width : height;
	struct cut_axis x = { .size = shown_w, .len = shown_w };
	struct cut_axis y = { .size = shown_h, .len = shown_h };

	if (wish->thumb_w == 0 || wish->thumb_h == 0 || width == 0 || height == 0)
		return false;
	*plan = (struct cut_plan){ .swap = swap, .mirror_x = mirror_x, .mirror_y = mirror_y };
	if (wish->clip_w == 0 || wish->clip_h == 0) {
		fit(wish, shown_w, shown_h, plan);
	} else {
		plan->width = wish->thumb_w;
		plan->height = wish->thumb_h;
		x.start = wish->start_x;
		x.len = wish->clip_w;
		y.start = wish->start_y;
		y.len = wish->clip_h;
	}
	x.out = plan->width;
	y.out = plan->height;
	if (mirror_x)
		x.start = x.size - x.start - x.len;
	if (mirror_y)
		y.start = y.size - y.start - y.len;
	plan->x = swap ? y : x;
	plan->y = swap ? x : y;
	return true;
}

double cut_plan_factor(const struct cut_plan *plan)
{
	double x = (double)plan->x.len / plan->x.out, y = (double)plan->y.len / plan->y.out;

	return x < y ? x : y;
}

int cut_plan_shrink(const struct cut_plan *plan)
{
	double factor = cut_plan_factor(plan);
	int shrink = 8;

	while (shrink > 1 && factor < shrink)
		shrink /= 2;
	return shrink;
}
