#include "store/record.h"
#include "store_kit.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECRET_AT = 48 }; /* in the head, see record.h */

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

/* Put a record of this engine's at block `spot`, as if its content were behind it. */
static struct file_id forge(struct kit *kit, const struct file_id *model, uint32_t spot)
{
	struct file_id id = *model;
	uint64_t room = record_room(id.size) * RECORD_BLOCK;
	uint8_t secret[RECORD_SECRET_LEN], *bytes = calloc(1, room);
	struct record_key key;
	struct record record;

	id.random = spot;
	assert_true(file_id_make(&id, 7));
	kit_read(kit, &id, SECRET_AT, secret, sizeof secret);
	record_key_init(&key, secret);
	record_of_picture(&record, &id);
	record_encode(&record, &key, bytes);
	kit_read(kit, model, kit_offset(model) + RECORD_HEADER_LEN, bytes + RECORD_HEADER_LEN,
		id.size);
	record_end_encode(&record, &key, bytes + room - RECORD_END_LEN);
	kit_write(kit, &id, kit_offset(&id), bytes, room);
	free(bytes);
	return id;
}

TEST(a_record_in_the_last_block_of_one_that_has_no_end_mark_is_found_and_left_alone)
{
	enum { FULL = 2 * RECORD_BLOCK - RECORD_HEADER_LEN }; /* the end mark is alone in block 3 */
	struct fsck_totals totals;
	struct file_id model, full, inside;
	struct kit kit;
	int problems;

	kit_start(&kit, "volume");
	model = kit_put(&kit, 1000, 1);
	full = kit_put(&kit, FULL, 2);
	kit_close(&kit);
	assert_int_equal(record_room(FULL), 3);
	inside = forge(&kit, &model, full.random + 2);
	totals = kit_fsck(&kit, true, &problems);
	assert_int_equal(problems, 0);
	assert_int_equal(totals.pictures, 3);
	assert_int_equal(totals.ends, 0);
	assert_int_equal(totals.unknown_bytes, 0);
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume"); /* nor does a start write an end mark there */
	kit_expect(&kit, &full, FULL, 2);
	kit_expect(&kit, &inside, 1000, 1);
	assert_int_equal(kit_remove(&kit, &full), ERR_NONE);
	kit_open(&kit, "volume"); /* erased */
	kit_expect(&kit, &inside, 1000, 1);
	kit_close(&kit);
	totals = kit_fsck(&kit, false, &problems);
	assert_int_equal(problems, 0);
	assert_int_equal(totals.pictures, 2);
}
