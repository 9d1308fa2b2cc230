#include "core/clock.h"
#include "image/picture.h"
#include "photos.h"
#include "unit.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { ALL_FORMATS = (1 << PICTURE_FORMATS) - 2 };

static struct picture_checker_conf conf(void)
{
	return (struct picture_checker_conf){
		.limits = {
			.max_width = 20000,
			.max_height = 20000,
			.max_pixels = 50000000,
			.max_pixels_progressive = 16000000,
			.max_frames = 100,
			.formats = ALL_FORMATS,
			.decode = true,
		},
		.workers = 2,
		.timeout_ms = 20000,
		.memory = 512 << 20,
		.max_bytes = 5 << 20,
	};
}

static struct picture_checker *start(const struct picture_checker_conf *c)
{
	struct err err = { 0 };
	struct picture_checker *checker = picture_checker_new(c, &err);

	if (checker == NULL)
		fail_msg("%s", err.text);
	return checker;
}

/* The checker that most tests share. */
static struct picture_checker *shared(void)
{
	static struct picture_checker *checker;
	struct picture_checker_conf c = conf();

	if (checker == NULL)
		checker = start(&c);
	return checker;
}

static enum err_code code_of(struct picture_checker *checker, struct span bytes)
{
	struct picture_facts facts;
	struct err err = { 0 };

	if (picture_check(checker, bytes, &facts, &err) == 0)
		return ERR_NONE;
	assert_true(err.text[0] != '\0');
	return err.code;
}

TEST(real_pictures_of_every_format_pass)
{
	static const struct {
		const char *file;
		enum picture_format format;
		uint32_t width, height, frames;
	} real[] = {
		{ "seeding-4k.jpg", PICTURE_JPEG, 176, 99, 1 },
		{ "seeding-43k.jpg", PICTURE_JPEG, 720, 405, 1 },
		{ "seeding-230k.jpg", PICTURE_JPEG, 1800, 1013, 1 },
		{ "progressive.jpg", PICTURE_JPEG, 400, 225, 1 },
		{ "rotated.jpg", PICTURE_JPEG, 320, 180, 1 }, /* it lies on its side in the file */
		{ "photo.png", PICTURE_PNG, 120, 67, 1 },
		{ "interlaced.png", PICTURE_PNG, 120, 67, 1 },
		{ "photo.gif", PICTURE_GIF, 120, 67, 1 },
		{ "animated.gif", PICTURE_GIF, 80, 45, 3 },
		{ "photo.webp", PICTURE_WEBP, 240, 135, 1 },
		{ "animated.webp", PICTURE_WEBP, 80, 45, 3 },
		{ "photo.avif", PICTURE_AVIF, 240, 135, 1 },
		{ "photo.heic", PICTURE_HEIC, 240, 135, 1 },
	};

	for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
		struct photo *photo = photo_read(real[i].file);
		struct picture_facts facts = { 0 };
		struct err err = { 0 };

		if ((picture_checker_formats(shared()) & 1u << real[i].format) != 0) {
			if (picture_check(shared(), photo_span(photo), &facts, &err) < 0)
				fail_msg("%s: %s", real[i].file, err.text);
			assert_int_equal(facts.format, real[i].format);
			assert_int_equal(facts.width, real[i].width);
			assert_int_equal(facts.height, real[i].height);
			assert_int_equal(facts.frames, real[i].frames);
		}
		free(photo);
	}
}

TEST(a_picture_that_is_cut_off_is_refused)
{
	static const char *const files[] = { "seeding-43k.jpg", "progressive.jpg", "photo.png",
		"interlaced.png", "photo.gif", "animated.gif", "photo.webp", "animated.webp",
		"photo.avif", "photo.heic" };
	static const int percent[] = { 15, 50, 90 };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct photo *photo = photo_read(files[i]);

		if ((picture_checker_formats(shared()) & 1u << picture_sniff(photo_span(photo))) !=
			0)
			for (size_t k = 0; k < sizeof percent / sizeof percent[0]; k++) {
				size_t len = photo->len * (size_t)percent[k] / 100;
				enum err_code code = code_of(shared(), span_of(photo->data, len));

				if (code != ERR_TRUNCATED)
					fail_msg("%d%% of %s: %s", percent[k], files[i],
						err_word(code));
			}
		free(photo);
	}
}

TEST(a_jpeg_without_its_last_quarter_or_end_mark_is_refused)
{
	struct photo *photo = photo_read("seeding-4k.jpg");

	assert_int_equal(code_of(shared(), span_of(photo->data, photo->len - 200)), ERR_TRUNCATED);
	assert_int_equal(code_of(shared(), span_of(photo->data, photo->len - 2)), ERR_TRUNCATED);
	free(photo);
}

TEST(a_png_without_its_end_is_refused)
{
	static const char *const files[] = { "photo.png", "interlaced.png" };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct photo *photo = photo_read(files[i]);

		for (size_t cut = 1; cut <= 13; cut++)
			if (code_of(shared(), span_of(photo->data, photo->len - cut)) !=
				ERR_TRUNCATED)
				fail_msg("%s without its last %zu bytes", files[i], cut);
		free(photo);
	}
}

TEST(bytes_behind_a_picture_do_no_harm)
{
	struct photo *photo = photo_read("seeding-4k.jpg");

	memcpy(photo->data + photo->len, "<?php phpinfo(); ?>", 19);
	assert_int_equal(code_of(shared(), span_of(photo->data, photo->len + 19)), ERR_NONE);
	free(photo);
}

TEST(a_beginning_alone_is_no_picture)
{
	assert_int_equal(code_of(shared(), SPAN("")), ERR_NOT_A_PICTURE);
	assert_int_equal(code_of(shared(), SPAN("hello")), ERR_NOT_A_PICTURE);
	assert_int_equal(code_of(shared(), SPAN("GIF89a<script>alert(1)</script>")), ERR_TRUNCATED);
	assert_int_equal(
		code_of(shared(), SPAN("\xff\xd8\xff\xe0garbage, garbage")), ERR_TRUNCATED);
	assert_int_equal(code_of(shared(), SPAN("RIFF\x04\0\0\0WEBP")), ERR_TRUNCATED);
	assert_int_equal(code_of(shared(), SPAN("\0\0\0\x18"
						"ftypavif\0\0\0\0mif1avif")),
		ERR_TRUNCATED);
}

TEST(garbage_behind_a_right_beginning_is_refused)
{
	static const char *const files[] = { "photo.png", "photo.gif", "photo.webp", "photo.avif",
		"photo.heic", "progressive.jpg" };
	uint32_t random = 1;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct photo *photo = photo_read(files[i]);

		for (size_t at = 16; at < photo->len; at++) {
			random = random * 1664525 + 1013904223;
			photo->data[at] = (uint8_t)(random >> 24);
		}
		assert_true(code_of(shared(), photo_span(photo)) != ERR_NONE);
		free(photo);
	}
}

/* Write another size into a JPEG's frame header. */
static void set_jpeg_size(struct photo *photo, uint16_t width, uint16_t height)
{
	for (size_t at = 2; at + 9 < photo->len; at++)
		if (photo->data[at] == 0xff &&
			(photo->data[at + 1] == 0xc0 || photo->data[at + 1] == 0xc2)) {
			store_be16(photo->data + at + 5, height);
			store_be16(photo->data + at + 7, width);
			return;
		}
	fail_msg("no frame header");
}

TEST(pixel_bombs_are_told_by_their_headers)
{
	struct photo *jpeg = photo_read("seeding-4k.jpg");
	struct photo *progressive = photo_read("progressive.jpg");
	struct photo *png = photo_read("photo.png");
	struct photo *gif = photo_read("photo.gif");
	int64_t start_ms = clock_mono_ms();

	set_jpeg_size(jpeg, 20000, 20000);
	assert_int_equal(code_of(shared(), photo_span(jpeg)), ERR_PIXEL_BOMB);
	set_jpeg_size(jpeg, 5000, 5000); /* row by row, and no bomb */
	assert_int_equal(code_of(shared(), photo_span(jpeg)), ERR_NONE);
	set_jpeg_size(progressive, 5000, 5000); /* fewer, but all at once */
	assert_int_equal(code_of(shared(), photo_span(progressive)), ERR_PIXEL_BOMB);
	store_be32(png->data + 16, 0x7fffffff);
	store_be32(png->data + 20, 0x7fffffff);
	assert_int_equal(code_of(shared(), photo_span(png)), ERR_PIXEL_BOMB);
	store_le16(gif->data + 6, 65535);
	store_le16(gif->data + 8, 65535);
	assert_int_equal(code_of(shared(), photo_span(gif)), ERR_PIXEL_BOMB);
	assert_true(clock_mono_ms() - start_ms < 5000);
	free(jpeg);
	free(progressive);
	free(png);
	free(gif);
}

TEST(frames_are_counted_before_they_are_decoded)
{
	static const uint8_t frame[] = { 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x4c, 1, 0 };
	struct buf gif;

	buf_init(&gif, 1 << 20);
	buf_put(&gif, "GIF89a\x01\x00\x01\x00\x80\x00\x00\0\0\0\xff\xff\xff", 19);
	for (int i = 0; i < 100; i++)
		buf_put(&gif, frame, sizeof frame);
	buf_put_u8(&gif, 0x3b);
	assert_int_equal(code_of(shared(), buf_span(&gif)), ERR_NONE);
	gif.len--;
	buf_put(&gif, frame, sizeof frame);
	buf_put_u8(&gif, 0x3b);
	assert_int_equal(code_of(shared(), buf_span(&gif)), ERR_PIXEL_BOMB);
	buf_fini(&gif);
}

TEST(formats_that_are_not_wanted_are_refused)
{
	struct picture_checker_conf c = conf();
	struct photo *png = photo_read("photo.png"), *jpeg = photo_read("seeding-4k.jpg");
	struct picture_checker *checker;

	c.limits.formats = 1 << PICTURE_JPEG;
	c.workers = 1;
	checker = start(&c);
	assert_int_equal(picture_checker_formats(checker), 1 << PICTURE_JPEG);
	assert_int_equal(code_of(checker, photo_span(png)), ERR_NOT_A_PICTURE);
	assert_int_equal(code_of(checker, photo_span(jpeg)), ERR_NONE);
	picture_checker_free(checker);
	free(png);
	free(jpeg);
}

TEST(with_headers_alone_pixels_are_taken_on_trust)
{
	struct picture_checker_conf c = conf();
	struct photo *jpeg = photo_read("seeding-43k.jpg");
	struct picture_checker *checker;

	c.limits.decode = false;
	c.workers = 1;
	checker = start(&c);
	assert_int_equal(code_of(checker, span_of(jpeg->data, jpeg->len / 2)), ERR_NONE);
	set_jpeg_size(jpeg, 20000, 20000);
	assert_int_equal(code_of(checker, photo_span(jpeg)), ERR_PIXEL_BOMB);
	picture_checker_free(checker);
	free(jpeg);
}

/* Kill every process whose parent is `parent`; returns how many there were. */
static int kill_children_of(pid_t parent, pid_t *first)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	assert_non_null(proc);
	while ((entry = readdir(proc)) != NULL) {
		char path[300], line[512] = "";
		int pid = atoi(entry->d_name), ppid = 0;
		FILE *file;

		if (pid <= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(line, sizeof line, file) != NULL && strrchr(line, ')') != NULL)
			sscanf(strrchr(line, ')') + 1, " %*c %d", &ppid);
		fclose(file);
		if (ppid != parent)
			continue;
		if (first != NULL)
			*first = pid;
		else
			kill(pid, SIGKILL);
		count++;
	}
	closedir(proc);
	return count;
}

TEST(workers_that_were_killed_are_replaced)
{
	struct picture_checker_conf c = conf();
	struct photo *photo = photo_read("seeding-4k.jpg");
	struct picture_checker *checker;
	pid_t nursery = 0;

	picture_checker_free(shared()); /* so that there is one nursery; the last user of it */
	checker = start(&c);
	assert_int_equal(kill_children_of(getpid(), &nursery), 1);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(code_of(checker, photo_span(photo)), ERR_NONE);
		assert_true(kill_children_of(nursery, NULL) > 0);
		while (kill_children_of(nursery, NULL) > 0)
			sched_yield();
	}
	for (int round = 0; round < 20; round++) { /* some with the picture in their hands */
		kill_children_of(nursery, NULL);
		assert_int_equal(code_of(checker, photo_span(photo)), ERR_NONE);
	}
	kill(nursery, SIGKILL); /* nothing can be replaced any more, and that is said */
	for (int i = 0; i < 10000 && code_of(checker, photo_span(photo)) != ERR_INTERNAL; i++)
		sched_yield();
	assert_int_equal(code_of(checker, photo_span(photo)), ERR_INTERNAL);
	picture_checker_free(checker);
	free(photo);
}

#if !defined(__SANITIZE_ADDRESS__) /* which cannot bound memory, and is slow */
TEST(a_picture_that_takes_too_much_memory_or_time_is_refused)
{
	struct picture_checker_conf c = conf();
	struct photo *large = photo_read("progressive.jpg"), *small = photo_read("seeding-4k.jpg");
	struct photo *slow = photo_read("progressive.jpg");
	struct picture_checker *checker;

	c.workers = 1;
	c.memory = 64 << 20;
	c.limits.max_pixels_progressive = 40000000;
	checker = start(&c);
	set_jpeg_size(large, 6000, 6000); /* allowed here, but its coefficients take 108 MB */
	assert_int_equal(code_of(checker, photo_span(large)), ERR_TRUNCATED);
	assert_int_equal(code_of(checker, photo_span(small)), ERR_NONE);
	picture_checker_free(checker);

	c = conf();
	c.workers = 1;
	c.timeout_ms = 20;
	checker = start(&c);
	set_jpeg_size(slow, 4000, 4000);
	assert_int_equal(code_of(checker, photo_span(slow)), ERR_TRUNCATED);
	picture_checker_free(checker);
	free(large);
	free(small);
	free(slow);
}
#endif

struct many {
	struct picture_checker *checker;
	const struct photo *photo;
	int passed;
};

static void *check_many(void *context)
{
	struct many *many = context;

	for (int i = 0; i < 20; i++)
		many->passed += code_of(many->checker, photo_span(many->photo)) == ERR_NONE;
	return NULL;
}

TEST(many_threads_share_a_few_workers)
{
	struct picture_checker_conf c = conf();
	struct picture_checker *checker = start(&c);
	struct photo *photo = photo_read("seeding-4k.jpg");
	struct many many[8];
	pthread_t threads[8];

	for (int i = 0; i < 8; i++) {
		many[i] = (struct many){ .checker = checker, .photo = photo };
		assert_int_equal(pthread_create(&threads[i], NULL, check_many, &many[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(many[i].passed, 20);
	}
	picture_checker_free(checker);
	free(photo);
}
