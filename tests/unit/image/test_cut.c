#include "image/cut.h"
#include "photos.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct picture_cutter *shared(void)
{
	static struct picture_cutter *cutter;
	struct err err = { 0 };

	if (cutter == NULL)
		cutter = picture_cutter_new(
			&(struct picture_cutter_conf){
				.rules = {
					.limits = {
						.max_width = 20000,
						.max_height = 20000,
						.max_pixels = 50000000,
						.max_pixels_progressive = 16000000,
						.max_frames = 100,
						.formats = (1 << PICTURE_FORMATS) - 2,
					},
					.max_pixels = 25000000,
					.quality = 85,
				},
				.workers = 2,
				.timeout_ms = 20000,
				.memory = 512 << 20,
				.max_bytes = 5 << 20,
				.max_result = 4 << 20,
			},
			&err);
	if (cutter == NULL)
		fail_msg("%s", err.text);
	return cutter;
}

static enum err_code cut(struct span bytes, struct cut_wish wish, struct picture_facts *made)
{
	struct err err = { 0 };
	struct buf result;
	int done;

	buf_init(&result, 8 << 20);
	done = picture_cut(shared(), bytes, &wish, &result, made, &err);
	if (done == 0)
		assert_int_equal(picture_sniff(buf_span(&result)), picture_sniff(bytes));
	buf_fini(&result);
	return done == 0 ? ERR_NONE : err.code;
}

TEST(every_format_is_cut_behind_bars)
{
	static const char *const names[] = { "seeding-43k.jpg", "progressive.jpg", "rotated.jpg",
		"photo.png", "interlaced.png", "photo.gif", "animated.gif", "photo.webp",
		"animated.webp", "photo.avif", "photo.heic" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct picture_facts made;
		enum err_code code = cut(
			photo(names[i]), (struct cut_wish){ 40, 30, -5, -5, 20, 15 }, &made);

		if (code != ERR_NONE)
			fail_msg("%s: %s", names[i], err_word(code));
		assert_int_equal(made.width, 20);
		assert_int_equal(made.height, 15);
	}
}

TEST(a_box_without_pixels_is_refused)
{
	struct picture_facts made;

	assert_int_equal(cut(photo("photo.png"), (struct cut_wish){ 9, 9, 0, 0, 0, 9 }, &made),
		ERR_BAD_REQUEST);
}

TEST(a_result_that_is_too_long_is_refused)
{
	struct picture_facts made;

	/* 12 million pixels of enlarged noise, as PNG */
	assert_int_equal(
		cut(photo("photo.png"), (struct cut_wish){ 120, 67, 0, 0, 4000, 3000 }, &made),
		ERR_TOO_LARGE);
}

static void *cut_often(void *context)
{
	struct picture_facts made;

	for (int i = 0; i < 20; i++)
		if (cut(*(struct span *)context, (struct cut_wish){ 300, 300, i, i, 30, 30 },
			    &made) != ERR_NONE)
			return context;
	return NULL;
}

TEST(many_threads_share_the_workers)
{
	struct span bytes = photo("seeding-43k.jpg");
	pthread_t threads[4];

	shared();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, cut_often, &bytes), 0);
	for (int i = 0; i < 4; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}
