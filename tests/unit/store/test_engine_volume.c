/* What the volume engine promises beyond the contract. */
#include "core/crc32.h"
#include "core/disk.h"
#include "store/fsck.h"
#include "store/record.h"
#include "store/volume_list.h"
#include "store_kit.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_kit(struct kit *kit)
{
	kit_init(kit, 1);
	kit_open(kit, "volume");
}

static int64_t offset_of(const struct file_id *id)
{
	return (int64_t)id->random * FILE_ID_SPOT_UNIT;
}

static enum err_code open_code(const struct engine_conf *conf)
{
	struct err err = { 0 };
	struct engine *engine = engine_open("volume", conf, &err);

	engine_close(engine);
	return err.code;
}

static struct fsck_totals fsck(struct kit *kit, bool repair, int *problems);

/* --- damage --- */

TEST(a_flipped_byte_of_the_content_is_never_served)
{
	struct file_id id, big;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 1000, 1);
	big = kit_put(&kit, 1 << 20, 2);
	kit_flip(&kit, &id, offset_of(&id) + 128 + 999, 1);
	kit_flip(&kit, &big, offset_of(&big) + 128 + 700000, 0x80);
	assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
	assert_int_equal(kit_get_code(&kit, &big), ERR_CORRUPT);
	kit_flip(&kit, &id, offset_of(&id) + 128 + 999, 1);
	kit_expect(&kit, &id, 1000, 1);
	kit_close(&kit);
}

TEST(a_flipped_byte_of_the_header_is_told)
{
	struct file_id id;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 1000, 1);
	for (int64_t at = 0; at < RECORD_HEADER_LEN; at++) {
		kit_flip(&kit, &id, offset_of(&id) + at, 4);
		assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
		kit_flip(&kit, &id, offset_of(&id) + at, 4);
	}
	kit_close(&kit);
}

TEST(a_damaged_head_is_replaced_by_its_copy)
{
	struct file_id id;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 1000, 1);
	kit_flip(&kit, &id, 50, 4);
	kit_open(&kit, "volume");
	kit_expect(&kit, &id, 1000, 1);
	kit_flip(&kit, &id, 4096 + 50, 4);
	kit_open(&kit, "volume");
	assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
	assert_int_equal(kit_put(&kit, 1000, 2).dir, 1); /* and uploads go on */
	kit_close(&kit);
}

TEST(content_that_looks_like_a_record_is_neither_served_nor_walked)
{
	struct file_id outer, inner;
	struct record record;
	struct record_key key;
	uint8_t content[2048] = { 0 };
	struct kit kit;

	open_kit(&kit);
	kit_put(&kit, 100, 1);
	record_key_init(&key, (const uint8_t *)"a guessed secret");
	/* The content starts 128 bytes behind a block; the next record goes to block 18. */
	inner = kit_put(&kit, 5, 1);
	inner.random = 18 + 2;
	assert_true(file_id_make(&inner, 7));
	record_of_picture(&record, &inner);
	record_encode(&record, &key, content + 2 * 512 - 128);
	outer = kit_put_span(&kit, span_of(content, sizeof content), "jpg");
	assert_int_equal(outer.random, 18);
	assert_int_equal(kit_get_code(&kit, &inner), ERR_NOT_FOUND);
	assert_int_equal(kit_get_code(&kit, &outer), ERR_NONE);
	kit_close(&kit);
}

/* --- walks --- */

struct counts {
	int pictures, deleted, corrupt, torn;
	struct file_id last;
};

static bool count(void *context, const struct engine_found *found)
{
	struct counts *counts = context;

	counts->pictures += found->what == ENGINE_FOUND_PICTURE;
	counts->deleted += found->what == ENGINE_FOUND_DELETED;
	counts->corrupt += found->what == ENGINE_FOUND_CORRUPT;
	counts->torn += found->what == ENGINE_FOUND_TORN;
	counts->last = found->id;
	return true;
}

static struct counts walk(struct kit *kit, unsigned flags)
{
	struct counts counts = { 0 };
	struct err err;

	if (engine_walk(kit->engine, flags, count, &counts, &err) != 0)
		fail_msg("walk failed: %s", err.text);
	return counts;
}

TEST(a_walk_finds_everything)
{
	struct file_id ids[20];
	struct counts counts;
	struct kit kit;

	open_kit(&kit);
	for (unsigned i = 0; i < 20; i++)
		ids[i] = kit_put(&kit, i * 3000, i);
	kit_remove(&kit, &ids[3]);
	kit_flip(&kit, &ids[5], offset_of(&ids[5]) + 128 + 77, 1);
	kit_flip(&kit, &ids[7], offset_of(&ids[7]) + 70, 1);
	counts = walk(&kit, 0);
	assert_int_equal(counts.pictures, 18);
	assert_int_equal(counts.deleted, 1);
	assert_int_equal(counts.corrupt, 1); /* the header */
	counts = walk(&kit, ENGINE_CHECK_CONTENT);
	assert_int_equal(counts.pictures, 17);
	assert_int_equal(counts.corrupt, 2);
	assert_int_equal(counts.torn, 0);
	assert_true(file_id_equal(&counts.last, &ids[19]));
	kit_close(&kit);
}

TEST(a_walk_beside_the_writer_needs_no_lock)
{
	struct file_id id;
	struct kit kit, reader;
	struct engine_put put = { .content = SPAN("x") };

	open_kit(&kit);
	id = kit_put(&kit, 5000, 1);
	reader = kit;
	reader.engine = NULL;
	reader.conf.read_only = true;
	kit_open(&reader, "volume");
	kit_expect(&reader, &id, 5000, 1);
	assert_int_equal(walk(&reader, ENGINE_CHECK_CONTENT).pictures, 1);
	id = kit_put(&kit, 6000, 2); /* the file has grown since */
	kit_expect(&reader, &id, 6000, 2);
	assert_int_equal(kit_remove(&reader, &id), ERR_NOT_ALLOWED);
	assert_int_equal(engine_put_wait(reader.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_NOT_ALLOWED);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(kit_get_code(&reader, &id), ERR_GONE);
	kit_close(&reader);
	kit_close(&kit);
}

/* --- who may open --- */

TEST(a_second_writer_is_refused)
{
	struct kit kit;

	open_kit(&kit);
	assert_int_equal(open_code(&kit.conf), ERR_BUSY);
	kit_close(&kit);
	assert_int_equal(open_code(&kit.conf), ERR_NONE);
}

TEST(volumes_of_another_group_or_store_path_are_refused)
{
	struct kit kit;
	char *swap;

	kit_init(&kit, 2);
	kit_open(&kit, "volume");
	kit_put(&kit, 100, 1);
	kit_put(&kit, 100, 1);
	kit_close(&kit);
	kit.conf.group = "g02";
	assert_int_equal(open_code(&kit.conf), ERR_CONFIG);
	kit.conf.group = "g01";
	swap = kit.paths[0];
	kit.paths[0] = kit.paths[1];
	kit.paths[1] = swap;
	assert_int_equal(open_code(&kit.conf), ERR_CONFIG);
}

TEST(a_store_path_that_is_not_there_is_refused)
{
	struct kit kit;

	kit_init(&kit, 1);
	strcat(kit.folders[0], "/missing");
	kit.paths[0] = kit.folders[0];
	kit.conf.paths = kit.paths;
	assert_int_equal(open_code(&kit.conf), ERR_IO);
}

/* --- volumes --- */

TEST(goes_on_to_the_next_volume_when_one_is_full)
{
	struct file_id ids[40];
	struct engine_put put = { .path = ENGINE_ANY_PATH };
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.volume_size = 64 << 10;
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < 40; i++)
		ids[i] = kit_put(&kit, 10000, i);
	assert_int_equal(ids[0].dir, 0);
	assert_int_equal(ids[39].dir, 7); /* five fit one */
	assert_int_equal(volume_list_newest(kit.folders[0]), 7);
	assert_int_equal(walk(&kit, ENGINE_CHECK_CONTENT).pictures, 40);
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < 40; i++)
		kit_expect(&kit, &ids[i], 10000, i);
	assert_int_equal(kit_remove(&kit, &ids[2]), ERR_NONE); /* in a volume that is full */
	assert_int_equal(kit_get_code(&kit, &ids[2]), ERR_GONE);
	put.content = span_of(kit_bytes(60000, 1), 60000);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_TOO_LARGE);
	free((void *)(uintptr_t)put.content.data);
	kit_close(&kit);
}

static _Atomic int done_count;

static void count_done(struct engine_put *put)
{
	(void)put;
	done_count++;
}

TEST(batches_that_span_volumes_are_answered_right)
{
	enum { COUNT = 100 };
	static struct engine_put puts[COUNT];
	uint8_t *bytes = kit_bytes(7000, 1);
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.volume_size = 64 << 10;
	kit_open(&kit, "volume");
	done_count = 0;
	for (int i = 0; i < COUNT; i++) {
		puts[i] = (struct engine_put){
			.content = span_of(bytes, 7000),
			.crc = crc32_add(0, span_of(bytes, 7000)),
			.path = ENGINE_ANY_PATH,
			.done = count_done,
		};
		engine_put(kit.engine, &puts[i]);
	}
	kit_open(&kit, "volume"); /* closing waits for them */
	assert_int_equal(done_count, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(puts[i].err.code, ERR_NONE);
		kit_expect(&kit, &puts[i].id, 7000, 1);
	}
	kit_close(&kit);
	free(bytes);
}

TEST(finds_the_newest_volume_past_an_empty_folder)
{
	char path[400];
	struct kit kit;

	open_kit(&kit);
	kit_put(&kit, 100, 1);
	kit_close(&kit);
	snprintf(path, sizeof path, "%s/data/01", kit.folders[0]);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(volume_list_newest(kit.folders[0]), 0);
	assert_int_equal(volume_list_next(kit.folders[0], -1), 0);
	assert_int_equal(volume_list_next(kit.folders[0], 0), -1);
	snprintf(path, sizeof path, "%s/data/01/05.vol", kit.folders[0]);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof path, "%s/data/01/0a.vol", kit.folders[0]); /* not a name of ours */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(volume_list_newest(kit.folders[0]), 0x105);
	assert_int_equal(volume_list_next(kit.folders[0], 0), 0x105);
}

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
	kit_read(&kit, &id, offset_of(&id) + 128, bytes, 300000);
	for (int i = 0; i < 300000; i++)
		assert_int_equal(bytes[i], 0);
	kit_open(&kit, "volume");
	assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
	assert_int_equal(kit_remove(&kit, &id), ERR_GONE);
	kit_expect(&kit, &after, 5000, 3);
	assert_int_equal(walk(&kit, ENGINE_CHECK_CONTENT).pictures, 3);
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

	open_kit(&kit);
	first = kit_put_span(&kit, span_of(zeros, sizeof zeros), "png");
	kit_open(&kit, "volume");
	second = kit_put(&kit, 5000, 1);
	kit_expect(&kit, &second, 5000, 1);
	assert_int_equal(kit_get_code(&kit, &first), ERR_NONE);
	kit_close(&kit);
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
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct engine_space space;
	struct file_id id;
	struct err err;
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.preallocate = 64 << 10;
	kit.conf.reserved_space = 1 << 20;
	ops.statvfs = fake_statvfs;
	disk = &ops;
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
	kit_close(&kit);
	disk = &disk_linux;
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
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = 0 };
	struct kit kit;

	kit_init(&kit, 2);
	ops.statvfs = statvfs_first_full;
	disk = &ops;
	fake_space = (struct statvfs){ .f_frsize = 4096, .f_blocks = 1000, .f_bavail = 900 };
	kit_open(&kit, "volume");
	for (int i = 0; i < 4; i++)
		assert_int_equal(kit_put(&kit, 100, 1).path, 1);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_FULL);
	kit_close(&kit);
	disk = &disk_linux;
}

/* --- failing flushes --- */

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
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct file_id before, after;
	struct kit kit;

	ops.fdatasync = fail_fdatasync;
	disk = &ops;
	open_kit(&kit);
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
	assert_int_equal(walk(&kit, ENGINE_CHECK_CONTENT).pictures, 2);
	failing_flushes = 1;
	assert_int_equal(kit_remove(&kit, &after), ERR_IO);
	kit_close(&kit);
	disk = &disk_linux;
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
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct file_id id;
	struct kit kit;

	ops.fdatasync = fail_fdatasync;
	disk = &ops;
	open_kit(&kit);
	id = kit_put(&kit, 1000, 1);
	failing_flushes = 1;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	ops.link = no_link;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	ops.link = link;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_IO);
	kit_expect(&kit, &id, 1000, 1);
	kit_open(&kit, "volume");
	kit_put(&kit, 1000, 2);
	kit_close(&kit);
	disk = &disk_linux;
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
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct file_id id;
	struct kit kit;

	put.crc = crc32_add(0, put.content);
	ops.fsync = no_fsync_of_folders;
	disk = &ops;
	open_kit(&kit);
	failing_flushes = 3; /* the store path's, data's, then the one above the volume */
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_IO);
	id = kit_put(&kit, 1000, 1);
	assert_int_equal(id.dir, 1);
	kit_expect(&kit, &id, 1000, 1);
	kit_open(&kit, "volume");
	kit_expect(&kit, &id, 1000, 1);
	kit_close(&kit);
	disk = &disk_linux;
}

static int no_link_in_first(const char *from, const char *to)
{
	if (strstr(to, "/p0/") != NULL)
		return no_link(from, to);
	return link(from, to);
}

TEST(a_store_path_that_fails_leaves_its_turn_to_another)
{
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = 0 };
	struct kit kit;

	kit_init(&kit, 2);
	ops.link = no_link_in_first;
	disk = &ops;
	kit_open(&kit, "volume");
	for (int i = 0; i < 4; i++)
		assert_int_equal(kit_put(&kit, 100, 1).path, 1);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_IO);
	kit_close(&kit);
	disk = &disk_linux;
}

static ssize_t short_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	struct iovec one = { iov->iov_base, iov->iov_len > 100 ? 100 : iov->iov_len };

	(void)count;
	return pwritev(fd, &one, 1, offset);
}

TEST(short_writes_are_continued)
{
	struct disk_ops ops = disk_linux;
	struct file_id id;
	struct kit kit;

	ops.pwritev = short_pwritev;
	disk = &ops;
	open_kit(&kit);
	id = kit_put(&kit, 3000, 1);
	kit_expect(&kit, &id, 3000, 1);
	kit_close(&kit);
	disk = &disk_linux;
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
	struct disk_ops ops = disk_linux;
	struct file_id id;
	struct kit kit;

	ops.pwritev = count_pwritev;
	disk = &ops;
	open_kit(&kit);
	id = kit_put(&kit, 50000, 1);
	writes = written_bytes = 0;
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(writes, 1);
	assert_int_equal(written_bytes, 128);
	assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
	kit_close(&kit);
	disk = &disk_linux;
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
	struct disk_ops ops = disk_linux;
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct fsck_totals totals;
	struct file_id before, after;
	struct kit kit;
	int problems;

	ops.pwritev = no_space_pwritev;
	disk = &ops;
	open_kit(&kit);
	before = kit_put(&kit, 1000, 1);
	failing_writes = 1;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_FULL);
	after = kit_put(&kit, 1000, 2);
	kit_expect(&kit, &before, 1000, 1);
	kit_expect(&kit, &after, 1000, 2);
	totals = fsck(&kit, false, &problems);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.pictures, 2);
	assert_int_equal(totals.unknown_bytes, 512); /* what is left of it */
	kit_close(&kit);
	disk = &disk_linux;
}

TEST(has_more_volumes_than_descriptors)
{
	enum { COUNT = 150 };
	struct file_id ids[COUNT];
	struct kit kit;

	kit_init(&kit, 1);
	kit.conf.volume_size = 64 << 10;
	kit_open(&kit, "volume");
	for (unsigned i = 0; i < COUNT; i++)
		ids[i] = kit_put(&kit, 50000, i);
	assert_int_equal(ids[COUNT - 1].dir, COUNT - 1);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < COUNT; i++)
			kit_expect(&kit, &ids[i], 50000, i);
	kit_close(&kit);
}

/* --- reading without waiting --- */

static int nowait_errno;

static ssize_t refuse_nowait(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	if (flags & RWF_NOWAIT) {
		errno = nowait_errno;
		return -1;
	}
	return preadv2(fd, iov, count, offset, flags);
}

TEST(a_read_that_must_not_wait_says_so)
{
	struct disk_ops ops = disk_linux;
	struct engine_place place;
	struct engine_stat stat;
	struct file_id id;
	struct err err;
	struct buf buf;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 3000, 1);
	buf_init(&buf, 10000);
	/* The volume is not open for reading yet. */
	assert_int_equal(engine_get(kit.engine, &id, ENGINE_NO_WAIT, &buf, &err), -1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	kit_expect(&kit, &id, 3000, 1);
	if (engine_get(kit.engine, &id, ENGINE_NO_WAIT, &buf, &err) != 0)
		assert_int_equal(err.code, ERR_WOULD_BLOCK); /* what the file system can do */
	buf_clear(&buf);
	ops.preadv2 = refuse_nowait;
	disk = &ops;
	nowait_errno = EAGAIN;
	assert_int_equal(engine_get(kit.engine, &id, ENGINE_NO_WAIT, &buf, &err), -1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	assert_int_equal(engine_place(kit.engine, &id, ENGINE_NO_WAIT, &place, &err), -1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	nowait_errno = EOPNOTSUPP;
	assert_int_equal(engine_stat(kit.engine, &id, ENGINE_NO_WAIT, &stat, &err), -1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	kit_expect(&kit, &id, 3000, 1);
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
	kit_close(&kit);
	disk = &disk_linux;
}

TEST(a_place_is_where_the_bytes_are)
{
	uint8_t *bytes = kit_bytes(100000, 1), start[ENGINE_PLACE_START];
	struct engine_place place;
	struct file_id id, empty;
	struct err err;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 100000, 1);
	empty = kit_put(&kit, 0, 1);
	assert_int_equal(engine_place(kit.engine, &id, 0, &place, &err), 0);
	assert_int_equal(place.len, 100000);
	assert_int_equal(place.start_len, ENGINE_PLACE_START);
	assert_memory_equal(place.start, bytes, ENGINE_PLACE_START);
	kit_read(&kit, &id, (int64_t)place.offset, start, sizeof start);
	assert_memory_equal(start, bytes, sizeof start);
	assert_int_equal(engine_place(kit.engine, &empty, 0, &place, &err), 0);
	assert_int_equal(place.len, 0);
	assert_int_equal(place.start_len, 0);
	kit_close(&kit);
	free(bytes);
}

/* --- fsck --- */

static void count_problem(void *context, const char *file, const struct err *err)
{
	(void)file;
	assert_true(err->text[0] != '\0');
	++*(int *)context;
}

static struct fsck_totals fsck(struct kit *kit, bool repair, int *problems)
{
	struct fsck fsck = {
		.group = kit->conf.group,
		.paths = kit->conf.paths,
		.path_count = kit->conf.path_count,
		.repair = repair,
		.problem = count_problem,
		.context = problems,
	};
	struct fsck_totals totals;
	struct err err;

	*problems = 0;
	if (fsck_run(&fsck, &totals, &err) != 0)
		fail_msg("fsck failed: %s", err.text);
	return totals;
}

TEST(fsck_counts_what_is_right)
{
	struct fsck_totals totals;
	struct file_id id;
	struct kit kit;
	int problems;

	open_kit(&kit);
	for (unsigned i = 0; i < 9; i++)
		id = kit_put(&kit, 1000, i);
	kit_remove(&kit, &id);
	totals = fsck(&kit, false, &problems); /* beside the writer */
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

	open_kit(&kit);
	id = kit_put(&kit, 1000, 1);
	deleted = kit_put(&kit, 100000, 2);
	corrupt = kit_put(&kit, 1000, 3);
	kit_put(&kit, 1000, 4);
	kit_remove(&kit, &deleted);
	kit_close(&kit);
	end = offset_of(&id) + (int64_t)record_room(1000) * 512;
	kit_flip(&kit, &id, end - 1, 1);
	kit_flip(&kit, &id, 20, 1);
	kit_flip(&kit, &corrupt, offset_of(&corrupt) + 500, 1);
	totals = fsck(&kit, false, &problems);
	assert_false(fsck_clean(&totals));
	assert_int_equal(problems, 3);
	assert_int_equal(totals.heads, 1);
	assert_int_equal(totals.ends, 1);
	assert_int_equal(totals.corrupt, 1);
	assert_int_equal(totals.pictures, 2);
	totals = fsck(&kit, true, &problems);
	assert_int_equal(totals.repaired, 2);
	assert_int_equal(totals.erased, 1);
	totals = fsck(&kit, false, &problems);
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

	open_kit(&kit);
	kit_put(&kit, 1000, 1);
	kit_close(&kit);
	snprintf(path, sizeof path, "%s/data/01", kit.folders[0]);
	fd = open(path, O_WRONLY | O_CREAT, 0600); /* a file, so that it fails for root as well */
	close(fd);
	totals = fsck(&kit, false, &problems);
	assert_false(fsck_clean(&totals));
	assert_int_equal(totals.unreadable, 1);
	assert_int_equal(problems, 1);
	assert_int_equal(open_code(&kit.conf), ERR_IO);
	kit.conf.read_only = true;
	kit_open(&kit, "volume");
	assert_int_equal(engine_walk(kit.engine, 0, ignore_found, NULL, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	kit_close(&kit);
	assert_int_equal(unlink(path), 0);
	totals = fsck(&kit, false, &problems);
	assert_true(fsck_clean(&totals));
}

TEST(fsck_repairs_nothing_under_a_running_writer)
{
	struct fsck fsck = { .group = "g01", .repair = true, .path_count = 1 };
	struct fsck_totals totals;
	struct err err;
	struct kit kit;

	open_kit(&kit);
	fsck.paths = kit.conf.paths;
	assert_int_equal(fsck_run(&fsck, &totals, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	kit_close(&kit);
}
