/* What the engine rados makes of a cluster that fails, on a library that does so on demand
 * (fake_rados.h). */
#include "core/crc32.h"
#include "fake_rados.h"
#include "store/breaker.h"
#include "store/tier.h"
#include "store_kit.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <rados/librados.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void init(struct kit *kit)
{
	static char conf[320];
	int fd;

	fake_rados_reset();
	kit_init(kit, 1);
	snprintf(conf, sizeof conf, "%.280s/ceph.conf", kit->folders[0]);
	fd = open(conf, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	kit->rados.conf_file = conf;
	kit->rados.user = "client.picstore";
	kit->rados.pool = "pics";
}

static void start(struct kit *kit)
{
	init(kit);
	kit_open(kit, "rados");
}

static enum err_code put_code(struct kit *kit)
{
	struct engine_put put = {
		.content = SPAN("some bytes"),
		.crc = crc32_add(0, SPAN("some bytes")),
		.path = ENGINE_ANY_PATH,
	};

	engine_put_wait(kit->engine, &put);
	return put.err.code;
}

TEST(a_put_makes_the_object_or_fails_and_neither_waits_for_room)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	assert_int_equal(fake_rados.flags[FAKE_PUT], LIBRADOS_OPERATION_FULL_TRY);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(fake_rados.flags[FAKE_REMOVE], LIBRADOS_OPERATION_FULL_TRY);
	kit_close(&kit);
}

TEST(a_put_that_may_have_been_done_is_done_once)
{
	struct file_id id;
	struct kit kit;

	for (int done = 0; done < 2; done++) {
		start(&kit);
		fake_rados_fail(FAKE_PUT, -ETIMEDOUT, done, 1);
		id = kit_put(&kit, 3000, 2);
		kit_expect(&kit, &id, 3000, 2);
		assert_int_equal(fake_rados_count(), 1);
		kit_close(&kit);
	}
}

TEST(what_stays_unknown_is_reported_as_that)
{
	struct kit kit;

	start(&kit);
	fake_rados_fail(FAKE_PUT, -ETIMEDOUT, true, 9);
	assert_int_equal(put_code(&kit), ERR_UNKNOWN);
	fake_rados_fail(FAKE_PUT, -ETIMEDOUT, true, 1);
	fake_rados_fail(FAKE_READ, -ETIMEDOUT, true, 9); /* it is there, and cannot be compared */
	assert_int_equal(put_code(&kit), ERR_UNKNOWN);
	kit_close(&kit);
}

TEST(a_remove_that_may_have_been_done_is_done)
{
	struct file_id id;
	struct kit kit;

	for (int done = 0; done < 2; done++) {
		start(&kit);
		id = kit_put(&kit, 3000, 2);
		fake_rados_fail(FAKE_REMOVE, -ETIMEDOUT, done, 1);
		assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
		assert_int_equal(fake_rados_count(), 0);
		assert_int_equal(kit_remove(&kit, &id), ERR_NOT_FOUND);
		kit_close(&kit);
	}
	start(&kit);
	id = kit_put(&kit, 3000, 2);
	fake_rados_fail(FAKE_REMOVE, -ETIMEDOUT, false, 9);
	assert_int_equal(kit_remove(&kit, &id), ERR_UNKNOWN);
	kit_close(&kit);
}

TEST(a_full_cluster_or_pool_takes_nothing_and_gives_and_removes)
{
	static const int results[] = { -ENOSPC, -EDQUOT };
	struct file_id id;
	struct kit kit;

	start(&kit);
	for (size_t i = 0; i < 2; i++) {
		id = kit_put(&kit, 100, 1);
		fake_rados_fail(FAKE_PUT, results[i], false, 1);
		assert_int_equal(put_code(&kit), ERR_FULL);
		kit_expect(&kit, &id, 100, 1);
		assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	}
	kit_close(&kit);
}

TEST(what_is_refused_is_not_tried_again)
{
	static const struct {
		int result;
		enum err_code code;
	} rows[] = {
		{ -EPERM, ERR_NOT_ALLOWED },
		{ -EACCES, ERR_NOT_ALLOWED },
		{ -EMSGSIZE, ERR_TOO_LARGE },
	};
	struct file_id id;
	unsigned asked;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		asked = fake_rados.asked;
		fake_rados_fail(FAKE_PUT, rows[i].result, false, 1);
		assert_int_equal(put_code(&kit), rows[i].code);
		fake_rados_fail(FAKE_READ, rows[i].result, false, 1);
		assert_int_equal(kit_get_code(&kit, &id), rows[i].code);
		assert_int_equal(fake_rados.asked, asked + 2);
	}
	kit_close(&kit);
}

TEST(wrong_bytes_are_read_once_more_from_any_copy_before_they_are_called_corrupt)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 5000, 1);
	for (int how = FAKE_WRONG; how <= FAKE_LONGER; how++) {
		fake_rados_spoil((enum fake_rados_spoil)how, 1);
		assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
		assert_int_equal(fake_rados.flags[FAKE_READ], LIBRADOS_OPERATION_BALANCE_READS);
		fake_rados_spoil((enum fake_rados_spoil)how, 2);
		assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
	}
	fake_rados_fail(FAKE_READ, -EIO, false, 1);
	assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	fake_rados_fail(FAKE_READ, -EIO, false, 2);
	assert_int_equal(kit_get_code(&kit, &id), ERR_IO);
	kit_close(&kit);
}

static void note_reading(struct engine_reading *reading)
{
	++*(int *)reading->context;
}

TEST(a_reading_that_does_not_go_well_is_left_to_a_get)
{
	struct engine_reading reading = { .done = note_reading };
	struct file_id id;
	struct kit kit;
	int done = 0;
	struct buf buf;

	start(&kit);
	id = kit_put(&kit, 5000, 1);
	buf_init(&buf, 5000);
	reading.id = id;
	reading.out = &buf;
	reading.context = &done;
	fake_rados_fail(FAKE_READ, -ETIMEDOUT, false, 1);
	assert_true(engine_read(kit.engine, &reading));
	assert_int_equal(reading.err.code, ERR_WOULD_BLOCK);
	for (int how = FAKE_WRONG; how <= FAKE_LONGER; how++) {
		fake_rados_spoil((enum fake_rados_spoil)how, 1);
		assert_true(engine_read(kit.engine, &reading));
		assert_int_equal(reading.err.code, ERR_WOULD_BLOCK);
		assert_int_equal(buf.len, 0);
	}
	assert_true(engine_read(kit.engine, &reading));
	assert_int_equal(reading.err.code, ERR_NONE);
	assert_int_equal(buf.len, 5000);
	assert_int_equal(done, 5);
	assert_false(engine_read(kit.engine, &reading)); /* the buffer has no room left */
	buf_clear(&buf);
	fake_rados_fail(FAKE_READ, -ETIMEDOUT, false, 1000);
	for (int i = 0; i < BREAKER_FAILURES; i++)
		assert_true(engine_read(kit.engine, &reading));
	assert_false(engine_read(kit.engine, &reading)); /* it is left alone */
	buf_fini(&buf);
	kit_close(&kit);
}

TEST(a_cluster_that_does_not_answer_is_no_missing_picture)
{
	struct engine_stat stat;
	struct file_id id;
	struct err err;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	fake_rados_fail(FAKE_STAT, -ETIMEDOUT, false, 3);
	assert_int_equal(engine_stat(kit.engine, &id, 0, &stat, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	fake_rados_fail(FAKE_READ, -ETIMEDOUT, false, 1); /* once is nothing */
	assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	fake_rados_fail(FAKE_READ, -ENOTCONN, false, 3);
	assert_int_equal(kit_get_code(&kit, &id), ERR_UNREACHABLE);
	kit_close(&kit);
}

TEST(nor_is_a_pool_that_is_gone)
{
	struct file_id id;
	struct err err;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	fake_rados.pool_is_gone = true;
	assert_int_equal(kit_get_code(&kit, &id), ERR_NOT_ALLOWED);
	assert_int_equal(kit_remove(&kit, &id), ERR_NOT_ALLOWED);
	assert_int_equal(put_code(&kit), ERR_NOT_ALLOWED);
	assert_int_equal(engine_walk(kit.engine, 0, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_NOT_ALLOWED);
	kit_close(&kit);
}

TEST(after_failures_in_a_row_it_fails_at_once_and_says_so)
{
	struct file_id id;
	unsigned asked;
	struct err err;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	fake_rados_fail(FAKE_READ, -ETIMEDOUT, false, 1000);
	assert_int_equal(kit_get_code(&kit, &id), ERR_TIMEOUT); /* three tries */
	kit_get_code(&kit, &id);
	assert_int_equal(engine_health(kit.engine, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	asked = fake_rados.asked;
	assert_int_equal(kit_get_code(&kit, &id), ERR_BUSY);
	assert_int_equal(fake_rados.asked, asked); /* nobody was asked */
	kit_close(&kit);
}

TEST(a_name_that_another_has_taken_is_not_taken_again)
{
	struct engine_put put = { .content = SPAN("abc"), .crc = crc32_add(0, SPAN("abc")) };
	struct file_id id, wanted;
	struct kit kit;

	start(&kit);
	id = wanted = kit_put_span(&kit, SPAN("abc"), "jpg");
	put.wanted = &wanted;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_EXISTS);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(engine_put_wait(kit.engine, &put), 0);
	assert_true(file_id_equal(&put.id, &id));
	/* An id that is drawn may be one that is there: another is drawn. */
	fake_rados_fail(FAKE_PUT, -EEXIST, false, 2);
	assert_int_equal(put_code(&kit), ERR_NONE);
	assert_int_equal(fake_rados_count(), 2);
	kit_close(&kit);
}

struct walked {
	unsigned pictures, corrupt;
};

static bool note(void *context, const struct engine_found *found)
{
	struct walked *walked = context;

	walked->pictures += found->what == ENGINE_FOUND_PICTURE;
	walked->corrupt += found->what == ENGINE_FOUND_CORRUPT;
	return true;
}

TEST(a_walk_passes_over_other_groups_and_tells_of_strange_names)
{
	struct walked walked = { 0 };
	struct err err;
	struct kit kit;

	start(&kit);
	kit_put(&kit, 100, 1);
	kit_put(&kit, 100, 2);
	fake_rados_add("g02/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", "of another group");
	fake_rados_add("rbd_header", "of something else");
	fake_rados_add("g01/M00/strange", "no id");
	assert_int_equal(engine_walk(kit.engine, 0, note, &walked, &err), 0);
	assert_int_equal(walked.pictures, 2);
	assert_int_equal(walked.corrupt, 1);
	fake_rados_fail(FAKE_LIST, -ETIMEDOUT, false, 1);
	assert_int_equal(engine_walk(kit.engine, 0, note, &walked, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	kit_close(&kit);
}

static bool was_set(const char *option)
{
	for (unsigned i = 0; i < fake_rados.option_count; i++)
		if (strcmp(fake_rados.options[i], option) == 0)
			return true;
	return false;
}

TEST(librados_is_told_to_wait_for_nothing_for_ever)
{
	struct kit kit;

	init(&kit);
	kit.rados.connect_timeout_ms = 4001;
	kit.rados.timeout_ms = 7000;
	kit_open(&kit, "rados");
	assert_true(was_set("client_mount_timeout=5"));
	assert_true(was_set("rados_mon_op_timeout=5"));
	assert_true(was_set("rados_osd_op_timeout=4"));
	kit_close(&kit);
}

TEST(librados_is_given_one_thread_unless_its_configuration_says_more)
{
	struct kit kit;

	init(&kit);
	kit_open(&kit, "rados");
	assert_true(was_set("ms_async_op_threads=1"));
	kit_close(&kit);
	init(&kit);
	fake_rados.threads = "5";
	kit_open(&kit, "rados");
	assert_false(was_set("ms_async_op_threads=1"));
	kit_close(&kit);
}

static char warned[300];

static void warn(const char *text)
{
	snprintf(warned, sizeof warned, "%s", text);
}

static enum err_code open_code(struct kit *kit)
{
	struct err err = { 0 };

	kit->conf.rados = &kit->rados;
	kit->rados.name_space = "";
	kit->rados.warn = warn;
	kit->engine = engine_open("rados", &kit->conf, &err);
	kit_close(kit);
	return err.code;
}

TEST(a_pool_that_keeps_too_few_copies_is_refused_or_warned_of)
{
	static const struct {
		int size, min_size, k;
		bool enough;
	} rows[] = {
		{ 3, 2, 0, true },
		{ 4, 2, 0, true },
		{ 3, 1, 0, false },
		{ 2, 2, 0, false },
		{ 1, 1, 0, false },
		{ 6, 5, 4, true },
		{ 6, 4, 4, false },
		{ 5, 5, 4, false },
	};
	struct kit kit;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		init(&kit);
		fake_rados.size = rows[i].size;
		fake_rados.min_size = rows[i].min_size;
		fake_rados.k = rows[i].k;
		warned[0] = '\0';
		assert_int_equal(open_code(&kit), rows[i].enough ? ERR_NONE : ERR_CONFIG);
		assert_string_equal(warned, "");
		kit.rados.any_replicas = true;
		assert_int_equal(open_code(&kit), ERR_NONE);
		assert_true((warned[0] == '\0') == rows[i].enough);
	}
	init(&kit);
	fake_rados.size = 0; /* the monitors do not tell: nobody knows */
	assert_int_equal(open_code(&kit), ERR_UNREACHABLE);
}

TEST(what_cannot_be_connected_to_is_named)
{
	struct kit kit;

#define REFUSED(code, field, value)                                                                \
	do {                                                                                       \
		init(&kit);                                                                        \
		kit.rados.field = value;                                                           \
		assert_int_equal(open_code(&kit), code);                                           \
	} while (0)
	REFUSED(ERR_CONFIG, conf_file, "/no/such/ceph.conf");
	REFUSED(ERR_CONFIG, keyring, "/no/such/keyring");
	REFUSED(ERR_CONFIG, user, "picstore");
	REFUSED(ERR_CONFIG, pool, "");
	REFUSED(ERR_CONFIG, pool, "another");
	REFUSED(ERR_CONFIG, in_flight, 1);
	init(&kit);
	fake_rados.connect = -EACCES;
	assert_int_equal(open_code(&kit), ERR_CONFIG);
	fake_rados.connect = -ENOENT;
	assert_int_equal(open_code(&kit), ERR_CONFIG);
	fake_rados.connect = -ETIMEDOUT;
	assert_int_equal(open_code(&kit), ERR_UNREACHABLE);
}

TEST(pictures_of_volumes_go_to_a_pool_and_come_back)
{
	struct file_id ids[4];
	struct kit kit;
	struct err err;
	bool moved;

	init(&kit);
	kit.conf.cold = "rados";
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "tiered");
	for (unsigned i = 0; i < 4; i++)
		ids[i] = kit_put(&kit, 5000 + i, i);
	for (unsigned i = 0; i < 3; i++)
		kit_move_out(&kit, &ids[i]);
	assert_int_equal(kit_remove(&kit, &ids[0]), ERR_NONE);
	kit_open(&kit, "tiered");
	assert_int_equal(kit_get_code(&kit, &ids[0]), ERR_GONE);
	for (unsigned i = 1; i < 4; i++)
		kit_expect(&kit, &ids[i], 5000 + i, i);
	fake_rados_fail(FAKE_PUT, -ENOSPC, false, 9);
	assert_int_equal(tier_out(engine_tier(kit.engine), &ids[3], &moved, &err), -1);
	assert_int_equal(err.code, ERR_FULL);
	kit_expect(&kit, &ids[3], 5003, 3);
	fake_rados_fail(FAKE_PUT, 0, false, 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(tier_back(engine_tier(kit.engine), &ids[i], &moved, &err), 0);
		kit_expect(&kit, &ids[i], 5000 + i, i);
	}
	assert_int_equal(fake_rados_count(), 0);
	kit_close(&kit);
}
