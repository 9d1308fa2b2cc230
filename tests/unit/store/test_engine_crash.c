/* What is left after a crash of the process (SIGKILL), and after one of the machine at a few
 * chosen moments; test_engine_power_cut.c has all others. */
#include "core/crc32.h"
#include "store/record.h"
#include "store_kit.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the process is killed --- */

enum { IN_FLIGHT = 16, ENOUGH = 300 };

static int answers; /* the pipe that ids are written to when they are acknowledged */

static void acknowledge(struct engine_put *put)
{
	if (put->err.code != ERR_NONE || write(answers, &put->id, sizeof put->id) < 0)
		_exit(1);
	engine_put(put->context, put);
}

/* In the child: puts without end, until it is killed. */
static void put_forever(struct kit *kit)
{
	static struct engine_put puts[IN_FLIGHT];

	kit_open(kit, "volume");
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		size_t len = 200 + i * 1500;
		uint8_t *bytes = kit_bytes(len, i);

		puts[i] = (struct engine_put){
			.content = span_of(bytes, len),
			.crc = crc32_add(0, span_of(bytes, len)),
			.path = ENGINE_ANY_PATH,
			.done = acknowledge,
			.context = kit->engine,
		};
		engine_put(kit->engine, &puts[i]);
	}
	for (;;)
		pause();
}

TEST(every_acknowledged_picture_survives_sigkill)
{
	static struct file_id ids[100000];
	struct fsck_totals totals;
	struct kit kit;
	size_t count = 0;

	kit_init(&kit, 1);
	for (int round = 0; round < 3; round++) {
		size_t until = count + ENOUGH;
		int pipes[2], status;
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		if (child == 0) {
			close(pipes[0]);
			answers = pipes[1];
			put_forever(&kit);
		}
		close(pipes[1]);
		/* Killed at no particular moment; then what is still in the pipe is read. */
		for (bool killed = false; count < 100000; count++) {
			if (read(pipes[0], &ids[count], sizeof ids[0]) != sizeof ids[0])
				break;
			if (count >= until && !killed) {
				kill(child, SIGKILL);
				killed = true;
			}
		}
		close(pipes[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		kit_open(&kit, "volume");
		for (size_t i = 0; i < count; i++)
			if (kit_get_code(&kit, &ids[i]) != ERR_NONE)
				fail_msg("picture %zu of %zu is lost", i, count);
		kit_close(&kit);
	}
	totals = kit_fsck(&kit, false, NULL);
	assert_true(fsck_clean(&totals));
	assert_true(totals.pictures >= count);
	assert_true(totals.pictures <= count + 3 * IN_FLIGHT); /* written, not acknowledged */
}

/* --- the machine loses power --- */

static void grow(struct kit *kit, const struct file_id *id, int64_t by)
{
	char file[512];
	struct stat st;

	kit_volume_file(kit, id, file);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(truncate(file, st.st_size + by), 0);
}

/* The last record has not reached the disk whole: of its blocks any subset did. */
TEST(a_torn_record_neither_is_served_nor_hides_or_harms_another)
{
	enum { LEN = 3000, BLOCKS = 7 };
	static const uint8_t zeros[512];

	for (unsigned lost = 1; lost < 1 << BLOCKS; lost += 1 + lost % 9) {
		struct file_id before, torn, after, forged;
		struct fsck_totals totals;
		enum err_code code;
		struct kit kit;

		kit_start(&kit, "volume");
		before = kit_put(&kit, 5000, 1);
		torn = kit_put(&kit, LEN, 2);
		assert_int_equal(record_room(LEN), BLOCKS);
		kit_close(&kit);
		grow(&kit, &torn, 1 << 20);
		for (unsigned block = 0; block < BLOCKS; block++)
			if (lost & 1U << block)
				kit_write(&kit, &torn, ((int64_t)torn.random + block) * 512, zeros,
					512);
		kit_open(&kit, "volume");
		code = kit_get_code(&kit, &torn);
		assert_true(code == ERR_CORRUPT || code == ERR_NOT_FOUND);
		forged = torn; /* the same place under a name that nobody gave out */
		forged.name[37] = forged.name[37] == '0' ? '1' : '0';
		assert_int_equal(kit_remove(&kit, &forged), ERR_NOT_FOUND);
		assert_int_equal(kit_get_code(&kit, &torn), code);
		after = kit_put(&kit, 9000, 3);
		kit_expect(&kit, &before, 5000, 1);
		kit_expect(&kit, &after, 9000, 3);
		totals = kit_fsck(&kit, false, NULL);
		assert_int_equal(totals.pictures, 2);
		code = kit_remove(&kit, &torn); /* nor does deleting it harm the one behind */
		assert_true(code == ERR_NONE || code == ERR_NOT_FOUND);
		kit_close(&kit);
		totals = kit_fsck(&kit, false, NULL);
		assert_int_equal(totals.pictures, 2);
		kit.conf.punch_delay_ms = 0;
		kit_open(&kit, "volume");
		kit_remove(&kit, &torn);
		kit_expect(&kit, &after, 9000, 3);
		kit_close(&kit);
	}
}

TEST(a_volume_cut_off_in_a_record_goes_on_behind_it)
{
	struct file_id first, cut, after;
	struct kit kit;
	char file[512];

	kit_init(&kit, 1);
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume");
	first = kit_put(&kit, 5000, 1);
	cut = kit_put(&kit, 50000, 2);
	kit_close(&kit);
	kit_volume_file(&kit, &cut, file);
	assert_int_equal(truncate(file, kit_offset(&cut) + 20000), 0);
	kit_open(&kit, "volume");
	assert_int_equal(kit_get_code(&kit, &cut), ERR_CORRUPT);
	after = kit_put(&kit, 5000, 3);
	assert_int_equal(kit_remove(&kit, &cut), ERR_NONE);
	assert_int_equal(kit_remove(&kit, &cut), ERR_GONE);
	kit_put(&kit, 60000, 4);
	kit_open(&kit, "volume");
	kit_expect(&kit, &first, 5000, 1);
	kit_expect(&kit, &after, 5000, 3);
	kit_close(&kit);
}

static void set_size(struct kit *kit, const struct file_id *id, int64_t size)
{
	char file[512];

	kit_volume_file(kit, id, file);
	assert_int_equal(truncate(file, size), 0);
}

/* The size was in the journal before the blocks were on the disk. */
TEST(a_torn_record_is_found_also_where_the_file_ends_with_it)
{
	static const uint8_t zeros[512];
	struct fsck_totals totals;
	struct file_id torn;
	struct kit kit;

	kit_start(&kit, "volume");
	kit_put(&kit, 5000, 1);
	torn = kit_put(&kit, 3000, 2);
	kit_close(&kit);
	set_size(&kit, &torn, ((int64_t)torn.random + (int64_t)record_room(3000)) * 512);
	kit_write(&kit, &torn, ((int64_t)torn.random + 2) * 512, zeros, sizeof zeros);
	kit_open(&kit, "volume");
	assert_int_equal(kit_get_code(&kit, &torn), ERR_CORRUPT);
	kit_close(&kit);
	totals = kit_fsck(&kit, false, NULL);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.torn, 1);
}

TEST(damage_in_a_volume_that_was_closed_in_order_is_not_taken_for_a_torn_record)
{
	struct fsck_totals totals;
	struct file_id last;
	struct kit kit;

	kit_start(&kit, "volume");
	last = kit_put(&kit, 5000, 1);
	kit_close(&kit);
	kit_flip(&kit, &last, kit_offset(&last) + 2000, 4);
	kit_open(&kit, "volume");
	kit_close(&kit);
	totals = kit_fsck(&kit, false, NULL);
	assert_int_equal(totals.corrupt, 1);
	assert_int_equal(totals.torn, 0);
}

/* Of a record that came after a close, the old size has kept the first bytes. */
TEST(a_piece_of_a_header_behind_a_closed_volume_does_no_harm)
{
	struct fsck_totals totals;
	struct file_id first, cut, after;
	struct kit kit;

	kit_start(&kit, "volume");
	first = kit_put(&kit, 5000, 1);
	cut = kit_put(&kit, 3000, 2);
	kit_close(&kit);
	set_size(&kit, &cut, kit_offset(&cut) + 16);
	kit_open(&kit, "volume");
	after = kit_put(&kit, 4000, 3);
	assert_int_equal(after.random, cut.random); /* it left nothing */
	kit_expect(&kit, &first, 5000, 1);
	kit_expect(&kit, &after, 4000, 3);
	kit_close(&kit);
	totals = kit_fsck(&kit, false, NULL);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.pictures, 2);
}

TEST(a_start_that_was_cut_off_leaves_no_volume)
{
	struct file_id id;
	struct kit kit;
	char path[400];
	int fd;

	kit_start(&kit, "volume");
	kit_close(&kit);
	snprintf(path, sizeof path, "%s/data", kit.folders[0]);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/data/00", kit.folders[0]);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/data/00/00.vol.new", kit.folders[0]);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "half a head", 11), 11);
	close(fd);
	kit_open(&kit, "volume");
	id = kit_put(&kit, 1000, 1);
	kit_expect(&kit, &id, 1000, 1);
	assert_int_equal(access(path, F_OK), -1);
	kit_close(&kit);
}
