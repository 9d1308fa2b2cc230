#include "store/volume_copy.h"
#include "store_kit.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

enum { PICTURES = 6, LEN = 40000 };

static struct kit kit, copy; /* the copy is a store path like any other */
static struct file_id ids[PICTURES];
static struct volume_copied sums;
static int damages;

static void on_damage(void *context, const char *path, const struct err *why)
{
	(void)context;
	assert_non_null(path);
	assert_int_not_equal(why->code, ERR_NONE);
	damages++;
}

static void fill(void)
{
	kit_init(&kit, 1);
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < PICTURES; i++)
		ids[i] = kit_put(&kit, LEN + i, i);
	kit_init(&copy, 2);
	copy.paths[0] = copy.paths[1];
	copy.conf.path_count = 1;
	snprintf(copy.folders[0], sizeof copy.folders[0], "%.200s-copy", kit.folders[0]);
	assert_int_equal(mkdir(copy.folders[0], 0700), 0);
	copy.paths[0] = copy.folders[0];
}

/* Copy the volume that the pictures are in; what was done is in `sums` and `damages`. */
static int copy_volume(struct err *err)
{
	const struct volume_store from = { .folder = kit.paths[0], .group = kit.conf.group };

	sums = (struct volume_copied){ 0 };
	damages = 0;
	return volume_copy(&from, copy.paths[0], ids[0].dir, on_damage, NULL, &sums, err);
}

static void must_copy(void)
{
	struct err err = { 0 };

	if (copy_volume(&err) != 0)
		fail_msg("%s", err.text);
}

/* What the copy gives for a picture. */
static enum err_code code_in_copy(unsigned i)
{
	enum err_code code;

	kit_open(&copy, "volume");
	code = kit_get_code(&copy, &ids[i]);
	if (code == ERR_NONE)
		kit_expect(&copy, &ids[i], LEN + i, i);
	kit_close(&copy);
	return code;
}

static void make_old(const struct kit *of)
{
	const struct utimbuf long_ago = { 1000000000, 1000000000 };
	char file[512];

	kit_volume_file(of, &ids[0], file);
	assert_int_equal(utime(file, &long_ago), 0);
}

TEST(a_copy_serves_what_the_volume_does)
{
	fill();
	must_copy();
	assert_int_equal(sums.volumes, 1);
	assert_true(sums.bytes > PICTURES * (uint64_t)LEN);
	for (unsigned i = 0; i < PICTURES; i++)
		assert_int_equal(code_in_copy(i), ERR_NONE);
	assert_int_equal(kit_fsck(&copy, false, NULL).pictures, PICTURES);
	kit_close(&kit);
}

TEST(only_what_is_new_is_copied_and_nothing_when_nothing_is)
{
	struct file_id more;

	fill();
	kit_close(&kit); /* what is open may be written to: its last batch is copied each time */
	must_copy();
	make_old(&kit);
	must_copy();
	must_copy();
	assert_int_equal(sums.skipped, 1);
	assert_int_equal(sums.bytes, 0);
	kit_open(&kit, "volume");
	more = kit_put(&kit, 7000, 99);
	assert_int_equal(more.dir, ids[0].dir);
	must_copy();
	assert_int_equal(sums.skipped, 0);
	assert_in_range(sums.bytes, 7000, 3 * LEN);
	kit_open(&copy, "volume");
	kit_expect(&copy, &more, 7000, 99);
	kit_close(&copy);
	kit_close(&kit);
}

TEST(what_was_deleted_is_deleted_in_the_copy_and_its_bytes_are_gone)
{
	char bytes[LEN], zeros[LEN] = { 0 };

	fill();
	must_copy();
	assert_int_equal(kit_remove(&kit, &ids[1]), ERR_NONE);
	must_copy();
	assert_int_equal(sums.deleted, 1);
	assert_int_equal(code_in_copy(1), ERR_GONE);
	assert_int_equal(code_in_copy(2), ERR_NONE);
	kit_read(&copy, &ids[1], kit_offset(&ids[1]) + 128, bytes, sizeof bytes);
	assert_memory_equal(bytes, zeros, sizeof bytes);
	/* One that is new and deleted at once. */
	ids[0] = kit_put(&kit, LEN, 50);
	assert_int_equal(kit_remove(&kit, &ids[0]), ERR_NONE);
	must_copy();
	assert_int_equal(code_in_copy(0), ERR_GONE);
	/* What is not the last batch any more is not carried over again. */
	kit_put(&kit, 100, 60);
	must_copy();
	must_copy();
	assert_int_equal(sums.deleted, 0);
	kit_close(&kit);
}

TEST(damage_never_takes_the_place_of_a_good_copy_and_is_told_where_it_is_new)
{
	fill();
	must_copy();
	kit_flip(&kit, &ids[2], kit_offset(&ids[2]) + 628, 1);
	make_old(&kit);
	must_copy();
	assert_int_equal(code_in_copy(2), ERR_NONE);
	kit_flip(&kit, &ids[3], kit_offset(&ids[3]) + 40, 1); /* in its header */
	make_old(&kit);
	must_copy();
	assert_int_equal(code_in_copy(3), ERR_NONE);
	kit_close(&kit);
	/* New, and damaged before it was ever copied. */
	fill();
	kit_flip(&kit, &ids[2], kit_offset(&ids[2]) + 628, 1);
	must_copy();
	assert_int_equal(damages, 1);
	assert_int_equal(sums.damaged, 1);
	assert_int_equal(code_in_copy(2), ERR_CORRUPT);
	assert_int_equal(code_in_copy(3), ERR_NONE);
	kit_close(&kit);
}

static void write_state(const char *text)
{
	char file[512], path[600];
	FILE *out;

	kit_volume_file(&copy, &ids[0], file);
	snprintf(path, sizeof path, "%s.copied", file);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

TEST(without_a_note_that_makes_sense_everything_is_copied)
{
	static const char *const notes[] = { "", "copied\n", "copied 16 1 2\n", "copied 0 0 0 0\n",
		"copied 4294967295 1 1 1\n", "copied 016 1 1 1\n", "copied 16 1 1 1",
		"nonsense\n" };

	fill();
	must_copy();
	kit_close(&kit);
	for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
		kit_write(&copy, &ids[4], kit_offset(&ids[4]) + 228, "damage", 6);
		kit_write(&copy, &ids[4], kit_offset(&ids[4]), "damaged header", 14);
		write_state(notes[i]);
		must_copy();
		assert_int_equal(code_in_copy(4), ERR_NONE);
	}
}

TEST(a_copy_of_another_volume_of_that_number_is_begun_anew)
{
	char file[512];
	FILE *out;

	fill();
	must_copy();
	kit_volume_file(&copy, &ids[0], file);
	out = fopen(file, "r+");
	assert_non_null(out);
	assert_int_equal(fwrite("not a volume at all", 1, 19, out), 19);
	for (int at = 19; at < 8192; at++)
		fputc('x', out);
	assert_int_equal(fclose(out), 0);
	must_copy();
	for (unsigned i = 0; i < PICTURES; i++)
		assert_int_equal(code_in_copy(i), ERR_NONE);
	kit_close(&kit);
}

TEST(what_cannot_be_written_is_told_and_the_next_time_goes_on)
{
	struct err err = { 0 };
	char data[512];

	fill();
	snprintf(data, sizeof data, "%s/data", copy.paths[0]);
	close(open(data, O_CREAT | O_WRONLY, 0600)); /* where a folder should be */
	assert_int_equal(copy_volume(&err), -1);
	assert_non_null(strstr(err.text, data));
	assert_int_equal(unlink(data), 0);
	must_copy();
	assert_int_equal(code_in_copy(5), ERR_NONE);
	ids[0].dir = 77;
	assert_int_equal(copy_volume(&err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	kit_close(&kit);
}
