#include "programs/tracker_server/tracker_answers.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static struct tracker_answers tracker;
static struct buf out;
static int link_of_g01;

static void begin(void)
{
	static struct fdfs_beat beat;
	struct buf body;

	cluster_fini(&tracker.cluster);
	tracker = (struct tracker_answers){ 0 };
	cluster_init(&tracker.cluster, CLUSTER_ROUND_ROBIN, "", 1000);
	buf_init(&body, TRACKER_BODY_MAX);
	for (int i = 0; i < 2; i++) {
		beat = (struct fdfs_beat){
			.state = FDFS_STATE_ACTIVE,
			.writable = true,
			.readable = true,
			.group = "g02",
			.id = "127.0.0.2",
			.address = { "127.0.0.2", 23000 },
			.version = "0.1.0",
			.started = 77,
			.path_count = 2,
			.paths = { { 100 << 20, 50 << 20, 10 << 20 }, { 1 << 20, 1 << 20, 0 } },
			.counters = { [FDFS_COUNT_UPLOAD_OK] = 5 },
		};
		beat.group[2] = (char)('2' - i);
		buf_clear(&body);
		fdfs_put_beat(&body, &beat);
		assert_int_equal(tracker_answer(&tracker, FDFS_BEAT, buf_span(&body), &link_of_g01,
					 0, 4711, &out, NULL),
			0);
	}
	buf_fini(&body);
}

/* The status that `cmd` is answered with. */
static int ask(uint8_t cmd, const void *body, size_t len)
{
	struct err err = { 0 };

	buf_fini(&out);
	buf_init(&out, 1 << 20);
	if (tracker_answer(&tracker, cmd, span_of(body, len), NULL, 0, 0, &out, &err) == 0)
		return 0;
	assert_int_equal(out.len, 0);
	return err_fdfs_status(err.code);
}

#define NAME "M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg"

static const char g01[16] = "g01", g09[16] = "g09", spaces[17] = "g01             ";

TEST(answers_where_to_upload)
{
	begin();
	assert_int_equal(ask(FDFS_QUERY_STORE_ONE, "", 0), 0);
	assert_int_equal(out.len, 40);
	assert_int_equal(ask(FDFS_QUERY_STORE_GROUP_ONE, g01, 16), 0);
	assert_memory_equal(out.data, g01, 16);
	assert_int_equal(ask(FDFS_QUERY_STORE_ALL, "", 0), 0);
	assert_int_equal(ask(FDFS_QUERY_STORE_GROUP_ALL, g01, 16), 0);
	tracker.ip_width = FDFS_IP_46;
	assert_int_equal(ask(FDFS_QUERY_STORE_ONE, "", 0), 0);
	assert_int_equal(out.len, 70);
}

TEST(answers_where_a_file_is)
{
	char body[16 + 128] = "g01";

	begin();
	memcpy(body + 16, NAME, 44);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ONE, body, 60), 0);
	assert_int_equal(out.len, 39);
	assert_int_equal(ask(FDFS_QUERY_UPDATE, body, 60), 0);
	assert_int_equal(out.len, 39);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ALL, body, 60), 0);
	assert_int_equal(out.len, 39);
	memset(body + 16, 'A', 128);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ONE, body, 16 + 127), 0);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ONE, body, 16 + 22), 0);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ONE, body, 16 + 21), EINVAL);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ONE, body, 16 + 128), EINVAL);
	memcpy(body, g09, 16);
	assert_int_equal(ask(FDFS_QUERY_FETCH_ONE, body, 60), ENOENT);
}

TEST(lists_groups_sorted_in_both_layouts)
{
	struct fdfs_group_record record;

	begin();
	assert_int_equal(ask(FDFS_LIST_GROUPS, "", 0), 0);
	assert_int_equal(out.len, 2 * 113);
	assert_true(fdfs_get_group_record(span_of(out.data, 113), &record));
	assert_string_equal(record.name, "g01");
	assert_int_equal(record.total_mib, 101);
	assert_int_equal(record.free_mib, 61); /* the reserve is part of what is free */
	assert_int_equal(record.reserved_mib, 10);
	assert_int_equal(record.readable, 1);
	assert_int_equal(record.port, 23000);
	assert_int_equal(record.paths, 2);
	assert_int_equal(ask(FDFS_LIST_GROUP, g01, 16), 0);
	assert_int_equal(out.len, 113);
	tracker.layout = FDFS_LAYOUT_105_612;
	assert_int_equal(ask(FDFS_LIST_GROUPS, "", 0), 0);
	assert_int_equal(out.len, 2 * 105);
	tracker.layout = FDFS_LAYOUT_105_600;
	assert_int_equal(ask(FDFS_LIST_GROUPS, "", 0), 0);
	assert_int_equal(out.len, 2 * 105);
}

TEST(lists_storages_of_a_group)
{
	struct fdfs_storage_record record;
	char body[16 + 16] = "g01";

	begin();
	assert_int_equal(ask(FDFS_LIST_STORAGES, body, 16), 0);
	assert_int_equal(out.len, 487);
	assert_true(fdfs_get_storage_record(buf_span(&out), &record));
	assert_int_equal(record.state, FDFS_STATE_ACTIVE);
	assert_string_equal(record.id, "127.0.0.2");
	assert_int_equal(record.joined, 4711);
	assert_int_equal(record.started, 77);
	assert_int_equal(record.counters[FDFS_COUNT_UPLOAD_OK], 5);
	assert_int_equal(record.counters[FDFS_LAST_BEAT], 4711);
	strcpy(body + 16, "127.0.0.2");
	assert_int_equal(ask(FDFS_LIST_STORAGES, body, 25), 0);
	assert_int_equal(out.len, 487);
	body[24] = '3';
	assert_int_equal(ask(FDFS_LIST_STORAGES, body, 25), ENOENT);
	assert_int_equal(ask(FDFS_LIST_STORAGES, body, 32), EINVAL);
	cluster_link_ended(&tracker.cluster, &link_of_g01);
	assert_int_equal(ask(FDFS_LIST_STORAGES, g01, 16), 0);
	assert_int_equal(out.data[0], FDFS_STATE_OFFLINE);
}

TEST(refuses_as_fastdfs_does)
{
	begin();
	assert_int_equal(ask(FDFS_QUERY_STORE_ONE, "zz", 2), EINVAL);
	assert_int_equal(ask(FDFS_QUERY_STORE_ALL, "z", 1), EINVAL);
	assert_int_equal(ask(FDFS_LIST_GROUPS, "z", 1), EINVAL);
	assert_int_equal(ask(FDFS_ACTIVE_TEST, "z", 1), EINVAL);
	assert_int_equal(ask(FDFS_ACTIVE_TEST, "", 0), 0);
	assert_int_equal(ask(FDFS_QUERY_STORE_GROUP_ONE, g01, 15), EINVAL);
	assert_int_equal(ask(FDFS_LIST_GROUP, "", 0), EINVAL);
	assert_int_equal(ask(FDFS_QUERY_STORE_GROUP_ONE, g09, 16), ENOENT);
	assert_int_equal(ask(FDFS_QUERY_STORE_GROUP_ONE, spaces, 16), ENOENT);
	assert_int_equal(ask(FDFS_LIST_GROUP, g09, 16), ENOENT);
	assert_int_equal(ask(FDFS_LIST_STORAGES, g09, 16), ENOENT);
	assert_int_equal(ask(FDFS_BEAT, g09, 16), EINVAL);
	assert_int_equal(ask(200, "", 0), EINVAL);
	assert_int_equal(ask(FDFS_UPLOAD, "", 0), EINVAL);
}

TEST(says_when_nothing_is_up)
{
	begin();
	cluster_link_ended(&tracker.cluster, &link_of_g01);
	assert_int_equal(ask(FDFS_QUERY_STORE_ONE, "", 0), ENOENT);
	assert_int_equal(ask(FDFS_QUERY_STORE_ALL, "", 0), ENOENT);
	assert_int_equal(ask(FDFS_QUERY_STORE_GROUP_ONE, g01, 16), ENOENT);
	assert_int_equal(ask(FDFS_LIST_GROUP, g01, 16), 0); /* but it is known */
	cluster_fini(&tracker.cluster);
	buf_fini(&out);
}
