/* What is left after a crash: of the process (SIGKILL), and of the machine, which loses
 * any part of what was not flushed. */
#include "core/crc32.h"
#include "core/disk.h"
#include "store/fsck.h"
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

static void ignore_problem(void *context, const char *file, const struct err *err)
{
	(void)context;
	(void)file;
	(void)err;
}

static struct fsck_totals fsck(struct kit *kit)
{
	struct fsck fsck = {
		.group = "g01",
		.paths = kit->conf.paths,
		.path_count = 1,
		.problem = ignore_problem,
	};
	struct fsck_totals totals;

	assert_int_equal(fsck_run(&fsck, &totals, NULL), 0);
	return totals;
}

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
	totals = fsck(&kit);
	assert_true(fsck_clean(&totals));
	assert_true(totals.pictures >= count);
	assert_true(totals.pictures <= count + 3 * IN_FLIGHT); /* written, not acknowledged */
}

/* --- the machine loses power --- */

static void overwrite(
	struct kit *kit, const struct file_id *id, int64_t at, const void *bytes, size_t len)
{
	char file[512];
	int fd;

	kit_volume_file(kit, id, file);
	fd = open(file, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

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

		kit_init(&kit, 1);
		kit_open(&kit, "volume");
		before = kit_put(&kit, 5000, 1);
		torn = kit_put(&kit, LEN, 2);
		assert_int_equal(record_room(LEN), BLOCKS);
		kit_close(&kit);
		grow(&kit, &torn, 1 << 20);
		for (unsigned block = 0; block < BLOCKS; block++)
			if (lost & 1U << block)
				overwrite(&kit, &torn, ((int64_t)torn.random + block) * 512, zeros,
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
		totals = fsck(&kit);
		assert_int_equal(totals.pictures, 2);
		code = kit_remove(&kit, &torn); /* nor does deleting it harm the one behind */
		assert_true(code == ERR_NONE || code == ERR_NOT_FOUND);
		kit_close(&kit);
		totals = fsck(&kit);
		assert_int_equal(totals.pictures, 2);
		kit.conf.punch_delay_ms = 0;
		kit_open(&kit, "volume");
		kit_remove(&kit, &torn);
		kit_expect(&kit, &after, 9000, 3);
		kit_close(&kit);
	}
}

/* All that is written to one volume, in order, with what became certain when. */
struct event {
	enum { EVENT_WRITE, EVENT_SIZE, EVENT_FLUSH, EVENT_PUT, EVENT_REMOVE } what;
	int64_t offset;
	struct span bytes;
	struct file_id id;
};

enum { EVENTS_MAX = 4000 };

static struct event events[EVENTS_MAX];
static size_t event_count;
static ino_t recorded; /* the volume's inode */

/* Called by the writer's thread alone, while there is one. */
static struct event *add_event(int fd, int what)
{
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_ino != recorded))
		return NULL;
	if (event_count == EVENTS_MAX)
		abort();
	events[event_count] = (struct event){ .what = what };
	return &events[event_count++];
}

static ssize_t record_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	for (off_t at = offset; count > 0; at += (off_t)iov->iov_len, iov++, count--) {
		struct event *event = add_event(fd, EVENT_WRITE);
		uint8_t *bytes = malloc(iov->iov_len + 1);

		memcpy(bytes, iov->iov_base, iov->iov_len);
		if (pwrite(fd, bytes, iov->iov_len, at) != (ssize_t)iov->iov_len)
			abort();
		if (event != NULL) {
			event->offset = at;
			event->bytes = span_of(bytes, iov->iov_len);
		} else {
			free(bytes);
		}
		offset = at + (off_t)iov->iov_len;
	}
	return offset;
}

static int record_fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct event *event;

	if (fallocate(fd, mode, offset, len) != 0)
		return -1;
	event = add_event(fd, mode == 0 ? EVENT_SIZE : EVENT_WRITE);
	if (event != NULL && mode == 0)
		event->offset = offset + len;
	else if (event != NULL) {
		event->offset = offset;
		event->bytes = span_of(calloc(1, (size_t)len), (size_t)len);
	}
	return 0;
}

static int record_fdatasync(int fd)
{
	add_event(fd, EVENT_FLUSH);
	return 0;
}

static void record_put(struct engine_put *put)
{
	if (put->err.code != ERR_NONE)
		abort();
	add_event(-1, EVENT_PUT)->id = put->id;
}

static void record_remove(struct engine_remove *remove)
{
	if (remove->err.code != ERR_NONE)
		abort();
	add_event(-1, EVENT_REMOVE)->id = remove->id;
}

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 8) % sides;
}

/* Put `bytes` into the image: all, or each block of them or not. */
static void apply(uint8_t *image, const struct event *event, bool all)
{
	size_t at = (size_t)event->offset;

	for (size_t left = event->bytes.len, done = 0; left > 0;) {
		size_t n = 512 - at % 512;

		if (n > left)
			n = left;
		if (all || dice(2) == 0)
			memcpy(image + at, event->bytes.data + done, n);
		at += n;
		done += n;
		left -= n;
	}
}

/* The volume as a disk may have it when power fails before event `until`.  Returns its
 * size. */
static size_t crash_image(uint8_t *image, size_t size, size_t until)
{
	size_t flushed = 0;

	for (size_t i = 0; i < until; i++)
		if (events[i].what == EVENT_FLUSH)
			flushed = i;
	for (size_t i = 0; i < until; i++) {
		if (events[i].what == EVENT_WRITE)
			apply(image, &events[i], i < flushed);
		/* The size is in the journal together with the first block that needs it. */
		if (events[i].what == EVENT_SIZE && (size_t)events[i].offset > size)
			size = (size_t)events[i].offset;
	}
	return size;
}

static void check_after(struct kit *kit, size_t until)
{
	struct fsck_totals totals;
	struct file_id after;

	kit_open(kit, "volume");
	after = kit_put(kit, 7000, 77);
	for (size_t i = 0; i < until; i++) {
		bool removed = false;
		enum err_code code;

		if (events[i].what != EVENT_PUT)
			continue;
		code = kit_get_code(kit, &events[i].id);
		for (size_t k = i; k < until; k++)
			removed |= events[k].what == EVENT_REMOVE &&
				   file_id_equal(&events[k].id, &events[i].id);
		/* A remove that is not answered may have happened or not. */
		if (removed ? code != ERR_GONE : code != ERR_NONE && code != ERR_GONE)
			fail_msg("%s after a crash before event %zu: %s", events[i].id.name, until,
				err_word(code));
	}
	kit_expect(kit, &after, 7000, 77);
	kit_close(kit);
	totals = fsck(kit);
	if (!fsck_clean(&totals))
		fail_msg("fsck is not content after a crash before event %zu", until);
}

enum { POWER_PUTS = 60, IMAGE_MAX = 8 << 20 };

/* Fill events[] with the life of a store in which much is under way at once. */
static void live(struct kit *kit)
{
	static struct engine_put puts[POWER_PUTS];
	static struct engine_remove removes[POWER_PUTS];
	struct disk_ops ops = disk_linux;

	ops.pwritev = record_pwritev;
	ops.fallocate = record_fallocate;
	ops.fdatasync = record_fdatasync;
	disk = &ops;
	kit_open(kit, "volume");
	for (unsigned i = 0; i < POWER_PUTS; i++) {
		size_t len = i % 7 == 0 ? 40000 : 100 + i * 97;
		uint8_t *bytes = kit_bytes(len, i);

		if (i % 5 == 0)
			memset(bytes + len / 2, 0, len - len / 2);
		puts[i] = (struct engine_put){
			.content = span_of(bytes, len),
			.crc = crc32_add(0, span_of(bytes, len)),
			.path = ENGINE_ANY_PATH,
			.done = record_put,
		};
		if (i % 10 == 9) { /* wait now and then, so that there are several batches */
			assert_int_equal(engine_put_wait(kit->engine, &puts[i]), 0);
			removes[i].id = puts[i].id;
			removes[i].done = record_remove;
			engine_remove(kit->engine, &removes[i]);
		} else {
			engine_put(kit->engine, &puts[i]);
		}
	}
	kit_close(kit);
	disk = &disk_linux;
	for (unsigned i = 0; i < POWER_PUTS; i++)
		free((void *)(uintptr_t)puts[i].content.data);
}

TEST(any_loss_of_what_was_not_flushed_leaves_all_that_was_acknowledged)
{
	uint8_t *base = calloc(1, IMAGE_MAX), *image = malloc(IMAGE_MAX);
	char file[512];
	struct file_id first;
	struct kit kit;
	struct stat st;
	int fd;

	kit_init(&kit, 1);
	kit.conf.preallocate = 300 << 10;
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume");
	first = kit_put(&kit, 3000, 1);
	kit_close(&kit);
	kit_volume_file(&kit, &first, file);
	assert_int_equal(stat(file, &st), 0);
	recorded = st.st_ino;
	kit_read(&kit, &first, 0, base, (size_t)st.st_size);
	live(&kit);
	dice_state = 1;
	for (size_t until = 1; until <= event_count; until += 1 + dice(12)) {
		size_t size;

		memcpy(image, base, IMAGE_MAX);
		size = crash_image(image, (size_t)st.st_size, until);
		assert_true(size <= IMAGE_MAX);
		fd = open(file, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, image, size), size);
		close(fd);
		check_after(&kit, until);
	}
	for (size_t i = 0; i < event_count; i++)
		free((void *)(uintptr_t)events[i].bytes.data);
	free(base);
	free(image);
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
	assert_int_equal(truncate(file, (int64_t)cut.random * 512 + 20000), 0);
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

	kit_init(&kit, 1);
	kit_open(&kit, "volume");
	kit_put(&kit, 5000, 1);
	torn = kit_put(&kit, 3000, 2);
	kit_close(&kit);
	set_size(&kit, &torn, ((int64_t)torn.random + (int64_t)record_room(3000)) * 512);
	overwrite(&kit, &torn, ((int64_t)torn.random + 2) * 512, zeros, sizeof zeros);
	kit_open(&kit, "volume");
	assert_int_equal(kit_get_code(&kit, &torn), ERR_CORRUPT);
	kit_close(&kit);
	totals = fsck(&kit);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.torn, 1);
}

TEST(damage_in_a_volume_that_was_closed_in_order_is_not_taken_for_a_torn_record)
{
	struct fsck_totals totals;
	struct file_id last;
	struct kit kit;

	kit_init(&kit, 1);
	kit_open(&kit, "volume");
	last = kit_put(&kit, 5000, 1);
	kit_close(&kit);
	kit_flip(&kit, &last, (int64_t)last.random * 512 + 2000, 4);
	kit_open(&kit, "volume");
	kit_close(&kit);
	totals = fsck(&kit);
	assert_int_equal(totals.corrupt, 1);
	assert_int_equal(totals.torn, 0);
}

/* Of a record that came after a close, the old size has kept the first bytes. */
TEST(a_piece_of_a_header_behind_a_closed_volume_does_no_harm)
{
	struct fsck_totals totals;
	struct file_id first, cut, after;
	struct kit kit;

	kit_init(&kit, 1);
	kit_open(&kit, "volume");
	first = kit_put(&kit, 5000, 1);
	cut = kit_put(&kit, 3000, 2);
	kit_close(&kit);
	set_size(&kit, &cut, (int64_t)cut.random * 512 + 16);
	kit_open(&kit, "volume");
	after = kit_put(&kit, 4000, 3);
	assert_int_equal(after.random, cut.random); /* it left nothing */
	kit_expect(&kit, &first, 5000, 1);
	kit_expect(&kit, &after, 4000, 3);
	kit_close(&kit);
	totals = fsck(&kit);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.pictures, 2);
}

TEST(a_start_that_was_cut_off_leaves_no_volume)
{
	struct file_id id;
	struct kit kit;
	char path[400];
	int fd;

	kit_init(&kit, 1);
	kit_open(&kit, "volume");
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
