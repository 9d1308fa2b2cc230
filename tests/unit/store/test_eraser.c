/* test_eraser.c - the bytes of deleted pictures go when their time has come, in a thread. */
#include "core/clock.h"
#include "core/disk.h"
#include "store/record.h"
#include "store_kit.h"

#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { PICTURES = 200, LEN = 9000, PATIENCE_MS = 20000 };

/* How many bytes of the picture's content are not zero. */
static size_t bytes_left(const struct kit *kit, const struct file_id *id)
{
	uint8_t *bytes = malloc(LEN);
	size_t left = 0;

	kit_read(kit, id, (int64_t)id->random * RECORD_BLOCK + RECORD_HEADER_LEN, bytes, LEN);
	for (size_t i = 0; i < LEN; i++)
		left += bytes[i] != 0;
	free(bytes);
	return left;
}

static void until_erased(const struct kit *kit, const struct file_id *id)
{
	int64_t end_ms = clock_mono_ms() + PATIENCE_MS;

	while (bytes_left(kit, id) > 0) {
		assert_true(clock_mono_ms() < end_ms);
		sched_yield();
	}
}

static void ignore(struct engine_remove *remove)
{
	(void)remove;
}

TEST(deleted_bytes_are_erased_behind_the_delay_while_others_are_stored)
{
	struct file_id ids[PICTURES];
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.punch_delay_ms = 1;
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < PICTURES; i++)
		ids[i] = kit_put(&kit, LEN, i);
	for (unsigned i = 0; i < PICTURES; i += 2)
		assert_int_equal(kit_remove(&kit, &ids[i]), ERR_NONE);
	for (unsigned i = 0; i < PICTURES; i += 2) {
		until_erased(&kit, &ids[i]);
		kit_expect(&kit, &ids[i + 1], LEN, i + 1);
		assert_int_equal(kit_get_code(&kit, &ids[i]), ERR_GONE);
	}
	kit_close(&kit);
}

TEST(before_the_delay_the_bytes_stay_and_a_stop_does_not_wait_for_it)
{
	int64_t start_ms = clock_mono_ms();
	struct file_id id;
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.punch_delay_ms = 3600000;
	kit_open(&kit, "volume");
	id = kit_put(&kit, LEN, 1);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	kit_close(&kit);
	assert_true(bytes_left(&kit, &id) > LEN / 2);
	assert_true(clock_mono_ms() - start_ms < PATIENCE_MS);
}

static struct disk_ops counting;
static atomic_int punches, flushes_behind;

static int count_fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (mode & FALLOC_FL_PUNCH_HOLE)
		punches++;
	return disk_linux.fallocate(fd, mode, offset, len);
}

static int count_fdatasync(int fd)
{
	if (punches > 0)
		flushes_behind++;
	return disk_linux.fdatasync(fd);
}

TEST(what_was_deleted_here_and_there_shares_the_flushes_of_its_volumes)
{
	enum { HALF = PICTURES / 2, FEW = 40 };
	struct engine_remove removes[PICTURES];
	struct file_id ids[PICTURES];
	struct kit kit;

	counting = disk_linux;
	counting.fallocate = count_fallocate;
	counting.fdatasync = count_fdatasync;
	disk = &counting;
	kit_init(&kit, 1);
	kit.conf.volume_size = 1 << 20;
	kit.conf.punch_delay_ms = 1000;
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < PICTURES; i++)
		ids[i] = kit_put(&kit, LEN, i);
	assert_int_not_equal(ids[0].dir, ids[PICTURES - 1].dir);
	for (unsigned i = 0; i < PICTURES; i++) {
		removes[i] = (struct engine_remove){ .id = ids[i / 2 + i % 2 * HALF],
			.done = ignore };
		engine_remove(kit.engine, &removes[i]);
	}
	for (unsigned i = 0; i < PICTURES; i++)
		until_erased(&kit, &ids[i]);
	assert_int_equal(punches, PICTURES);
	assert_true(flushes_behind < FEW);
	kit_close(&kit);
	disk = &disk_linux;
}

TEST(more_wait_than_there_is_room_for_at_first_and_none_is_forgotten)
{
	enum { MANY = 1200 };
	struct file_id *ids = calloc(MANY, sizeof *ids);
	struct engine_remove *removes = calloc(MANY, sizeof *removes);
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.punch_delay_ms = 1500; /* all of them wait for their time together */
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < MANY; i++)
		ids[i] = kit_put(&kit, LEN, i);
	for (unsigned i = 0; i < MANY; i++) {
		removes[i] = (struct engine_remove){ .id = ids[i], .done = ignore };
		engine_remove(kit.engine, &removes[i]);
	}
	for (unsigned i = 0; i < MANY; i++)
		until_erased(&kit, &ids[i]);
	kit_close(&kit);
	free(removes);
	free(ids);
}
