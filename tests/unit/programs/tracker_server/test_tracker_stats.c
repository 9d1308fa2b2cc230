#include "programs/tracker_server/tracker_answers.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct tracker_answers tracker;
static struct buf out;
static int connection;

static void beats(const char *group, const char *id, const char *ip, bool writable)
{
	struct fdfs_beat beat = {
		.state = FDFS_STATE_ACTIVE,
		.writable = writable,
		.readable = true,
		.address = { .port = 23000 },
		.version = "6.0.0",
		.started = 77,
		.connections = 3,
		.connections_max = 9,
		.path_count = 1,
		.paths = { { 100 << 20, 50 << 20, 10 << 20 } },
	};
	struct err err;

	snprintf(beat.group, sizeof beat.group, "%s", group);
	snprintf(beat.id, sizeof beat.id, "%s", id);
	snprintf(beat.address.ip, sizeof beat.address.ip, "%s", ip);
	assert_int_equal(cluster_beat(&tracker.cluster, &beat, &connection, 0, 4711, &err), 0);
}

static void begin(void)
{
	cluster_fini(&tracker.cluster);
	tracker = (struct tracker_answers){
		.self = { .endpoint = "10.0.0.9:22122",
			.version = "0.1.0",
			.started = 1000,
			.connections = 5,
			.connections_max = 7 },
	};
	cluster_init(&tracker.cluster, CLUSTER_ROUND_ROBIN, "", 1000);
}

static int ask(uint8_t cmd, const void *body, size_t len)
{
	struct err err = { 0 };

	buf_fini(&out);
	buf_init(&out, 1 << 20);
	if (tracker_answer(&tracker, cmd, span_of(body, len), NULL, 0, 1060, &out, &err) == 0)
		return 0;
	assert_int_equal(out.len, 0);
	return err_fdfs_status(err.code);
}

/* A request for one storage. */
static int ask_about(uint8_t cmd, const char *group, const char *endpoint)
{
	char body[16 + 64] = { 0 };
	size_t len = strlen(endpoint);

	memcpy(body, group, strlen(group));
	memcpy(body + 16, endpoint, len);
	return ask(cmd, body, 16 + len);
}

static void expect_text(size_t from, const char *text)
{
	assert_int_equal(out.len, from + strlen(text));
	assert_memory_equal(out.data + from, text, strlen(text));
}

static bool says(const char *line)
{
	return memmem(out.data, out.len, line, strlen(line)) != NULL;
}

static const char zeros[64];

TEST(each_tracker_leads)
{
	begin();
	assert_int_equal(ask(FDFS_LEADER, "", 0), 0);
	expect_text(0, "10.0.0.9:22122");
	assert_int_equal(ask(FDFS_LEADER, "z", 1), EINVAL);
	assert_int_equal(ask(FDFS_TRACKER_STATS, zeros, 3), 0);
	assert_int_equal(out.len, 1 + 90);
	assert_int_equal(out.data[0], 1);
	assert_string_equal((char *)out.data + 1, "10.0.0.9:22122");
	assert_int_equal(out.data[1 + 52], 1);             /* leads */
	assert_int_equal(out.data[1 + 53], 1);             /* is up */
	assert_int_equal(load_be32(out.data + 1 + 58), 5); /* connections */
	assert_memory_equal(out.data + 1 + 66, "0.1.0\0\0\0", 8);
	assert_int_equal(load_be64(out.data + 1 + 74), 1000); /* started */
	assert_int_equal(load_be64(out.data + 1 + 82), 1060); /* lives */
	assert_int_equal(ask(FDFS_TRACKER_STATS, zeros, 4), EINVAL);
	tracker.self.endpoint[0] = '\0'; /* it listens everywhere and has not been told */
	assert_int_equal(ask(FDFS_LEADER, "", 0), EOPNOTSUPP);
}

TEST(tells_for_how_long_it_has_run)
{
	begin();
	assert_int_equal(ask(FDFS_RUN_STATE, "", 0), ENOENT); /* there are no groups */
	cluster_expect(&tracker.cluster, "g01");
	assert_int_equal(ask(FDFS_RUN_STATE, "", 0), 0);
	assert_int_equal(out.len, 17);
	assert_int_equal(out.data[0], 1);
	assert_int_equal(load_be64(out.data + 1), 60);
	assert_int_equal(load_be64(out.data + 9), 0);
	assert_int_equal(ask(FDFS_RUN_STATE, "z", 1), EINVAL);
}

TEST(lists_storages_shortly)
{
	begin();
	beats("g01", "10.0.0.1", "10.0.0.1", true);
	beats("g02", "10.0.0.2", "10.0.0.2", true);
	assert_int_equal(ask(FDFS_STORAGE_STATS, zeros, 4), 0);
	assert_int_equal(out.len, 6 + 2 * 106);
	assert_int_equal(out.data[0], 0); /* addresses stand in names */
	assert_int_equal(load_be32(out.data + 2), 2);
	assert_string_equal((char *)out.data + 6, "10.0.0.1");
	assert_string_equal((char *)out.data + 6 + 16, "10.0.0.1:23000");
	assert_int_equal(out.data[6 + 69], FDFS_STATE_ACTIVE);
	assert_int_equal(load_be32(out.data + 6 + 74), 3);
	assert_memory_equal(out.data + 6 + 82, "6.0.0", 6);
	assert_int_equal(load_be64(out.data + 6 + 90), 77);
	assert_int_equal(load_be64(out.data + 6 + 98), 4711);
	cluster_link_ended(&tracker.cluster, &connection);
	assert_int_equal(ask(FDFS_STORAGE_STATS, zeros, 4), 0);
	assert_int_equal(out.data[6 + 69], FDFS_STATE_OFFLINE);
	assert_int_equal(ask(FDFS_STORAGE_STATS, zeros, 3), EINVAL);
}

TEST(lists_the_space_of_groups)
{
	begin();
	beats("g01", "10.0.0.1", "10.0.0.1", true);
	beats("g02", "10.0.0.2", "10.0.0.2", false);
	assert_int_equal(ask(FDFS_VOLUME_STATS, zeros, 4), 0);
	assert_int_equal(out.len, 5 + 2 * 59);
	assert_int_equal(load_be32(out.data + 1), 2);
	assert_string_equal((char *)out.data + 5, "g01");
	assert_int_equal(load_be64(out.data + 5 + 17), 100); /* total */
	assert_int_equal(load_be64(out.data + 5 + 25), 60);  /* free */
	assert_int_equal(load_be64(out.data + 5 + 33), 10);  /* reserved */
	assert_int_equal(load_be64(out.data + 5 + 41), 50);  /* available */
	assert_int_equal(out.data[5 + 57], 1);
	assert_int_equal(out.data[5 + 59 + 57], 0); /* g02 takes nothing */
	assert_int_equal(ask(FDFS_VOLUME_STATS, "", 0), EINVAL);
}

TEST(lists_ids_where_there_are_some)
{
	static const char first[5] = { 0, 0, 0, 0, 0 }, empty[5] = { 0, 0, 0, 0, 1 },
			  second[5] = { 0, 0, 0, 1, 1 }, beyond[5] = { 0, 0, 0, 9, 1 };

	begin();
	beats("g01", "10.0.0.1", "10.0.0.1", true);
	assert_int_equal(ask(FDFS_STORAGE_IDS, first, 5), EOPNOTSUPP);
	assert_int_equal(ask(FDFS_STORAGE_IDS, first, 4), EOPNOTSUPP);
	assert_int_equal(ask(FDFS_STORAGE_IDS, empty, 5), 0);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data, zeros, 8);
	beats("g01", "100001", "10.0.0.2", true);
	beats("g02", "100002", "fd00::2", false);
	assert_int_equal(ask(FDFS_STORAGE_IDS, first, 4), 0);
	assert_int_equal(load_be32(out.data), 2);
	assert_int_equal(load_be32(out.data + 4), 2);
	expect_text(8, "100001 g01 10.0.0.2:23000\n100002 g02 [fd00::2]:23000 rw=read\n");
	assert_int_equal(ask(FDFS_STORAGE_IDS, second, 5), 0);
	assert_int_equal(load_be32(out.data), 2);
	assert_int_equal(load_be32(out.data + 4), 1);
	expect_text(8, "100002 g02 [fd00::2]:23000 rw=read\n");
	assert_int_equal(ask(FDFS_STORAGE_IDS, beyond, 5), 0);
	assert_int_equal(out.len, 8);
	assert_int_equal(ask(FDFS_STORAGE_IDS, "", 0), EINVAL);
	assert_int_equal(ask(FDFS_STORAGE_IDS, zeros, 6), EINVAL);
	assert_int_equal(ask(FDFS_STORAGE_STATS, zeros, 4), 0);
	assert_int_equal(out.data[0], 1);
}

TEST(tells_of_one_storage)
{
	begin();
	beats("g01", "100001", "10.0.0.1", true);
	beats("g01", "100002", "fd00::2", true);
	assert_int_equal(ask_about(FDFS_STORAGE_ID, "g01", "10.0.0.1:23000"), 0);
	expect_text(0, "100001");
	assert_int_equal(ask_about(FDFS_STORAGE_ID, "g01", "10.0.0.1"), 0);
	expect_text(0, "100001");
	assert_int_equal(ask_about(FDFS_STORAGE_STATUS, "g01", "[fd00::2]:23000"), 0);
	assert_int_equal(out.len, 67);
	assert_int_equal(out.data[0], FDFS_STATE_ACTIVE);
	assert_int_equal(load_be32(out.data + 1), 23000);
	assert_string_equal((char *)out.data + 5, "100002");
	assert_string_equal((char *)out.data + 21, "fd00::2");
	assert_int_equal(ask_about(FDFS_STORAGE_ID, "g01", "10.0.0.1:23001"), ENOENT);
	assert_int_equal(ask_about(FDFS_STORAGE_STATUS, "g01", "10.0.0.3"), ENOENT);
	assert_int_equal(ask_about(FDFS_STORAGE_STATUS, "g09", "10.0.0.1"), ENOENT);
	assert_int_equal(ask_about(FDFS_STORAGE_ID, "g01", ""), EINVAL);
	assert_int_equal(ask(FDFS_STORAGE_ID, "g01", 3), EINVAL);
	assert_int_equal(ask_about(FDFS_STORAGE_ID, "g01",
				 "12345678901234567890123456789012345678901234567890123"),
		EINVAL);
}

TEST(tells_parameters)
{
	begin();
	beats("g01", "10.0.0.1", "10.0.0.1", true);
	assert_int_equal(ask(FDFS_PARAMETERS, "", 0), 0);
	assert_true(says("use_storage_id=0\nid_type_in_filename=ip\nresponse_ip_addr_size=16\n"));
	assert_true(says("\nreserved_storage_space=10MB\n"));
	assert_true(says("\nuse_trunk_file=0\n"));
	beats("g01", "100002", "10.0.0.2", true);
	tracker.ip_width = FDFS_IP_46;
	assert_int_equal(ask(FDFS_PARAMETERS, "", 0), 0);
	assert_true(says("use_storage_id=1\nid_type_in_filename=id\nresponse_ip_addr_size=46\n"));
	assert_int_equal(ask(FDFS_PARAMETERS, "z", 1), EINVAL);
	cluster_fini(&tracker.cluster);
	buf_fini(&out);
}
