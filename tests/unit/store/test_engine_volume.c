/* What the volume engine promises beyond the contract. */
#include "core/crc32.h"
#include "core/disk.h"
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

/* --- damage --- */

TEST(a_flipped_byte_of_the_content_is_never_served)
{
	struct file_id id, big;
	struct kit kit;

	kit_start(&kit, "volume");
	id = kit_put(&kit, 1000, 1);
	big = kit_put(&kit, 1 << 20, 2);
	kit_flip(&kit, &id, kit_offset(&id) + 128 + 999, 1);
	kit_flip(&kit, &big, kit_offset(&big) + 128 + 700000, 0x80);
	assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
	assert_int_equal(kit_get_code(&kit, &big), ERR_CORRUPT);
	kit_flip(&kit, &id, kit_offset(&id) + 128 + 999, 1);
	kit_expect(&kit, &id, 1000, 1);
	kit_close(&kit);
}

TEST(a_flipped_byte_of_the_header_is_told)
{
	struct file_id id;
	struct kit kit;

	kit_start(&kit, "volume");
	id = kit_put(&kit, 1000, 1);
	for (int64_t at = 0; at < RECORD_HEADER_LEN; at++) {
		kit_flip(&kit, &id, kit_offset(&id) + at, 4);
		assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
		kit_flip(&kit, &id, kit_offset(&id) + at, 4);
	}
	kit_close(&kit);
}

TEST(a_damaged_head_is_replaced_by_its_copy)
{
	struct file_id id;
	struct kit kit;

	kit_start(&kit, "volume");
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

	kit_start(&kit, "volume");
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

TEST(a_walk_finds_everything)
{
	struct file_id ids[20];
	struct kit_found counts;
	struct kit kit;

	kit_start(&kit, "volume");
	for (unsigned i = 0; i < 20; i++)
		ids[i] = kit_put(&kit, i * 3000, i);
	kit_remove(&kit, &ids[3]);
	kit_flip(&kit, &ids[5], kit_offset(&ids[5]) + 128 + 77, 1);
	kit_flip(&kit, &ids[7], kit_offset(&ids[7]) + 70, 1);
	counts = kit_walk(&kit, 0);
	assert_int_equal(counts.pictures, 18);
	assert_int_equal(counts.deleted, 1);
	assert_int_equal(counts.corrupt, 1); /* the header */
	counts = kit_walk(&kit, ENGINE_CHECK_CONTENT);
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

	kit_start(&kit, "volume");
	id = kit_put(&kit, 5000, 1);
	reader = kit;
	reader.engine = NULL;
	reader.conf.read_only = true;
	kit_open(&reader, "volume");
	kit_expect(&reader, &id, 5000, 1);
	assert_int_equal(kit_walk(&reader, ENGINE_CHECK_CONTENT).pictures, 1);
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

	kit_start(&kit, "volume");
	assert_int_equal(kit_open_code(&kit.conf), ERR_BUSY);
	kit_close(&kit);
	assert_int_equal(kit_open_code(&kit.conf), ERR_NONE);
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
	assert_int_equal(kit_open_code(&kit.conf), ERR_CONFIG);
	kit.conf.group = "g01";
	swap = kit.paths[0];
	kit.paths[0] = kit.paths[1];
	kit.paths[1] = swap;
	assert_int_equal(kit_open_code(&kit.conf), ERR_CONFIG);
}

TEST(a_store_path_that_is_not_there_is_refused)
{
	struct kit kit;

	kit_init(&kit, 1);
	strcat(kit.folders[0], "/missing");
	kit.paths[0] = kit.folders[0];
	kit.conf.paths = kit.paths;
	assert_int_equal(kit_open_code(&kit.conf), ERR_IO);
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
	assert_int_equal(kit_walk(&kit, ENGINE_CHECK_CONTENT).pictures, 40);
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

	kit_start(&kit, "volume");
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

	kit_start(&kit, "volume");
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

	kit_start(&kit, "volume");
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
