#include "store/record.h"
#include "store_kit.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

TEST(fsck_counts_what_is_right)
{
	struct fsck_totals totals;
	struct file_id id;
	struct kit kit;
	int problems;

	kit_start(&kit, "volume");
	for (unsigned i = 0; i < 9; i++)
		id = kit_put(&kit, 1000, i);
	kit_remove(&kit, &id);
	totals = kit_fsck(&kit, false, &problems); /* beside the writer */
	assert_true(fsck_clean(&totals));
	assert_int_equal(problems, 0);
	assert_int_equal(totals.volumes, 1);
	assert_int_equal(totals.pictures, 8);
	assert_int_equal(totals.picture_bytes, 8000);
	assert_int_equal(totals.deleted, 1);
	assert_int_equal(totals.unerased, 1);
	assert_int_equal(totals.unknown_bytes, 0);
	assert_int_equal(totals.bytes_read, totals.bytes);
	kit_close(&kit);
}

TEST(fsck_repairs_what_can_be_known)
{
	struct fsck_totals totals;
	struct file_id id, deleted, corrupt;
	int64_t end;
	struct kit kit;
	int problems;

	kit_start(&kit, "volume");
	id = kit_put(&kit, 1000, 1);
	deleted = kit_put(&kit, 100000, 2);
	corrupt = kit_put(&kit, 1000, 3);
	kit_put(&kit, 1000, 4);
	kit_remove(&kit, &deleted);
	kit_close(&kit);
	end = kit_offset(&id) + (int64_t)record_room(1000) * 512;
	kit_flip(&kit, &id, end - 1, 1);
	kit_flip(&kit, &id, 20, 1);
	kit_flip(&kit, &corrupt, kit_offset(&corrupt) + 500, 1);
	totals = kit_fsck(&kit, false, &problems);
	assert_false(fsck_clean(&totals));
	assert_int_equal(problems, 3);
	assert_int_equal(totals.heads, 1);
	assert_int_equal(totals.ends, 1);
	assert_int_equal(totals.corrupt, 1);
	assert_int_equal(totals.pictures, 2);
	totals = kit_fsck(&kit, true, &problems);
	assert_int_equal(totals.repaired, 2);
	assert_int_equal(totals.erased, 1);
	totals = kit_fsck(&kit, false, &problems);
	assert_int_equal(problems, 1); /* what is corrupt stays so */
	assert_int_equal(totals.unerased, 0);
	kit_open(&kit, "volume");
	kit_expect(&kit, &id, 1000, 1);
	assert_int_equal(kit_get_code(&kit, &deleted), ERR_GONE);
	kit_close(&kit);
}

static bool ignore_found(void *context, const struct engine_found *found)
{
	(void)context;
	(void)found;
	return true;
}

TEST(a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one)
{
	struct fsck_totals totals;
	struct err err;
	char path[400];
	struct kit kit;
	int problems, fd;

	kit_start(&kit, "volume");
	kit_put(&kit, 1000, 1);
	kit_close(&kit);
	snprintf(path, sizeof path, "%s/data/01", kit.folders[0]);
	fd = open(path, O_WRONLY | O_CREAT, 0600); /* a file, so that it fails for root as well */
	close(fd);
	totals = kit_fsck(&kit, false, &problems);
	assert_false(fsck_clean(&totals));
	assert_int_equal(totals.unreadable, 1);
	assert_int_equal(problems, 1);
	assert_int_equal(kit_open_code(&kit.conf), ERR_IO);
	kit.conf.read_only = true;
	kit_open(&kit, "volume");
	assert_int_equal(engine_walk(kit.engine, 0, ignore_found, NULL, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	kit_close(&kit);
	assert_int_equal(unlink(path), 0);
	totals = kit_fsck(&kit, false, &problems);
	assert_true(fsck_clean(&totals));
}

TEST(fsck_repairs_nothing_under_a_running_writer)
{
	struct fsck fsck = { .group = "g01", .repair = true, .path_count = 1 };
	struct fsck_totals totals;
	struct err err;
	struct kit kit;

	kit_start(&kit, "volume");
	fsck.paths = kit.conf.paths;
	assert_int_equal(fsck_run(&fsck, &totals, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	kit_close(&kit);
}
