/* Names that pictures had elsewhere, and ids that are stored under again. */
#include "core/crc32.h"
#include "store/aliases.h"
#include "store/fsck.h"
#include "store_kit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRUNK                                                                                      \
	"g01/M07/00/52/wKgM_mFFkIiIX2FYAAAAPDbjiZ4AAAAcQCptLQAAABU459.txt" /* of another store */
#define OLD   "g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg"
#define SLAVE "g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668_150x150.png"

static struct file_id id_of(const char *text)
{
	struct file_id id;

	assert_true(file_id_parse(span_str(text), &id));
	return id;
}

static void open_kit(struct kit *kit)
{
	kit_init(kit, 2);
	kit_open(kit, "volume");
}

static enum err_code add(struct kit *kit, const char *old, const struct file_id *id)
{
	struct file_id from = id_of(old);
	const char *const names[] = { from.name };
	struct err err = { 0 };

	aliases_add(engine_aliases(kit->engine), names, 1, id->name, &err);
	return err.code;
}

static enum err_code put_again(struct kit *kit, const struct file_id *id, size_t len, unsigned seed)
{
	uint8_t *bytes = kit_bytes(len, seed);
	struct engine_put put = { .content = span_of(bytes, len), .wanted = id };

	put.crc = crc32_add(0, put.content);
	engine_put_wait(kit->engine, &put);
	free(bytes);
	if (put.err.code == ERR_NONE)
		assert_true(file_id_equal(&put.id, id));
	return put.err.code;
}

static void no_problem(void *context, const char *file, const struct err *err)
{
	(void)context;
	fail_msg("%s: %s", file, err->text);
}

static void expect_sound(struct kit *kit, uint64_t pictures)
{
	struct fsck fsck = { .group = "g01", .problem = no_problem };
	struct fsck_totals totals;
	struct err err;

	fsck.paths = kit->paths;
	fsck.path_count = kit->conf.path_count;
	assert_int_equal(fsck_run(&fsck, &totals, &err), 0);
	assert_true(fsck_clean(&totals));
	assert_int_equal(totals.pictures, pictures);
	assert_int_equal(totals.unknown_bytes, 0);
}

TEST(a_store_without_aliases_has_no_file_for_them)
{
	struct file_id old = id_of(OLD);
	struct kit kit;
	struct stat st;
	char file[400];

	open_kit(&kit);
	kit_put(&kit, 100, 1);
	assert_int_equal(kit_get_code(&kit, &old), ERR_NOT_FOUND);
	assert_false(aliases_any(engine_aliases(kit.engine)));
	snprintf(file, sizeof file, "%s/aliases.db", kit.folders[0]);
	assert_int_not_equal(stat(file, &st), 0);
	kit_close(&kit);
}

TEST(old_names_of_every_kind_find_the_picture_also_after_a_restart)
{
	static const char *const olds[] = { TRUNK, OLD, SLAVE };
	struct kit kit;
	struct file_id id;

	open_kit(&kit);
	id = kit_put(&kit, 3000, 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(add(&kit, olds[i], &id), ERR_NONE);
	kit_open(&kit, "volume");
	for (size_t i = 0; i < 3; i++) {
		struct file_id old = id_of(olds[i]);

		kit_expect(&kit, &old, 3000, 1);
	}
	kit.conf.read_only = true;
	kit_open(&kit, "volume");
	for (size_t i = 0; i < 3; i++) {
		struct file_id old = id_of(olds[i]);

		kit_expect(&kit, &old, 3000, 1);
	}
	assert_int_equal(add(&kit, "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", &id),
		ERR_NOT_ALLOWED);
	kit_close(&kit);
}

TEST(a_look_that_may_not_wait_says_so_before_a_name_is_looked_up)
{
	struct file_id old = id_of(OLD), id;
	struct engine_stat stat;
	struct err err = { 0 };
	struct kit kit;

	kit_start(&kit, "volume");
	id = kit_put(&kit, 100, 1);
	assert_int_equal(kit_get_code(&kit, &old), ERR_NOT_FOUND); /* the volume is open now */
	assert_int_equal(engine_stat(kit.engine, &old, ENGINE_NO_WAIT, &stat, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(add(&kit, OLD, &id), ERR_NONE);
	assert_int_equal(engine_stat(kit.engine, &old, ENGINE_NO_WAIT, &stat, &err), -1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	assert_int_equal(engine_stat(kit.engine, &old, 0, &stat, &err), 0);
	assert_int_equal(err.code, ERR_NONE);
	kit_close(&kit);
}

TEST(a_delete_by_an_old_name_deletes_the_picture_and_every_name)
{
	struct file_id old = id_of(OLD), slave = id_of(SLAVE), unknown = id_of(TRUNK), id, other;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 100, 1);
	other = kit_put(&kit, 100, 2);
	add(&kit, OLD, &id);
	add(&kit, SLAVE, &id);
	assert_int_equal(kit_remove(&kit, &unknown), ERR_NOT_FOUND);
	assert_int_equal(kit_remove(&kit, &old), ERR_NONE);
	assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
	assert_int_equal(kit_get_code(&kit, &old), ERR_GONE);
	assert_int_equal(kit_get_code(&kit, &slave), ERR_GONE);
	assert_int_equal(kit_remove(&kit, &slave), ERR_GONE);
	kit_expect(&kit, &other, 100, 2);
	kit_close(&kit);
}

static void count_names(void *context, const char *name)
{
	(void)name;
	++*(int *)context;
}

TEST(a_name_means_one_picture_and_a_picture_has_a_bounded_number)
{
	struct file_id id, other;
	struct kit kit;
	int count = 0;
	char text[80];

	open_kit(&kit);
	id = kit_put(&kit, 100, 1);
	other = kit_put(&kit, 100, 2);
	assert_int_equal(add(&kit, OLD, &id), ERR_NONE);
	assert_int_equal(add(&kit, OLD, &id), ERR_NONE); /* as before */
	assert_int_equal(add(&kit, OLD, &other), ERR_EXISTS);
	for (int i = 1; i < ALIASES_MAX; i++) {
		snprintf(
			text, sizeof text, "g01/M00/00/%02X/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", i);
		assert_int_equal(add(&kit, text, &id), ERR_NONE);
	}
	assert_int_equal(add(&kit, SLAVE, &id), ERR_BAD_REQUEST);
	assert_int_equal(
		aliases_of(engine_aliases(kit.engine), id.name, count_names, &count, NULL), 0);
	assert_int_equal(count, ALIASES_MAX);
	kit_close(&kit);
}

static bool count_walked(void *context, const char *name, const char *target)
{
	(void)name;
	(void)target;
	return ++*(int *)context < 700;
}

TEST(a_walk_shows_every_alias_until_it_is_stopped)
{
	struct kit kit;
	struct file_id id;
	int count = 0;

	open_kit(&kit);
	for (int i = 0; i < 800; i++) {
		char text[80];

		if (i % 10 == 0)
			id = kit_put(&kit, 10, 1);
		snprintf(text, sizeof text, "g01/M00/%02X/%02X/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
			i / 256, i % 256);
		assert_int_equal(add(&kit, text, &id), ERR_NONE);
	}
	assert_int_equal(
		aliases_walk(engine_aliases(kit.engine), "", count_walked, &count, NULL), 0);
	assert_int_equal(count, 700);
	kit_close(&kit);
}

/* Pictures of one store, put into another under the same ids. */
TEST(an_empty_store_takes_pictures_under_the_ids_that_they_had)
{
	enum { COUNT = 60 };
	struct file_id ids[COUNT], later;
	struct kit from, to;

	open_kit(&from);
	for (int i = 0; i < COUNT; i++)
		ids[i] = kit_put(&from, (size_t)i * 137, (unsigned)i);
	kit_close(&from);
	open_kit(&to);
	/* Not quite in their order, as several at a time arrive; some were deleted. */
	for (int i = 0; i < COUNT; i++) {
		int at = i ^ 3;

		if (at % 7 != 5)
			assert_int_equal(
				put_again(&to, &ids[at], (size_t)at * 137, (unsigned)at), ERR_NONE);
	}
	later = kit_put(&to, 5000, 99);
	kit_open(&to, "volume");
	for (int i = 0; i < COUNT; i++)
		if (i % 7 != 5)
			kit_expect(&to, &ids[i], (size_t)i * 137, (unsigned)i);
		else
			assert_int_equal(kit_get_code(&to, &ids[i]), ERR_NOT_FOUND);
	kit_expect(&to, &later, 5000, 99);
	expect_sound(&to, COUNT - 8 + 1);
	kit_close(&to);
}

TEST(an_id_is_taken_again_only_where_nothing_can_lie)
{
	struct file_id id, far, foreign = id_of(OLD);
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 100000, 1);
	assert_int_equal(put_again(&kit, &id, 100000, 1), ERR_EXISTS); /* is there */
	assert_int_equal(put_again(&kit, &id, 100000, 2), ERR_EXISTS); /* other bytes */
	far = id;
	far.random += 4; /* in the middle of it */
	assert_true(file_id_make(&far, 0));
	assert_int_equal(put_again(&kit, &far, 100000, 1), ERR_EXISTS);
	far = id;
	far.random = 3; /* the volume's head */
	assert_true(file_id_make(&far, 0));
	assert_int_equal(put_again(&kit, &far, 100000, 1), ERR_EXISTS);
	far = id;
	far.dir = 0xffff; /* would use up all numbers */
	assert_true(file_id_make(&far, 0));
	assert_int_equal(put_again(&kit, &far, 100000, 1), ERR_EXISTS);
	far = id;
	far.path = 9;
	assert_true(file_id_make(&far, 0));
	assert_int_equal(put_again(&kit, &far, 100000, 1), ERR_EXISTS);
	assert_int_equal(put_again(&kit, &foreign, 771347, 1), ERR_EXISTS);
	kit_expect(&kit, &id, 100000, 1);
	kit_close(&kit);
}

TEST(volumes_beyond_the_one_in_use_are_made_and_used)
{
	struct file_id id, second, next;
	struct kit kit;

	open_kit(&kit);
	id = kit_put(&kit, 1000, 1);
	second = id;
	second.dir += 3;
	assert_true(file_id_make(&second, 7));
	assert_int_equal(put_again(&kit, &second, 1000, 1), ERR_NONE);
	for (int i = 0; i < 4; i++) {
		next = kit_put(&kit, 1000, 2);
		kit_expect(&kit, &next, 1000, 2);
	}
	kit_open(&kit, "volume");
	kit_expect(&kit, &id, 1000, 1);
	kit_expect(&kit, &second, 1000, 1);
	assert_int_equal(kit_remove(&kit, &second), ERR_NONE);
	assert_int_equal(kit_get_code(&kit, &second), ERR_GONE);
	expect_sound(&kit, 5);
	kit_close(&kit);
}
