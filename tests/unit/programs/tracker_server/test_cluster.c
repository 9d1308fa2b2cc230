#include "programs/tracker_server/cluster.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT = 1000 };

static struct cluster cluster;
static struct fdfs_route route;
static struct err err;
static int links[64]; /* addresses that stand for connections */

static void begin(enum cluster_lookup lookup, const char *store_group)
{
	cluster_fini(&cluster);
	cluster_init(&cluster, lookup, store_group, TIMEOUT);
}

static struct fdfs_beat beat;

/* A beat of storage 10.0.0.`host` with `free` bytes on its path. */
static int beats(const char *group, int host, uint64_t free, int64_t now_ms)
{
	beat = (struct fdfs_beat){
		.state = FDFS_STATE_ACTIVE,
		.shared = beat.shared,
		.writable = true,
		.readable = true,
		.address = { .port = 23000 },
		.path_count = 1,
		.paths = { { 100, free, 10 } },
	};
	snprintf(beat.group, sizeof beat.group, "%s", group);
	snprintf(beat.id, sizeof beat.id, "10.0.0.%u", (unsigned)host % 256);
	snprintf(beat.address.ip, sizeof beat.address.ip, "10.0.0.%u", (unsigned)host % 256);
	return cluster_beat(&cluster, &beat, &links[host], now_ms, 1000, &err);
}

static void expect_store(const char *group, const char *want_group, const char *want_ip)
{
	assert_int_equal(cluster_store(&cluster, group, false, 0, &route, &err), 0);
	assert_string_equal(route.group, want_group);
	assert_string_equal(route.to[0].ip, want_ip);
	assert_int_equal(route.count, 1);
}

static void expect_no_store(const char *group, int64_t now_ms, enum err_code code)
{
	assert_int_equal(cluster_store(&cluster, group, false, now_ms, &route, &err), -1);
	assert_int_equal(err.code, code);
}

/* The name of a file that 10.0.0.`host` took in. */
static struct fdfs_file_request file_of(const char *group, int host)
{
	static struct file_id id;
	struct fdfs_file_request file;

	id = (struct file_id){ .source = { 10, 0, 0, (uint8_t)host }, .time = 1, .ext = "jpg" };
	snprintf(id.group, sizeof id.group, "%s", group);
	assert_true(file_id_make(&id, 123));
	memcpy(file.group, id.group, sizeof file.group);
	file.name = span_of(id.name, id.name_len);
	return file;
}

static const char *fetch(const char *group, int host, enum cluster_use use, int64_t now_ms)
{
	struct fdfs_file_request file = file_of(group, host);

	if (cluster_fetch(&cluster, &file, use, false, now_ms, &route, &err) != 0)
		return "none";
	return route.to[0].ip;
}

TEST(uploads_go_to_the_groups_in_turn)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g02", 2, 50, 0);
	beats("g01", 1, 50, 0);
	beats("g03", 3, 50, 0);
	expect_store(NULL, "g01", "10.0.0.1");
	expect_store(NULL, "g02", "10.0.0.2");
	expect_store(NULL, "g03", "10.0.0.3");
	expect_store(NULL, "g01", "10.0.0.1");
	expect_store("g03", "g03", "10.0.0.3");
	expect_store(NULL, "g02", "10.0.0.2");
}

TEST(uploads_go_where_most_is_free)
{
	begin(CLUSTER_MOST_FREE, "");
	beats("g01", 1, 50, 0);
	beats("g02", 2, 51, 0);
	expect_store(NULL, "g02", "10.0.0.2");
	expect_store(NULL, "g02", "10.0.0.2");
	beats("g01", 1, 52, 0);
	expect_store(NULL, "g01", "10.0.0.1");
}

TEST(uploads_go_to_the_one_group)
{
	begin(CLUSTER_ONE_GROUP, "g02");
	beats("g01", 1, 50, 0);
	expect_no_store(NULL, 0, ERR_NOT_FOUND);
	beats("g02", 2, 50, 0);
	expect_store(NULL, "g02", "10.0.0.2");
	expect_store("g01", "g01", "10.0.0.1");
	beats("g02", 2, 0, 0);
	expect_no_store(NULL, 0, ERR_FULL);
}

TEST(storages_of_a_group_take_turns)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 50, 0);
	beats("g01", 2, 50, 0);
	expect_store(NULL, "g01", "10.0.0.1");
	expect_store(NULL, "g01", "10.0.0.2");
	expect_store(NULL, "g01", "10.0.0.1");
	assert_int_equal(cluster_store(&cluster, NULL, true, 0, &route, &err), 0);
	assert_int_equal(route.count, 2);
	assert_int_equal(route.path, FDFS_ANY_PATH);
}

TEST(paths_with_room_take_turns)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 50, 0);
	beat.path_count = 3;
	beat.paths[2].free = 1;
	assert_int_equal(cluster_beat(&cluster, &beat, &links[1], 0, 0, &err), 0);
	expect_store(NULL, "g01", "10.0.0.1");
	assert_int_equal(route.path, 0);
	expect_store(NULL, "g01", "10.0.0.1");
	assert_int_equal(route.path, 2);
	expect_store(NULL, "g01", "10.0.0.1");
	assert_int_equal(route.path, 0);
}

TEST(full_storages_are_left_out_and_full_groups_say_so)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 0, 0);
	expect_no_store(NULL, 0, ERR_FULL);
	expect_no_store("g01", 0, ERR_FULL);
	beats("g01", 2, 5, 0);
	expect_store("g01", "g01", "10.0.0.2");
	expect_store("g01", "g01", "10.0.0.2");
	beats("g01", 2, 0, 0);
	beats("g02", 3, 5, 0);
	expect_store(NULL, "g02", "10.0.0.3");
	expect_store(NULL, "g02", "10.0.0.3");
	assert_string_equal(fetch("g01", 1, CLUSTER_READ, 0), "10.0.0.1");
	assert_string_equal(fetch("g01", 1, CLUSTER_CHANGE, 0), "10.0.0.1");
}

TEST(silence_takes_a_storage_out)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	expect_no_store(NULL, 0, ERR_NOT_FOUND);
	beats("g01", 1, 5, 0);
	assert_int_equal(cluster_store(&cluster, NULL, false, TIMEOUT, &route, &err), 0);
	expect_no_store(NULL, TIMEOUT + 1, ERR_NOT_FOUND);
	expect_no_store("g01", TIMEOUT + 1, ERR_NOT_FOUND);
	assert_string_equal(fetch("g01", 1, CLUSTER_READ, TIMEOUT + 1), "none");
	beats("g01", 1, 5, TIMEOUT + 5);
	assert_string_equal(fetch("g01", 1, CLUSTER_READ, TIMEOUT + 6), "10.0.0.1");
}

TEST(an_ended_connection_takes_a_storage_out_at_once)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beats("g02", 2, 5, 0);
	cluster_link_ended(&cluster, &links[1]);
	expect_store(NULL, "g02", "10.0.0.2");
	expect_store(NULL, "g02", "10.0.0.2");
	expect_no_store("g01", 0, ERR_NOT_FOUND);
	assert_non_null(cluster_find(&cluster, "g01"));
}

TEST(the_end_of_an_older_connection_changes_nothing)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	assert_int_equal(cluster_beat(&cluster, &beat, &links[9], 0, 0, &err), 0);
	cluster_link_ended(&cluster, &links[1]);
	expect_store("g01", "g01", "10.0.0.1");
}

TEST(a_storage_that_is_stopping_is_left_out)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beat.state = FDFS_STATE_OFFLINE;
	cluster_beat(&cluster, &beat, &links[1], 0, 0, &err);
	expect_no_store("g01", 0, ERR_NOT_FOUND);
}

TEST(two_storages_cannot_have_one_id)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beat.address.port = 23001;
	assert_int_equal(cluster_beat(&cluster, &beat, &links[2], 0, 0, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	/* the same storage at a new address, as the old one has gone */
	cluster_link_ended(&cluster, &links[1]);
	assert_int_equal(cluster_beat(&cluster, &beat, &links[2], 0, 0, &err), 0);
	expect_store("g01", "g01", "10.0.0.1");
	assert_int_equal(route.to[0].port, 23001);
	/* in another group the same address may stand for another storage */
	beats("g02", 1, 5, 0);
	expect_store("g02", "g02", "10.0.0.1");
}

TEST(a_file_is_where_it_was_taken_in)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beats("g01", 2, 5, 0);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.2");
		assert_string_equal(fetch("g01", 1, CLUSTER_CHANGE, 0), "10.0.0.1");
	}
	cluster_link_ended(&cluster, &links[2]);
	assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "none");
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

TEST(a_file_stays_where_its_storage_is_given_a_number)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beats("g01", 2, 5, 0);
	snprintf(beat.id, sizeof beat.id, "100002");
	cluster_link_ended(&cluster, &links[2]);
	assert_int_equal(cluster_beat(&cluster, &beat, &links[12], 0, 0, &err), 0);
	assert_int_equal(cluster.groups[0]->count, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(fetch("g01", 1, CLUSTER_READ, 0), "10.0.0.1");
		assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.2");
	}
}

TEST(a_draining_storage_takes_changes_and_no_uploads)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beats("g01", 2, 5, 0);
	beat.writable = false;
	beat.draining = true;
	assert_int_equal(cluster_beat(&cluster, &beat, &links[2], 0, 0, &err), 0);
	for (int i = 0; i < 3; i++)
		expect_store(NULL, "g01", "10.0.0.1");
	assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.2");
	assert_string_equal(fetch("g01", 2, CLUSTER_CHANGE, 0), "10.0.0.2");
	beat.draining = false; /* read-only */
	assert_int_equal(cluster_beat(&cluster, &beat, &links[2], 0, 0, &err), 0);
	assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.2");
	assert_string_equal(fetch("g01", 2, CLUSTER_CHANGE, 0), "none");
	cluster_link_ended(&cluster, &links[1]);
	expect_no_store(NULL, 0, ERR_NOT_FOUND);
}

TEST(a_shared_engine_answers_from_anywhere)
{
	struct fdfs_file_request file;

	begin(CLUSTER_ROUND_ROBIN, "");
	beat.shared = true;
	beats("g01", 1, 5, 0);
	beats("g01", 2, 5, 0);
	assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.1");
	assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.2");
	assert_string_equal(fetch("g01", 2, CLUSTER_CHANGE, 0), "10.0.0.2");
	file = file_of("g01", 2);
	assert_int_equal(cluster_fetch(&cluster, &file, CLUSTER_READ, true, 0, &route, &err), 0);
	assert_int_equal(route.count, 2);
	assert_string_equal(route.to[0].ip, "10.0.0.2");
	cluster_link_ended(&cluster, &links[2]);
	assert_string_equal(fetch("g01", 2, CLUSTER_READ, 0), "10.0.0.1");
	assert_string_equal(fetch("g01", 2, CLUSTER_CHANGE, 0), "10.0.0.1");
	beat.shared = false;
}

TEST(a_name_that_tells_no_source_goes_anywhere)
{
	struct fdfs_file_request file = { .group = "g01", .name = SPAN("M00/00/00/!!!!!!!!!!!!") };

	begin(CLUSTER_ROUND_ROBIN, "");
	assert_string_equal(fetch("g01", 1, CLUSTER_READ, 0), "none");
	assert_int_equal(err.code, ERR_NOT_FOUND);
	beats("g01", 1, 5, 0);
	assert_int_equal(cluster_fetch(&cluster, &file, CLUSTER_READ, false, 0, &route, &err), 0);
	assert_string_equal(route.to[0].ip, "10.0.0.1");
	assert_string_equal(fetch("g01", 77, CLUSTER_READ, 0), "10.0.0.1");
}

TEST(a_group_can_be_known_before_its_storages)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	assert_true(cluster_expect(&cluster, "g01"));
	assert_true(cluster_expect(&cluster, "g01"));
	assert_int_equal(cluster.count, 1);
	expect_no_store("g01", 0, ERR_NOT_FOUND);
	expect_no_store(NULL, 0, ERR_NOT_FOUND);
	beats("g01", 1, 5, 0);
	expect_store(NULL, "g01", "10.0.0.1");
}

TEST(a_crowd_of_storages_ends_somewhere)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	for (int i = 1; i <= CLUSTER_STORAGES_MAX; i++)
		assert_int_equal(beats("g01", i, 5, i), 0);
	assert_int_equal(beats("g01", 50, 5, 40), -1);
	assert_int_equal(err.code, ERR_FULL);
	/* whoever has been down for longest makes room */
	cluster_link_ended(&cluster, &links[7]);
	cluster_link_ended(&cluster, &links[3]);
	assert_int_equal(beats("g01", 50, 5, 41), 0);
	assert_string_equal(fetch("g01", 50, CLUSTER_READ, 41), "10.0.0.50");
	assert_int_equal(beats("g01", 3, 5, 42), 0); /* in the place of 7 */
	assert_int_equal(beats("g01", 7, 5, 43), -1);
	for (int i = 1; i < CLUSTER_GROUPS_MAX; i++) {
		char name[17];

		snprintf(name, sizeof name, "h%d", i);
		assert_true(cluster_expect(&cluster, name));
	}
	assert_false(cluster_expect(&cluster, "onemore"));
	assert_int_equal(beats("onemore", 1, 5, 0), -1);
}

static int ups, downs;

static void changed(void *context, const struct cluster_storage *storage, bool up)
{
	(void)context;
	(void)storage;
	*(up ? &ups : &downs) += 1;
}

TEST(changes_are_told_once)
{
	begin(CLUSTER_ROUND_ROBIN, "");
	beats("g01", 1, 5, 0);
	beats("g01", 2, 5, 0);
	cluster_changes(&cluster, 0, changed, NULL);
	cluster_changes(&cluster, 1, changed, NULL);
	assert_int_equal(ups, 2);
	assert_int_equal(downs, 0);
	cluster_link_ended(&cluster, &links[1]);
	cluster_changes(&cluster, 2, changed, NULL);
	assert_int_equal(downs, 1);
	cluster_changes(&cluster, TIMEOUT + 1, changed, NULL);
	assert_int_equal(downs, 2);
	cluster_fini(&cluster);
}
