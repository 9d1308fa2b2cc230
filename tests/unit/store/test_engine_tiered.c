/* Volumes with an S3 service behind them, which fails on demand (s3_double.py), and pictures
 * that move between the two. */
#include "core/crc32.h"
#include "store/fsck.h"
#include "store/record.h"
#include "store/tier.h"
#include "store_kit.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void start(struct kit *kit)
{
	kit_tell("clear=1&exclusive=honours");
	kit_init(kit, 1);
	kit->conf.punch_delay_ms = 0;
	kit->s3.timeout_ms = 2000;
	kit_open(kit, "tiered");
	kit_tell("what=none&method=ANY&times=0");
}

static enum err_code out_code(struct kit *kit, const struct file_id *id)
{
	struct err err = { 0 };
	bool moved;

	if (tier_out(engine_tier(kit->engine), id, &moved, &err) == 0)
		return ERR_NONE;
	assert_false(moved);
	return err.code;
}

static enum err_code back_code(struct kit *kit, const struct file_id *id)
{
	struct err err = { 0 };
	bool moved;

	tier_back(engine_tier(kit->engine), id, &moved, &err);
	return err.code;
}

struct looked {
	const struct file_id *id;
	struct engine_found found;
	int times;
};

static bool look(void *context, const struct engine_found *found)
{
	struct looked *looked = context;

	if (file_id_equal(&found->id, looked->id)) {
		looked->found = *found;
		looked->times++;
	}
	return true;
}

/* What a walk over everything says of `id`, once. */
static struct engine_found found(struct kit *kit, const struct file_id *id)
{
	struct looked looked = { .id = id };
	struct err err;

	assert_int_equal(engine_walk(kit->engine, ENGINE_CHECK_CONTENT, look, &looked, &err), 0);
	assert_int_equal(looked.times, 1);
	return looked.found;
}

/* The writer erases between batches: this one comes behind. */
static void wait_for_eraser(struct kit *kit)
{
	struct file_id nothing = { .group = "g01", .name = "M00/nothing" };

	nothing.name_len = FILE_ID_NAME_LEN;
	nothing.random = VOLUME_FIRST_SPOT;
	for (int i = 0; i < 2; i++)
		engine_remove_wait(kit->engine, &nothing, NULL);
}

static uint64_t blocks(struct kit *kit, const struct file_id *id)
{
	char file[512];
	struct stat st;

	kit_volume_file(kit, id, file);
	assert_int_equal(stat(file, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

TEST(a_picture_leaves_its_volume_and_comes_back_under_its_id)
{
	struct file_id id, other;
	uint64_t before;
	struct kit kit;

	start(&kit);
	other = kit_put(&kit, 5000, 1);
	id = kit_put(&kit, 4 << 20, 2);
	before = blocks(&kit, &id);
	kit_move_out(&kit, &id);
	assert_int_equal(kit_tell(""), 1);
	kit_expect(&kit, &id, 4 << 20, 2);
	wait_for_eraser(&kit);
	assert_int_equal(found(&kit, &id).what, ENGINE_FOUND_PICTURE);
	assert_int_equal(found(&kit, &id).cold, ENGINE_COLD_EMPTY);
	assert_true(blocks(&kit, &id) + (4 << 20) - 16384 <= before);
	kit_open(&kit, "tiered");
	kit_expect(&kit, &id, 4 << 20, 2);
	assert_int_equal(back_code(&kit, &id), ERR_NONE);
	assert_int_equal(kit_tell(""), 0);
	assert_int_equal(found(&kit, &id).cold, ENGINE_COLD_NONE);
	kit_open(&kit, "tiered");
	kit_tell("what=hang&method=ANY&times=9"); /* nobody asks it any more */
	kit_expect(&kit, &id, 4 << 20, 2);
	kit_expect(&kit, &other, 5000, 1);
	kit_tell("what=none&method=ANY&times=0");
	kit_move_out(&kit, &id);
	kit_expect(&kit, &id, 4 << 20, 2);
	kit_close(&kit);
}

TEST(moving_twice_is_moving_once)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 3000, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(out_code(&kit, &id), ERR_NONE);
	kit_expect(&kit, &id, 3000, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(back_code(&kit, &id), ERR_NONE);
	kit_expect(&kit, &id, 3000, 1);
	assert_int_equal(kit_tell(""), 0);
	kit_close(&kit);
}

TEST(deleted_is_deleted_in_both)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	for (int out = 0; out < 2; out++) {
		id = kit_put(&kit, 3000, 1);
		if (out == 1)
			kit_move_out(&kit, &id);
		assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
		assert_int_equal(kit_tell(""), 0);
		assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
		assert_int_equal(kit_remove(&kit, &id), ERR_GONE);
		assert_int_equal(out_code(&kit, &id), ERR_GONE);
		assert_int_equal(back_code(&kit, &id), ERR_GONE);
		assert_int_equal(kit_tell(""), 0);
		assert_int_equal(found(&kit, &id).cold, ENGINE_COLD_NONE);
	}
	kit_close(&kit);
}

TEST(a_delete_that_cannot_reach_the_copy_fails_and_the_next_one_ends_it)
{
	struct file_id ids[3];
	struct kit kit;
	struct err err;

	start(&kit);
	for (unsigned i = 0; i < 3; i++) {
		ids[i] = kit_put(&kit, 3000, i);
		kit_move_out(&kit, &ids[i]);
	}
	kit_tell("what=denied&method=ANY&times=99");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kit_remove(&kit, &ids[i]), ERR_NOT_ALLOWED);
		assert_int_equal(kit_get_code(&kit, &ids[i]), ERR_GONE); /* nobody gets it */
	}
	kit_tell("what=none&method=ANY&times=0");
	assert_int_equal(kit_tell(""), 3);
	assert_int_equal(kit_remove(&kit, &ids[0]), ERR_GONE);
	assert_int_equal(kit_tell(""), 2);
	kit_open(&kit, "tiered"); /* it is remembered */
	assert_int_equal(kit_remove(&kit, &ids[1]), ERR_GONE);
	assert_int_equal(found(&kit, &ids[2]).what, ENGINE_FOUND_DELETED);
	assert_true(found(&kit, &ids[2]).cold != ENGINE_COLD_NONE);
	assert_int_equal(tier_sweep(engine_tier(kit.engine), &ids[2], &err), 0);
	assert_int_equal(kit_tell(""), 0);
	kit_close(&kit);
}

TEST(nothing_is_lost_whatever_the_service_does)
{
	static const struct {
		const char *fault;
		enum err_code code;
	} puts[] = {
		{ "method=PUT&what=slow&times=9", ERR_BUSY },
		{ "method=PUT&what=denied&times=9", ERR_NOT_ALLOWED },
		{ "method=PUT&what=quota&times=9", ERR_FULL },
		{ "method=PUT&what=broken&times=9", ERR_UNKNOWN },
		{ "method=GET&what=wrong&times=99", ERR_CORRUPT },
		{ "method=GET&what=shorter&times=99", ERR_CORRUPT },
		{ "method=GET&what=denied&times=9", ERR_NOT_ALLOWED },
	};
	struct kit kit;

	for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
		struct file_id id;
		enum err_code code;

		start(&kit);
		id = kit_put(&kit, 3000, 1);
		kit_tell(puts[i].fault);
		code = out_code(&kit, &id);
		if (code != puts[i].code)
			fail_msg("%s: %s", puts[i].fault, err_word(code));
		kit_expect(&kit, &id, 3000, 1);
		assert_true(found(&kit, &id).cold <= ENGINE_COLD_COPY);
		kit_open(&kit, "tiered"); /* without what the breaker remembers */
		kit_tell("what=none&method=ANY&times=0");
		kit_move_out(&kit, &id);
		kit_expect(&kit, &id, 3000, 1);
		assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
		assert_int_equal(kit_tell(""), 0);
		kit_close(&kit);
	}
}

TEST(a_copy_that_is_read_back_wrong_once_is_made_again)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 3000, 1);
	kit_tell("method=GET&what=wrong&times=2"); /* both tries of one read */
	kit_move_out(&kit, &id);
	kit_expect(&kit, &id, 3000, 1);
	kit_close(&kit);
}

TEST(what_the_cold_store_does_not_say_is_not_not_found)
{
	static const struct {
		const char *fault;
		enum err_code code;
	} gets[] = {
		{ "method=ANY&what=slow&times=9", ERR_BUSY },
		{ "method=ANY&what=denied&times=9", ERR_NOT_ALLOWED },
		{ "method=ANY&what=wrong&times=9", ERR_CORRUPT },
		{ "method=ANY&what=nobucket&times=9", ERR_NOT_ALLOWED },
		{ "clear=1", ERR_CORRUPT }, /* the object is lost */
	};
	struct kit kit;

	for (size_t i = 0; i < sizeof gets / sizeof gets[0]; i++) {
		struct file_id id;
		struct buf buf;
		struct err err = { 0 };
		struct engine_stat stat;

		start(&kit);
		id = kit_put(&kit, 3000, 1);
		kit_move_out(&kit, &id);
		wait_for_eraser(&kit);
		kit_tell(gets[i].fault);
		buf_init(&buf, 10000);
		assert_int_equal(engine_get(kit.engine, &id, 0, &buf, &err), -1);
		if (err.code != gets[i].code)
			fail_msg("%s: %s", gets[i].fault, err.text);
		assert_int_equal(buf.len, 0);
		/* Who it is, is known here. */
		assert_int_equal(engine_stat(kit.engine, &id, 0, &stat, &err), 0);
		assert_int_equal(stat.size, 3000);
		assert_int_not_equal(back_code(&kit, &id), ERR_NONE);
		kit_tell("what=none&method=ANY&times=0");
		buf_fini(&buf);
		kit_close(&kit);
	}
}

TEST(who_reads_while_it_moves_gets_the_bytes)
{
	struct file_id id;
	struct buf buf;
	struct err err = { 0 };
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 3000, 1);
	kit_move_out(&kit, &id);
	wait_for_eraser(&kit);
	buf_init(&buf, 10000);
	assert_int_equal(engine_get(kit.engine, &id, ENGINE_NO_WAIT, &buf, &err), -1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	buf_fini(&buf);
	kit.conf.read_only = true; /* as a tool beside the server does */
	kit_open(&kit, "tiered");
	kit_expect(&kit, &id, 3000, 1);
	kit_close(&kit);
	kit.conf.cold = NULL; /* as download.fcgi does, which then asks the server */
	kit.engine = engine_open("volume", &kit.conf, &err);
	assert_int_equal(kit_get_code(&kit, &id), ERR_UNREACHABLE);
	kit_close(&kit);
}

/* ---- many at once ---- */

enum { PICTURES = 24, ROUNDS = 3, MOVERS = 4 };

struct crowd {
	struct kit *kit;
	struct file_id ids[PICTURES];
	_Atomic bool deleted[PICTURES];
	_Atomic unsigned turn;
	_Atomic bool over;
	const char *_Atomic failure;
};

/* No assertions of cmocka's in threads: they jump. */
static void *move_all(void *context)
{
	struct crowd *crowd = context;
	struct tier *tier = engine_tier(crowd->kit->engine);

	for (unsigned at; (at = crowd->turn++) < 2 * ROUNDS * PICTURES;) {
		const struct file_id *id = &crowd->ids[at % PICTURES];
		struct err err = { 0 };
		bool moved;
		int rc = at / PICTURES % 2 == 0 ? tier_out(tier, id, &moved, &err)
						: tier_back(tier, id, &moved, &err);

		if (rc != 0 && err.code != ERR_GONE && err.code != ERR_BUSY)
			crowd->failure = err_word(err.code);
	}
	return NULL;
}

static void *read_all(void *context)
{
	struct crowd *crowd = context;

	for (unsigned i = 0; !crowd->over; i = (i + 1) % PICTURES) {
		bool deleted = crowd->deleted[i];
		uint8_t *bytes = kit_bytes(2000 + i, i);
		struct err err = { 0 };
		struct buf buf;

		buf_init(&buf, 10000);
		engine_get(crowd->kit->engine, &crowd->ids[i], 0, &buf, &err);
		if (deleted && err.code != ERR_GONE)
			crowd->failure = "a deleted picture is not gone";
		if (err.code != ERR_NONE && err.code != ERR_GONE)
			crowd->failure = "a read failed";
		if (err.code == ERR_NONE &&
			(buf.len != 2000 + i || memcmp(buf.data, bytes, buf.len) != 0))
			crowd->failure = "other bytes";
		buf_fini(&buf);
		free(bytes);
	}
	return NULL;
}

TEST(pictures_are_read_and_deleted_while_they_move)
{
	struct crowd crowd = { .over = false };
	pthread_t movers[MOVERS], reader;
	struct kit kit;

	start(&kit);
	crowd.kit = &kit;
	for (unsigned i = 0; i < PICTURES; i++)
		crowd.ids[i] = kit_put(&kit, 2000 + i, i);
	pthread_create(&reader, NULL, read_all, &crowd);
	for (int i = 0; i < MOVERS; i++)
		pthread_create(&movers[i], NULL, move_all, &crowd);
	for (unsigned i = 0; i < PICTURES; i += 2) { /* while they move */
		assert_int_equal(kit_remove(&kit, &crowd.ids[i]), ERR_NONE);
		crowd.deleted[i] = true;
	}
	for (int i = 0; i < MOVERS; i++)
		pthread_join(movers[i], NULL);
	crowd.over = true;
	pthread_join(reader, NULL);
	if (crowd.failure != NULL)
		fail_msg("%s", crowd.failure);
	for (unsigned i = 0; i < PICTURES; i++)
		if (i % 2 == 0)
			assert_int_equal(kit_get_code(&kit, &crowd.ids[i]), ERR_GONE);
		else
			kit_expect(&kit, &crowd.ids[i], 2000 + i, i);
	for (unsigned i = 1; i < PICTURES; i += 2)
		assert_int_equal(back_code(&kit, &crowd.ids[i]), ERR_NONE);
	assert_int_equal(kit_tell(""), 0); /* no copy of anything is left */
	kit_close(&kit);
}

/* ---- what else looks into volumes ---- */

static void ignore_problem(void *context, const char *file, const struct err *err)
{
	(void)context;
	(void)file;
	fail_msg("%s", err->text);
}

TEST(fsck_knows_them_and_erases_what_was_left)
{
	struct fsck_totals totals;
	struct file_id id;
	struct kit kit;
	struct fsck fsck = { .group = "g01", .path_count = 1, .problem = ignore_problem };

	start(&kit);
	fsck.paths = kit.conf.paths;
	kit.conf.punch_delay_ms = 60000;
	kit_open(&kit, "tiered");
	kit_put(&kit, 9000, 1);
	id = kit_put(&kit, 9000, 2);
	kit_move_out(&kit, &id);
	kit_close(&kit);
	assert_int_equal(fsck_run(&fsck, &totals, NULL), 0);
	assert_int_equal(totals.pictures, 2);
	assert_int_equal(totals.cold, 1);
	assert_int_equal(totals.cold_bytes, 9000);
	assert_int_equal(totals.unerased, 1);
	assert_true(fsck_clean(&totals));
	fsck.repair = true;
	assert_int_equal(fsck_run(&fsck, &totals, NULL), 0);
	assert_int_equal(totals.erased, 1);
	kit_open(&kit, "tiered");
	assert_int_equal(found(&kit, &id).cold, ENGINE_COLD_EMPTY);
	kit_expect(&kit, &id, 9000, 2);
	assert_int_equal(back_code(&kit, &id), ERR_NONE);
	kit_expect(&kit, &id, 9000, 2);
	kit_close(&kit);
}
