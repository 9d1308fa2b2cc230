#include "programs/tracker_server/cluster_memory.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char lines[] = "g01 100001 10.0.0.1 23000 4711 own\n"
			    "g01 fd00 fd00::2 23001 4712 own\n"
			    "g02 10.0.0.3 10.0.0.3 23000 4713 shared\n";

static struct cluster cluster;
static struct err err;

static size_t begin(const char *text)
{
	cluster_fini(&cluster);
	cluster_init(&cluster, CLUSTER_ROUND_ROBIN, "", 1000);
	return cluster_memory_get(&cluster, span_str(text));
}

static void expect(const char *text)
{
	struct buf out;

	buf_init(&out, CLUSTER_MEMORY_MAX);
	cluster_memory_put(&cluster, &out);
	assert_int_equal(out.len, strlen(text));
	assert_memory_equal(out.data, text, out.len);
	buf_fini(&out);
}

TEST(reads_back_what_it_writes)
{
	assert_int_equal(begin(lines), 0);
	expect(lines);
	assert_int_equal(cluster.count, 2);
	assert_int_equal(cluster.groups[0]->storages[0]->joined, 4711);
	assert_false(cluster_is_up(&cluster, cluster.groups[0]->storages[0], 0));
	assert_true(cluster.groups[1]->storages[0]->beat.shared);
}

TEST(lines_that_are_none_are_left_out)
{
	static const char *const bad[] = {
		"",
		"g01",
		"g01 1 10.0.0.1 23000 4711",
		"g01 1 10.0.0.1 23000 4711 own and more",
		"g01 1 10.0.0.1 23000 4711 other",
		"g01 1 10.0.0.1 0 4711 own",
		"g01 1 10.0.0.1 65536 4711 own",
		"g01 1 10.0.0.1 23000 -1 own",
		"g01 1 10.0.0.999 23000 4711 own",
		"g-1 1 10.0.0.1 23000 4711 own",
		"g0123456789012345 1 10.0.0.1 23000 4711 own",
		"g01 12345678901234567 10.0.0.1 23000 4711 own",
	};
	char text[256];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "%s\n", bad[i]);
		if (begin(text) != 1)
			fail_msg("accepted '%s'", bad[i]);
		expect("");
	}
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(begin(text), 1);
	assert_int_equal(cluster_memory_get(&cluster, SPAN("g01 1 10.0.0.1 1 1 own\0\n")), 1);
	/* The same one twice; a line without an end is one all the same. */
	assert_int_equal(begin("g01 1 10.0.0.1 1 1 own\nnonsense\ng01 1 10.0.0.1 1 1 own"), 2);
	expect("g01 1 10.0.0.1 1 1 own\n");
}

TEST(what_is_down_is_not_looked_for_elsewhere)
{
	struct fdfs_beat beat = {
		.state = FDFS_STATE_ACTIVE,
		.readable = true,
		.writable = true,
		.group = "g01",
		.id = "2",
		.address = { "10.0.0.2", 23000 },
		.path_count = 1,
		.paths = { { 100, 50, 10 } },
	};
	struct file_id id = { .group = "g01", .source = { 1 }, .ext = "jpg" };
	struct fdfs_file_request file = { .group = "g01" };
	struct fdfs_route route;

	assert_true(file_id_make(&id, 1));
	file.name = span_of(id.name, id.name_len);
	assert_int_equal(begin("g01 1 10.0.0.1 23000 4711 own\n"), 0);
	assert_int_equal(cluster_beat(&cluster, &beat, &beat, 0, 0, &err), 0);
	assert_int_equal(
		cluster_fetch(&cluster, &file, CLUSTER_READ, false, 0, &route, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	beat.id[0] = '1';
	beat.address.ip[7] = '1';
	assert_int_equal(cluster_beat(&cluster, &beat, &file, 0, 0, &err), 0);
	assert_int_equal(
		cluster_fetch(&cluster, &file, CLUSTER_READ, false, 0, &route, &err), 0);
	assert_string_equal(route.to[0].ip, "10.0.0.1");
	assert_int_equal(cluster.groups[0]->storages[0]->joined, 4711);
}

TEST(there_is_news_when_a_storage_is_another_than_before)
{
	struct fdfs_beat beat = { .group = "g01", .id = "1", .address = { "10.0.0.1", 1 } };

	assert_int_equal(begin("g01 1 10.0.0.1 1 1 own\n"), 0);
	assert_false(cluster.news);
	assert_int_equal(cluster_beat(&cluster, &beat, &beat, 0, 0, &err), 0);
	assert_false(cluster.news);
	beat.address.port = 2;
	assert_int_equal(cluster_beat(&cluster, &beat, &beat, 0, 0, &err), 0);
	assert_true(cluster.news);
	expect("g01 1 10.0.0.1 2 1 own\n");
}

TEST(the_file_is_made_with_its_folder_and_replaced)
{
	char folder[] = "/tmp/picstore-memory-XXXXXX", path[64], inner[40];
	size_t bad;

	assert_non_null(mkdtemp(folder));
	snprintf(inner, sizeof inner, "%s/a", folder);
	snprintf(path, sizeof path, "%s/b/storages", inner);
	begin("");
	assert_int_equal(cluster_memory_load(&cluster, path, &bad, &err), 0);
	begin(lines);
	assert_int_equal(cluster_memory_save(&cluster, path, &err), 0);
	assert_int_equal(cluster_memory_save(&cluster, path, &err), 0);
	begin("");
	assert_int_equal(cluster_memory_load(&cluster, path, &bad, &err), 0);
	assert_int_equal(bad, 0);
	expect(lines);
	assert_int_equal(cluster_memory_save(&cluster, "/proc/nowhere/storages", &err), -1);
	unlink(path);
	snprintf(path, sizeof path, "%s/b", inner);
	rmdir(path);
	rmdir(inner);
	assert_int_equal(rmdir(folder), 0);
	cluster_fini(&cluster);
}
