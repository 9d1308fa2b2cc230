/* The volume engine and its disk: blocks given back, a disk that is full, one that fails. */
#include "core/crc32.h"
#include "core/disk.h"
#include "store/record.h"
#include "store_kit.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- space --- */

static blkcnt_t blocks_of(struct kit *kit, const struct file_id *id)
{
	char file[512];
	struct stat st;

	kit_volume_file(kit, id, file);
	assert_int_equal(stat(file, &st), 0);
	return st.st_blocks;
}

TEST(deleting_gives_blocks_back_and_leaves_no_byte)
{
	uint8_t *bytes = malloc(300000);
	struct file_id id, after;
	blkcnt_t before;
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume");
	kit_put(&kit, 5000, 1);
	id = kit_put(&kit, 300000, 2);
	after = kit_put(&kit, 5000, 3);
	kit_open(&kit, "volume"); /* what was allocated ahead is given back */
	before = blocks_of(&kit, &id);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	kit_put(&kit, 100, 9); /* the batch behind the erasing */
	kit_close(&kit);
	assert_true(blocks_of(&kit, &id) < before - 290000 / 512);
	kit_read(&kit, &id, kit_offset(&id) + 128, bytes, 300000);
	for (int i = 0; i < 300000; i++)
		assert_int_equal(bytes[i], 0);
	kit_open(&kit, "volume");
	assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
	assert_int_equal(kit_remove(&kit, &id), ERR_GONE);
	kit_expect(&kit, &after, 5000, 3);
	assert_int_equal(kit_walk(&kit, ENGINE_CHECK_CONTENT).pictures, 3);
	kit_close(&kit);
	free(bytes);
}

TEST(a_record_goes_behind_an_erased_one_that_was_the_last)
{
	struct file_id id, next;
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume");
	id = kit_put(&kit, 100000, 1);
	kit_remove(&kit, &id);
	kit_remove(&kit, &id); /* the first one's erasing is behind us then */
	kit_open(&kit, "volume");
	next = kit_put(&kit, 1000, 2);
	assert_int_equal(next.random, id.random + record_room(100000));
	kit_expect(&kit, &next, 1000, 2);
	kit_close(&kit);
}

TEST(a_picture_that_ends_in_zeros_is_not_written_over)
{
	uint8_t zeros[5000] = { 0 };
	struct file_id first, second;
	struct kit kit;

	kit_start(&kit, "volume");
	first = kit_put_span(&kit, span_of(zeros, sizeof zeros), "png");
	kit_open(&kit, "volume");
	second = kit_put(&kit, 5000, 1);
	kit_expect(&kit, &second, 5000, 1);
	assert_int_equal(kit_get_code(&kit, &first), ERR_NONE);
	kit_close(&kit);
}

/* --- a disk that is full, or fails --- */

static struct disk_ops ops; /* as Linux does it, but for what a test changes */

static void init(struct kit *kit, size_t path_count)
{
	ops = disk_linux;
	disk = &ops;
	kit_init(kit, path_count);
}

static void end(struct kit *kit)
{
	kit_close(kit);
	disk = &disk_linux;
}

static enum err_code put_code(struct kit *kit, int path)
{
	struct engine_put put = { .content = SPAN("x"), .path = path };

	put.crc = crc32_add(0, put.content);
	engine_put_wait(kit->engine, &put);
	return put.err.code;
}

static struct statvfs fake_space;

static int fake_statvfs(const char *path, struct statvfs *out)
{
	(void)path;
	*out = fake_space;
	return 0;
}

TEST(a_full_disk_refuses_puts_and_nothing_else_until_there_is_space)
{
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct engine_space space;
	struct file_id id;
	struct err err;
	struct kit kit;

	init(&kit, 1);
	kit.conf.preallocate = 64 << 10;
	kit.conf.reserved_space = 1 << 20;
	ops.statvfs = fake_statvfs;
	fake_space = (struct statvfs){ .f_frsize = 4096, .f_blocks = 1000, .f_bavail = 500 };
	kit_open(&kit, "volume");
	id = kit_put(&kit, 50000, 1);
	fake_space.f_bavail = 256;
	kit_put(&kit, 100, 1); /* there is room that is allocated already */
	put.content = span_of(kit_bytes(100000, 1), 100000);
	put.crc = crc32_add(0, put.content);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_FULL);
	assert_int_equal(engine_space(kit.engine, &space, &err), 0);
	assert_int_equal(space.free, 0);
	kit_expect(&kit, &id, 50000, 1);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	fake_space.f_bavail = 256 + 25; /* no whole step, but enough */
	assert_int_equal(engine_put_wait(kit.engine, &put), 0);
	end(&kit);
	free((void *)(uintptr_t)put.content.data);
}

static int statvfs_first_full(const char *path, struct statvfs *out)
{
	*out = fake_space;
	if (path[strlen(path) - 1] == '0')
		out->f_bavail = 0;
	return 0;
}

TEST(a_full_store_path_leaves_its_turn_to_another)
{
	struct kit kit;

	init(&kit, 2);
	ops.statvfs = statvfs_first_full;
	fake_space = (struct statvfs){ .f_frsize = 4096, .f_blocks = 1000, .f_bavail = 900 };
	kit_open(&kit, "volume");
	for (int i = 0; i < 4; i++)
		assert_int_equal(kit_put(&kit, 100, 1).path, 1);
	assert_int_equal(put_code(&kit, 0), ERR_FULL);
	end(&kit);
}

static _Atomic int failing_flushes;

static int fail_fdatasync(int fd)
{
	if (failing_flushes > 0) {
		failing_flushes--;
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

TEST(a_failed_flush_fails_the_upload_and_leaves_the_volume)
{
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct file_id before, after;
	struct kit kit;

	init(&kit, 1);
	ops.fdatasync = fail_fdatasync;
	kit_open(&kit, "volume");
	before = kit_put(&kit, 1000, 1);
	failing_flushes = 1;
	put.crc = crc32_add(0, put.content);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_IO);
	assert_int_equal(kit_get_code(&kit, &put.id), ERR_NOT_FOUND);
	after = kit_put(&kit, 1000, 2);
	assert_int_equal(after.dir, before.dir + 1);
	kit_expect(&kit, &before, 1000, 1);
	kit_expect(&kit, &after, 1000, 2);
	assert_int_equal(kit_walk(&kit, ENGINE_CHECK_CONTENT).pictures, 2);
	failing_flushes = 1;
	assert_int_equal(kit_remove(&kit, &after), ERR_IO);
	end(&kit);
}

static int no_link(const char *from, const char *to)
{
	(void)from;
	(void)to;
	errno = EIO;
	return -1;
}

TEST(without_a_new_volume_after_a_failed_flush_the_store_path_is_out)
{
	struct file_id id;
	struct kit kit;

	init(&kit, 1);
	ops.fdatasync = fail_fdatasync;
	kit_open(&kit, "volume");
	id = kit_put(&kit, 1000, 1);
	failing_flushes = 1;
	assert_int_equal(put_code(&kit, ENGINE_ANY_PATH), ERR_IO);
	ops.link = no_link;
	assert_int_equal(put_code(&kit, ENGINE_ANY_PATH), ERR_IO);
	ops.link = link;
	assert_int_equal(put_code(&kit, ENGINE_ANY_PATH), ERR_IO);
	kit_expect(&kit, &id, 1000, 1);
	kit_open(&kit, "volume");
	kit_put(&kit, 1000, 2);
	end(&kit);
}

static int no_fsync_of_folders(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && failing_flushes > 0 &&
		--failing_flushes == 0) {
		errno = EIO;
		return -1;
	}
	return fsync(fd);
}

TEST(a_volume_that_was_made_and_not_surely_does_not_stand_in_the_way)
{
	struct file_id id;
	struct kit kit;

	init(&kit, 1);
	ops.fsync = no_fsync_of_folders;
	kit_open(&kit, "volume");
	failing_flushes = 3; /* the store path's, data's, then the one above the volume */
	assert_int_equal(put_code(&kit, ENGINE_ANY_PATH), ERR_IO);
	id = kit_put(&kit, 1000, 1);
	assert_int_equal(id.dir, 1);
	kit_expect(&kit, &id, 1000, 1);
	kit_open(&kit, "volume");
	kit_expect(&kit, &id, 1000, 1);
	end(&kit);
}

static int no_link_in_first(const char *from, const char *to)
{
	if (strstr(to, "/p0/") != NULL)
		return no_link(from, to);
	return link(from, to);
}

TEST(a_store_path_that_fails_leaves_its_turn_to_another)
{
	struct kit kit;

	init(&kit, 2);
	ops.link = no_link_in_first;
	kit_open(&kit, "volume");
	for (int i = 0; i < 4; i++)
		assert_int_equal(kit_put(&kit, 100, 1).path, 1);
	assert_int_equal(put_code(&kit, 0), ERR_IO);
	end(&kit);
}

static ssize_t short_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	struct iovec one = { iov->iov_base, iov->iov_len > 100 ? 100 : iov->iov_len };

	(void)count;
	return pwritev(fd, &one, 1, offset);
}

TEST(short_writes_are_continued)
{
	struct file_id id;
	struct kit kit;

	init(&kit, 1);
	ops.pwritev = short_pwritev;
	kit_open(&kit, "volume");
	id = kit_put(&kit, 3000, 1);
	kit_expect(&kit, &id, 3000, 1);
	end(&kit);
}

static _Atomic int writes, written_bytes;

static ssize_t count_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	ssize_t len = disk_linux.pwritev(fd, iov, count, offset);

	writes++;
	written_bytes += (int)len;
	return len;
}

/* Each page more that a delete touches is one more for the flush that others wait for. */
TEST(a_delete_writes_over_the_header_and_nothing_else)
{
	struct file_id id;
	struct kit kit;

	init(&kit, 1);
	ops.pwritev = count_pwritev;
	kit_open(&kit, "volume");
	id = kit_put(&kit, 50000, 1);
	writes = written_bytes = 0;
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(writes, 1);
	assert_int_equal(written_bytes, 128);
	assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
	end(&kit);
}

static _Atomic int failing_writes;

static ssize_t no_space_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (count > 1 && failing_writes > 0) {
		failing_writes--;
		if (pwritev(fd, iov, 2, offset) < 0) /* some of it got there */
			return -1;
		errno = ENOSPC;
		return -1;
	}
	return pwritev(fd, iov, count, offset);
}

TEST(a_write_that_finds_no_space_leaves_no_picture_behind)
{
	struct fsck_totals totals;
	struct file_id before, after;
	struct kit kit;
	int problems;

	init(&kit, 1);
	ops.pwritev = no_space_pwritev;
	kit_open(&kit, "volume");
	before = kit_put(&kit, 1000, 1);
	failing_writes = 1;
	assert_int_equal(put_code(&kit, ENGINE_ANY_PATH), ERR_FULL);
	after = kit_put(&kit, 1000, 2);
	kit_expect(&kit, &before, 1000, 1);
	kit_expect(&kit, &after, 1000, 2);
	totals = kit_fsck(&kit, false, &problems);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.pictures, 2);
	assert_int_equal(totals.unknown_bytes, 512); /* what is left of it */
	end(&kit);
}
