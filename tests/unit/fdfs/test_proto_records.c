#include "fdfs/proto.h"
#include "proto_kit.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

TEST(a_group_record_is_as_fastdfs_sends_it)
{
	static const char live[] =
		"6730310000000000000000000000000000 000000000003efe3 0000000000011884 "
		"0000000000000a14 0000000000000000 0000000000000001 00000000000059d8 "
		"0000000000000001 0000000000000001 0000000000000000 0000000000000001 "
		"0000000000000100 ffffffffffffffff";
	struct fdfs_group_record record;
	size_t len, count;

	assert_true(fdfs_group_records(hex(live), &len, &count));
	assert_int_equal(len, 113);
	assert_int_equal(count, 1);
	assert_true(fdfs_get_group_record(hex(live), &record));
	assert_string_equal(record.name, "g01");
	assert_int_equal(record.total_mib, 0x3efe3);
	assert_int_equal(record.reserved_mib, 0xa14);
	assert_int_equal(record.port, 23000);
	assert_int_equal(record.readable, 1);
	assert_int_equal(record.trunk_file, -1);
	fdfs_put_group_record(fresh(), FDFS_LAYOUT_CURRENT, &record);
	expect(live);
}

TEST(group_records_of_both_lengths_are_told_apart)
{
	struct fdfs_group_record record = { .name = "abcdefghijklmnop", .writable = 3 };
	size_t len, count;

	for (int layout = FDFS_LAYOUT_CURRENT; layout <= FDFS_LAYOUT_105_600; layout++) {
		size_t want = layout == FDFS_LAYOUT_CURRENT ? 113 : 105;

		fresh();
		for (int i = 0; i < 113 * 105; i++) { /* a multiple of both */
			fdfs_put_group_record(&out, (enum fdfs_layout)layout, &record);
			if (out.len >= 113 * 105)
				break;
		}
		assert_int_equal(out.len, 113 * 105);
		assert_true(fdfs_group_records(buf_span(&out), &len, &count));
		assert_int_equal(len, want);
		assert_int_equal(count, 113 * 105 / want);
		assert_true(fdfs_get_group_record(span_of(out.data + len, len), &record));
		assert_int_equal(record.writable, 3);
	}
	assert_false(fdfs_group_records(span_of(out.data, 112), &len, &count));
	assert_true(fdfs_group_records(span_of(NULL, 0), &len, &count));
	assert_int_equal(count, 0);
}

static const struct fdfs_storage_record storage = {
	.state = FDFS_STATE_ACTIVE,
	.mode = FDFS_MODE_READ | FDFS_MODE_WRITE,
	.id = "100001",
	.ip = "10.1.1.197",
	.version = "6.16.1",
	.joined = 5,
	.started = 6,
	.total_mib = 7,
	.free_mib = 8,
	.paths = 2,
	.subdirs = 256,
	.port = 23000,
	.connections = 9,
	.counters = { [FDFS_COUNT_UPLOAD_OK] = 11, [FDFS_LAST_BEAT] = 12 },
	.trunk_server = true,
};

TEST(storage_records_have_the_lengths_that_clients_check)
{
	static const struct {
		enum fdfs_layout layout;
		enum fdfs_ip_width width;
		size_t len;
	} shapes[] = {
		{ FDFS_LAYOUT_CURRENT, FDFS_IP_16, 487 },
		{ FDFS_LAYOUT_CURRENT, FDFS_IP_46, 517 },
		{ FDFS_LAYOUT_105_612, FDFS_IP_16, 612 },
		{ FDFS_LAYOUT_105_612, FDFS_IP_46, 642 },
		{ FDFS_LAYOUT_105_600, FDFS_IP_16, 600 },
		{ FDFS_LAYOUT_105_600, FDFS_IP_46, 600 },
	};
	size_t len, count;

	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		struct fdfs_storage_record want = storage, again;

		if (shapes[i].layout == FDFS_LAYOUT_105_600)
			want.connections_allocated = want.connections = want.connections_max = 0;
		fdfs_put_storage_record(fresh(), shapes[i].layout, shapes[i].width, &storage);
		fdfs_put_storage_record(&out, shapes[i].layout, shapes[i].width, &storage);
		assert_true(buf_ok(&out));
		assert_int_equal(out.len, 2 * shapes[i].len);
		assert_true(fdfs_storage_records(buf_span(&out), &len, &count));
		assert_int_equal(len, shapes[i].len);
		assert_int_equal(count, 2);
		assert_true(fdfs_get_storage_record(span_of(out.data + len, len), &again));
		assert_memory_equal(&again, &want, sizeof want);
	}
}

TEST(storage_records_have_their_fields_where_clients_look)
{
	fdfs_put_storage_record(fresh(), FDFS_LAYOUT_CURRENT, FDFS_IP_16, &storage);
	assert_int_equal(out.data[0], 7);
	assert_string_equal((char *)out.data + 2, "100001");
	assert_string_equal((char *)out.data + 18, "10.1.1.197");
	assert_string_equal((char *)out.data + 50, "6.16.1");
	assert_int_equal(load_be64(out.data + 66), 6);
	assert_int_equal(load_be64(out.data + 130), 23000);
	assert_int_equal(load_be32(out.data + 142), 9);
	assert_int_equal(load_be64(out.data + 158), 11);
	assert_int_equal(out.data[486], 1);
	fdfs_put_storage_record(fresh(), FDFS_LAYOUT_105_612, FDFS_IP_16, &storage);
	assert_string_equal((char *)out.data + 1, "100001");
	assert_string_equal((char *)out.data + 17, "10.1.1.197");
	assert_memory_equal(out.data + 177, "6.16.1", 6);
	assert_int_equal(load_be64(out.data + 191), 6);
	assert_int_equal(load_be64(out.data + 247), 23000);
	assert_int_equal(load_be32(out.data + 267), 9);
	assert_int_equal(load_be64(out.data + 283), 11);
	assert_int_equal(out.data[611], 1);
}

static void beat_of(struct fdfs_beat *beat)
{
	*beat = (struct fdfs_beat){
		.state = FDFS_STATE_ACTIVE,
		.writable = true,
		.group = "g01",
		.id = "100001",
		.address = { "fd00::1", 23000 },
		.version = "0.1.0",
		.started = 1,
		.connections_max = 5,
		.counters = { [41] = 42 },
		.path_count = 256,
		.paths = { { 3, 2, 1 }, [255] = { UINT64_C(1) << 53, 0, 9 } },
	};
}

TEST(a_beat_comes_back_as_it_was)
{
	struct fdfs_beat *beat = malloc(sizeof *beat), *again = malloc(sizeof *again);

	beat_of(beat);
	fdfs_put_beat(fresh(), beat);
	assert_true(fdfs_get_beat(buf_span(&out), again));
	assert_memory_equal(beat, again, sizeof *beat);
	for (size_t len = 0; len < out.len; len += 7)
		assert_false(fdfs_get_beat(span_of(out.data, len), again));
	free(beat);
	free(again);
}

TEST(a_beat_that_makes_no_sense_is_refused)
{
	struct fdfs_beat *beat = malloc(sizeof *beat), *again = malloc(sizeof *again);

	for (int wrong = 0; wrong < 7; wrong++) {
		beat_of(beat);
		switch (wrong) {
		case 0:
			strcpy(beat->group, "g-1");
			break;
		case 1:
			beat->id[0] = '\0';
			break;
		case 2:
			strcpy(beat->id, "a\nforged");
			break;
		case 3:
			beat->address.port = 0;
			break;
		case 4:
			beat->address.ip[0] = '\0';
			break;
		case 5:
			beat->paths[7].free = UINT64_MAX;
			break;
		case 6:
			beat->version[0] = '\x1b';
			break;
		}
		fdfs_put_beat(fresh(), beat);
		if (fdfs_get_beat(buf_span(&out), again))
			fail_msg("case %d was accepted", wrong);
	}
	free(beat);
	free(again);
	buf_fini(&out);
}
