/* test_eraser.c - the bytes of deleted pictures go when their time has come, in a thread. */
#include "core/clock.h"
#include "store/record.h"
#include "store_kit.h"

#include "unit.h"

#include <sched.h>
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
