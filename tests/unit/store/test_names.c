#include "store/names.h"

#include "core/crc32.h"
#include "meta/db.h"
#include "store_kit.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MASTER "M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define LOG    "M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log"
#define MAX    UINT64_MAX

static char folder[400];
static struct names *names;
static struct err err;

static int64_t now(void)
{
	return 1700000000;
}

static void start(void)
{
	snprintf(folder, sizeof folder, "%s", unit_scratch());
	names = names_open(folder, false, now, &err);
	if (names == NULL)
		fail_msg("%s", err.text);
}

static void again(void)
{
	names_close(names);
	names = names_open(folder, false, now, &err);
	assert_non_null(names);
}

static int create(const char *name, const char *master, struct span content)
{
	struct names_new new = { name, master, content };

	err = (struct err){ 0 };
	return names_create(names, &new, &err);
}

static void has(const char *name, struct span content)
{
	struct names_stat stat;
	uint32_t crc;
	struct buf out;

	buf_init(&out, content.len + 1);
	if (names_read(names, name, 0, content.len + 1, &out, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(span_equal(buf_span(&out), content));
	buf_fini(&out);
	assert_int_equal(names_stat(names, name, &stat, &err), 0);
	assert_int_equal(stat.size, content.len);
	assert_int_equal(names_crc(names, name, &crc, &err), 0);
	assert_int_equal(crc, crc32_add(0, content));
	if (!stat.is_appender)
		assert_int_equal(stat.crc, crc);
}

static void has_not(const char *name)
{
	struct names_stat stat;

	assert_int_equal(names_stat(names, name, &stat, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

TEST(keeps_a_slave)
{
	uint8_t *bytes = kit_bytes(200000, 1);

	start();
	assert_int_equal(create("a", MASTER, span_of(bytes, 200000)), 0);
	assert_int_equal(create("b", MASTER, SPAN("")), 0);
	has("a", span_of(bytes, 200000));
	has("b", SPAN(""));
	assert_int_equal(create("a", MASTER, SPAN("other")), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	again();
	has("a", span_of(bytes, 200000));
	assert_int_equal(names_remove(names, "a", &err), 0);
	has_not("a");
	assert_int_equal(names_remove(names, "a", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(create("a", MASTER, SPAN("other")), 0);
	has("a", SPAN("other"));
	names_close(names);
	free(bytes);
}

TEST(reads_ranges)
{
	uint8_t *bytes = kit_bytes(200000, 2);
	static const struct {
		uint64_t from, len, got;
	} ranges[] = { { 0, 10, 10 }, { 65530, 12, 12 }, { 65536, 65536, 65536 }, { 199999, 5, 1 },
		{ 200000, 5, 0 }, { UINT64_MAX, 5, 0 }, { 5, UINT64_MAX, 199995 } };

	start();
	assert_int_equal(create("a", MASTER, span_of(bytes, 200000)), 0);
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		struct buf out;

		buf_init(&out, 200000);
		assert_int_equal(
			names_read(names, "a", ranges[i].from, ranges[i].len, &out, &err), 0);
		assert_int_equal(out.len, ranges[i].got);
		if (out.len > 0)
			assert_memory_equal(out.data, bytes + ranges[i].from, out.len);
		buf_fini(&out);
	}
	names_close(names);
	free(bytes);
}

/* The same changes to a file and to an array must leave the same bytes. */
TEST(appenders_change_as_an_array_does)
{
	enum { ROOM = 400000, ROUNDS = 120 };
	uint8_t *model = calloc(1, ROOM), *bytes = kit_bytes(ROOM, 3);
	size_t size = 0;
	unsigned seed = 7;

	start();
	assert_int_equal(create(LOG, NULL, SPAN("")), 0);
	for (int i = 0; i < ROUNDS; i++) {
		size_t a, b;

		seed = seed * 1664525 + 1013904223;
		a = (seed >> 8) % 150000;
		b = (seed >> 16) % (size + 1);
		if (i % 3 == 0) {
			if (size + a > ROOM)
				a = ROOM - size;
			assert_int_equal(names_append(names, LOG, span_of(bytes, a), MAX, &err), 0);
			memcpy(model + size, bytes, a);
			size += a;
		} else if (i % 3 == 1) {
			if (b + a > ROOM)
				a = ROOM - b;
			assert_int_equal(
				names_modify(names, LOG, b, span_of(bytes + 7, a), MAX, &err), 0);
			memcpy(model + b, bytes + 7, a);
			size = b + a > size ? b + a : size;
		} else {
			size_t to = i % 2 == 0 ? b : (size + a > ROOM ? ROOM : size + a);

			assert_int_equal(names_truncate(names, LOG, to, MAX, &err), 0);
			if (to < size)
				memset(model + to, 0, size - to);
			size = to;
		}
		has(LOG, span_of(model, size));
	}
	again();
	has(LOG, span_of(model, size));
	names_close(names);
	free(model);
	free(bytes);
}

TEST(only_appenders_change_and_within_limits)
{
	start();
	assert_int_equal(create("slave", MASTER, SPAN("slave")), 0);
	assert_int_equal(create(LOG, NULL, SPAN("12345")), 0);
	assert_int_equal(names_append(names, "slave", SPAN("x"), MAX, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(names_truncate(names, "slave", 1, MAX, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(names_append(names, "none", SPAN("x"), MAX, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(names_modify(names, LOG, 6, SPAN("x"), MAX, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(names_append(names, LOG, SPAN("x"), 5, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(names_truncate(names, LOG, NAMES_SIZE_MAX + 1, MAX, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(names_truncate(names, LOG, UINT64_MAX, MAX, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(names_modify(names, LOG, 4, SPAN("x"), 5, &err), 0);
	assert_int_equal(names_truncate(names, LOG, 3, 1, &err), 0); /* smaller is always right */
	has(LOG, SPAN("123"));
	has("slave", SPAN("slave"));
	names_close(names);
}

TEST(the_greatest_file_is_one)
{
	struct names_stat stat;

	start();
	assert_int_equal(create("before", MASTER, SPAN("before")), 0);
	assert_int_equal(create(LOG, NULL, SPAN("12345")), 0);
	assert_int_equal(create("behind", MASTER, SPAN("behind")), 0);
	assert_int_equal(names_truncate(names, LOG, NAMES_SIZE_MAX, MAX, &err), 0);
	assert_int_equal(names_modify(names, LOG, NAMES_SIZE_MAX - 1, SPAN("x"), MAX, &err), 0);
	assert_int_equal(names_append(names, LOG, SPAN("x"), MAX, &err), -1);
	assert_int_equal(names_stat(names, LOG, &stat, &err), 0);
	assert_true(stat.size == NAMES_SIZE_MAX);
	assert_int_equal(names_truncate(names, LOG, NAMES_SIZE_MAX - 1, MAX, &err), 0);
	assert_int_equal(names_truncate(names, LOG, 5, MAX, &err), 0);
	has(LOG, SPAN("12345"));
	has("before", SPAN("before"));
	has("behind", SPAN("behind"));
	names_close(names);
}

static int makes;

static void make(void *context, uint64_t size, uint32_t crc, char *out)
{
	const char *const *list = context;

	assert_int_equal(size, 5);
	assert_int_equal(crc, crc32_add(0, SPAN("12345")));
	strcpy(out, list[makes++]);
}

static int keep(void *context, struct span old, struct buf *out, struct err *why)
{
	(void)why;
	buf_put_span(out, old);
	buf_put_str(out, context);
	return 0;
}

static void add_name(void *context, const char *slave)
{
	buf_printf(context, "%s ", slave);
}

static const char *slaves(const char *name)
{
	static char text[200];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	assert_int_equal(names_slaves(names, name, add_name, &out, &err), 0);
	snprintf(text, sizeof text, "%.*s", (int)out.len, out.data == NULL ? "" : (char *)out.data);
	buf_fini(&out);
	return text;
}

TEST(a_final_name_takes_all_along)
{
	const char *const list[] = { "taken", "final" };
	struct buf out;

	makes = 0;
	start();
	assert_int_equal(create("taken", MASTER, SPAN("taken")), 0);
	assert_int_equal(create(LOG, NULL, SPAN("12345")), 0);
	assert_int_equal(create("slave", LOG, SPAN("slave")), 0);
	assert_int_equal(names_edit_metadata(names, LOG, true, keep, (char[]){ "a" }, &err), 0);
	assert_int_equal(names_finish(names, LOG, make, (void *)list, &err), 0);
	has("final", SPAN("12345"));
	has("taken", SPAN("taken"));
	has_not(LOG);
	assert_string_equal(slaves("final"), "slave ");
	buf_init(&out, 10);
	assert_int_equal(names_metadata(names, "final", &out, &err), 0);
	assert_true(span_is(buf_span(&out), "a"));
	buf_fini(&out);
	assert_int_equal(names_append(names, "final", SPAN("x"), MAX, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(names_finish(names, "final", make, (void *)list, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	names_close(names);
}

TEST(when_all_names_are_taken_nothing_has_happened)
{
	const char *const list[] = { "t", "t", "t", "t", "t", "t", "t", "t", "t", "t" };

	makes = 0;
	start();
	assert_int_equal(create("t", MASTER, SPAN("taken")), 0);
	assert_int_equal(create(LOG, NULL, SPAN("12345")), 0);
	assert_int_equal(names_finish(names, LOG, make, (void *)list, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(makes, 10);
	assert_int_equal(names_append(names, LOG, SPAN("6"), MAX, &err), 0);
	has(LOG, SPAN("123456"));
	names_close(names);
}

TEST(finds_slaves_of_slaves)
{
	start();
	assert_int_equal(create("a", MASTER, SPAN("")), 0);
	assert_int_equal(create("aa", "a", SPAN("")), 0);
	assert_int_equal(create("b", MASTER, SPAN("")), 0);
	assert_int_equal(create("round", "round", SPAN("")), 0);
	assert_string_equal(slaves("a"), "aa ");
	assert_string_equal(slaves("round"), "round ");
	assert_int_equal(strlen(slaves(MASTER)), 7);
	assert_string_equal(slaves("b"), "");
	names_close(names);
}

static int nothing(void *context, struct span old, struct buf *out, struct err *why)
{
	(void)context;
	(void)old;
	(void)out;
	(void)why;
	return 0;
}

TEST(metadata_has_a_name_and_goes_with_its_file)
{
	struct buf out;

	start();
	assert_false(names_may_have_metadata(names));
	assert_int_equal(
		names_edit_metadata(names, "slave", true, keep, (char[]){ "a" }, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(names_edit_metadata(names, MASTER, false, keep, (char[]){ "a" }, &err), 0);
	assert_int_equal(names_edit_metadata(names, MASTER, false, keep, (char[]){ "b" }, &err), 0);
	again();
	assert_true(names_may_have_metadata(names));
	buf_init(&out, 10);
	assert_int_equal(names_metadata(names, MASTER, &out, &err), 0);
	assert_true(span_is(buf_span(&out), "ab"));
	buf_clear(&out);
	assert_int_equal(names_edit_metadata(names, MASTER, false, nothing, NULL, &err), 0);
	assert_int_equal(names_metadata(names, MASTER, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(create("slave", MASTER, SPAN("x")), 0);
	assert_int_equal(names_edit_metadata(names, "slave", true, keep, (char[]){ "a" }, &err), 0);
	assert_int_equal(names_remove(names, "slave", &err), 0);
	assert_int_equal(names_metadata(names, "slave", &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(names_drop_metadata(names, "slave", &err), 0);
	buf_fini(&out);
	names_close(names);
}

TEST(a_changed_byte_is_found)
{
	char path[500];
	struct db_conf conf = { .path = path, .steps = (const char *const[]){ "", NULL } };
	uint8_t *bytes = kit_bytes(200000, 4);
	struct db *db;
	struct buf out;
	uint32_t crc;

	start();
	assert_int_equal(create(LOG, NULL, span_of(bytes, 200000)), 0);
	snprintf(path, sizeof path, "%s/names.db", folder);
	db = db_open(&conf, &err);
	assert_non_null(db);
	assert_int_equal(
		db_exec(db, "UPDATE chunks SET bytes = zeroblob(65536) WHERE id & 1048575 = 1",
			&err),
		0);
	db_close(db);
	buf_init(&out, 200000);
	assert_int_equal(names_read(names, LOG, 0, 65536, &out, &err), 0); /* that row is good */
	assert_int_equal(names_read(names, LOG, 65536, 10, &out, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_int_equal(out.len, 65536);
	assert_int_equal(names_crc(names, LOG, &crc, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	/* Nothing is built on it. */
	assert_int_equal(names_modify(names, LOG, 65540, SPAN("x"), MAX, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	buf_fini(&out);
	names_close(names);
	free(bytes);
}

static bool count_names(void *context, const char *name, const struct names_stat *stat)
{
	int *counts = context;

	(void)name;
	counts[stat == NULL]++;
	return true;
}

TEST(readers_need_no_writer_and_change_nothing)
{
	struct names *reader;
	int counts[2] = { 0 };

	snprintf(folder, sizeof folder, "%s", unit_scratch());
	reader = names_open(folder, true, now, &err);
	assert_non_null(reader); /* there is no names.db yet */
	names = reader;
	has_not("a");
	assert_int_equal(names_walk(reader, count_names, counts, &err), 0);
	assert_int_equal(counts[0] + counts[1], 0);
	names_close(reader);
	names = names_open(folder, false, now, &err);
	assert_non_null(names);
	assert_int_equal(create("a", MASTER, SPAN("x")), 0);
	assert_int_equal(names_edit_metadata(names, MASTER, false, keep, (char[]){ "a" }, &err), 0);
	reader = names_open(folder, true, now, &err);
	assert_non_null(reader);
	assert_int_equal(names_walk(reader, count_names, counts, &err), 0);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	assert_int_equal(names_remove(reader, "a", &err), -1);
	assert_int_equal(err.code, ERR_NOT_ALLOWED);
	names_close(reader);
	names_close(names);
}

/* A child that appends, and says how often it was told that it had. */
static void append_until_killed(int out)
{
	uint8_t *bytes = kit_bytes(100000, 5);

	names = names_open(folder, false, now, &err);
	for (uint8_t i = 0; names != NULL && i < 250; i++) {
		if (names_append(names, LOG, span_of(bytes, 100000), MAX, &err) != 0 ||
			write(out, &i, 1) != 1)
			break;
	}
	_exit(0);
}

TEST(a_kill_cuts_no_change_in_half)
{
	uint8_t *bytes = kit_bytes(100000, 5);

	for (int round = 0; round < 4; round++) {
		int ends[2], status;
		struct names_stat stat;
		uint8_t last = 0, next;
		struct buf out;
		pid_t child;

		start();
		assert_int_equal(create(LOG, NULL, SPAN("")), 0);
		names_close(names);
		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0)
			append_until_killed(ends[1]);
		close(ends[1]);
		for (int i = 0; i < 3 + 5 * round && read(ends[0], &next, 1) == 1; i++)
			last = next;
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		while (read(ends[0], &next, 1) == 1)
			last = next;
		close(ends[0]);
		names = names_open(folder, false, now, &err);
		assert_non_null(names);
		assert_int_equal(names_stat(names, LOG, &stat, &err), 0);
		assert_int_equal(stat.size % 100000, 0);
		assert_true(stat.size >= (last + 1U) * 100000);
		buf_init(&out, stat.size);
		assert_int_equal(names_read(names, LOG, 0, stat.size, &out, &err), 0);
		for (size_t at = 0; at < out.len; at += 100000)
			assert_memory_equal(out.data + at, bytes, 100000);
		buf_fini(&out);
		names_close(names);
	}
	free(bytes);
}

static pthread_t lister;
static char listed[200];

static void *list_slaves(void *context)
{
	(void)context;
	snprintf(listed, sizeof listed, "%s", slaves(MASTER));
	return NULL;
}

/* From the answer on, whoever deletes the master asks for slaves. */
static int wanted(void *context, struct err *why)
{
	bool *is_there = context;

	has_not("a");
	if (!*is_there)
		return err_set(why, ERR_GONE, "the master is gone");
	pthread_create(&lister, NULL, list_slaves, NULL);
	return 0;
}

TEST(a_slave_whose_master_goes_is_never_seen_or_listed)
{
	bool master = false;
	struct names_new new = {
		.name = "a", .master = MASTER, .wanted = wanted, .context = &master
	};

	start();
	assert_int_equal(names_create(names, &new, &err), -1);
	assert_int_equal(err.code, ERR_GONE);
	has_not("a");
	assert_string_equal(slaves(MASTER), "");
	master = true;
	new.content = span_of(kit_bytes(4 << 20, 3), 4 << 20);
	assert_int_equal(names_create(names, &new, &err), 0);
	assert_int_equal(pthread_join(lister, NULL), 0);
	assert_string_equal(listed, "a ");
	free((void *)(uintptr_t) new.content.data);
	names_close(names);
}

TEST(a_file_that_comes_back_is_what_it_was)
{
	struct names_new slave = { "a", MASTER, SPAN("slave"), .changed = 1600000000 };
	struct names_new last = { "b", NULL, SPAN("last"), .finished = true,
		.changed = 1600000001 };
	struct names_new log = { LOG, NULL, SPAN("log"), .changed = 1600000002 };
	char master[FILE_ID_NAME_MAX + 1];
	struct names_stat stat;

	start();
	assert_int_equal(names_create(names, &slave, &err), 0);
	assert_int_equal(names_create(names, &last, &err), 0);
	assert_int_equal(names_create(names, &log, &err), 0);
	has("a", SPAN("slave"));
	has("b", SPAN("last"));
	has(LOG, SPAN("log"));
	assert_int_equal(names_stat(names, "b", &stat, &err), 0);
	assert_true(!stat.is_appender && stat.changed == 1600000001);
	assert_int_equal(names_append(names, "b", SPAN("x"), MAX, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_int_equal(names_stat(names, LOG, &stat, &err), 0);
	assert_true(stat.is_appender && stat.changed == 1600000002);
	assert_int_equal(names_append(names, LOG, SPAN("ger"), MAX, &err), 0);
	has(LOG, SPAN("logger"));
	assert_int_equal(names_master(names, "a", master, &err), 0);
	assert_string_equal(master, MASTER);
	assert_int_equal(names_master(names, LOG, master, &err), 0);
	assert_string_equal(master, "");
	assert_int_equal(names_master(names, "c", master, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	names_close(names);
}

/* Whoever is called may take long: with a reader that stays for so long the log of the
 * running storage would grow with every change. */
static bool change_much(void *context, const char *name, const struct names_stat *stat)
{
	static uint8_t bytes[1 << 20];
	int *count = context;

	if (stat != NULL && ++*count == 1)
		for (int i = 0; i < 40; i++) {
			arc4random_buf(bytes, sizeof bytes);
			assert_int_equal(names_modify(names, LOG, 0, span_of(bytes, sizeof bytes),
						 MAX, &err),
				0);
		}
	return name[0] != '\0';
}

TEST(a_walk_that_takes_long_does_not_let_the_log_grow)
{
	struct names *reader;
	char log[500], name[20];
	struct stat st;
	int count = 0;

	start();
	assert_int_equal(create(LOG, NULL, SPAN("")), 0);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "slave%03d", i);
		assert_int_equal(create(name, MASTER, SPAN("x")), 0);
	}
	reader = names_open(folder, true, now, &err);
	assert_non_null(reader);
	assert_int_equal(names_walk(reader, change_much, &count, &err), 0);
	assert_int_equal(count, 601);
	snprintf(log, sizeof log, "%s/names.db-wal", folder);
	assert_int_equal(stat(log, &st), 0);
	assert_true(st.st_size < 20 << 20);
	names_close(reader);
	names_close(names);
}
