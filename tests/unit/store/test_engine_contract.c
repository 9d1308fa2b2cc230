/* What every engine promises.  The program's environment names the engine: ENGINE. */
#include "core/crc32.h"
#include "store_kit.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the contract leaves to the engine. */
static const struct traits {
	const char *name;
	size_t paths;          /* store paths that it can have, up to two */
	enum err_code deleted; /* what it says of a picture that was deleted */
	bool lists, has_places, is_shared;
} all_traits[] = {
	{ "volume", 2, ERR_GONE, true, true, false },
	{ "faulty", 2, ERR_GONE, true, true, false },
	{ "file", 2, ERR_GONE, false, false, false },
	{ "s3", 1, ERR_NOT_FOUND, true, false, true },
	{ "rados", 1, ERR_NOT_FOUND, true, false, true },
	{ "tiered", 2, ERR_GONE, true, true, false },
	{ "moved", 2, ERR_GONE, true, false, false },
};

static const struct traits *traits(void)
{
	for (size_t i = 0; i < sizeof all_traits / sizeof all_traits[0]; i++)
		if (strcmp(all_traits[i].name, getenv("ENGINE")) == 0)
			return &all_traits[i];
	fail_msg("which engine is %s?", getenv("ENGINE"));
	return NULL;
}

static void open_kit(struct kit *kit, size_t path_count)
{
	kit_init(kit, path_count);
	kit_open(kit, getenv("ENGINE"));
}

TEST(gives_back_what_was_put)
{
	static const size_t lens[] = { 0, 1, 367, 368, 369, 511, 512, 513, 4095, 4096, 65408, 65409,
		262144, 262145, 5 << 20 };
	enum { COUNT = sizeof lens / sizeof lens[0] };
	struct file_id ids[COUNT];
	struct kit kit;

	open_kit(&kit, 1);
	for (unsigned i = 0; i < COUNT; i++)
		ids[i] = kit_put(&kit, lens[i], i);
	for (unsigned i = 0; i < COUNT; i++)
		kit_expect(&kit, &ids[i], lens[i], i);
	kit_open(&kit, getenv("ENGINE"));
	for (unsigned i = 0; i < COUNT; i++)
		kit_expect(&kit, &ids[i], lens[i], i);
	kit_close(&kit);
}

TEST(an_id_is_an_ordinary_one)
{
	struct file_id id, parsed;
	char text[FILE_ID_TEXT_MAX + 1], source[16];
	struct kit kit;
	size_t len;

	open_kit(&kit, 1);
	id = kit_put_span(&kit, SPAN("hello world"), "tar.gz");
	len = file_id_format(&id, text);
	assert_true(file_id_parse(span_of(text, len), &parsed));
	assert_true(file_id_equal(&id, &parsed));
	assert_int_equal(parsed.kind, FILE_ID_NORMAL);
	assert_int_equal(parsed.size, 11);
	assert_int_equal(parsed.crc, 0x0d4a1185);
	assert_string_equal(parsed.ext, "tar.gz");
	assert_string_equal(parsed.group, "g01");
	file_id_source_text(&parsed, source);
	assert_string_equal(source, "10.1.1.197");
	kit_close(&kit);
}

TEST(takes_any_extension_that_ids_have)
{
	static const char *const exts[] = { "", "a", "jpg", "JPEG", "tar.gz", "a-_.b" };
	struct kit kit;

	open_kit(&kit, 1);
	for (size_t i = 0; i < sizeof exts / sizeof exts[0]; i++) {
		struct file_id id = kit_put_span(&kit, SPAN("content"), exts[i]);

		assert_string_equal(id.ext, exts[i]);
		assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	}
	kit_close(&kit);
}

TEST(refuses_an_extension_that_ids_do_not_have)
{
	struct engine_put put = { .content = SPAN("x"), .ext = "j/g", .path = ENGINE_ANY_PATH };
	struct kit kit;

	open_kit(&kit, 1);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_BAD_REQUEST);
	kit_close(&kit);
}

TEST(a_removed_picture_is_gone_and_stays_gone)
{
	struct file_id id, other;
	struct kit kit;

	open_kit(&kit, 1);
	other = kit_put(&kit, 5000, 1);
	id = kit_put(&kit, 5000, 2);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(kit_get_code(&kit, &id), traits()->deleted);
	assert_int_equal(kit_remove(&kit, &id), traits()->deleted);
	kit_open(&kit, getenv("ENGINE"));
	assert_int_equal(kit_get_code(&kit, &id), traits()->deleted);
	kit_expect(&kit, &other, 5000, 1);
	kit_close(&kit);
}

/* Every id that differs from a stored one in one character. */
TEST(an_id_that_was_not_given_out_finds_nothing)
{
	static const char digits[] = "0123456789ABCDEFabcdefghijk-_XYZ";
	struct file_id id, mutant;
	struct kit kit;
	int tried = 0;

	open_kit(&kit, 1);
	kit_put(&kit, 4000, 1);
	id = kit_put(&kit, 3000, 2);
	kit_put(&kit, 4000, 3);
	for (size_t at = 0; at < id.name_len; at++)
		for (const char *digit = digits; *digit != '\0'; digit++) {
			char name[FILE_ID_NAME_MAX + 1];

			strcpy(name, id.name);
			name[at] = *digit;
			if (!file_id_parse_name(span_str(id.group), span_str(name), &mutant) ||
				file_id_equal(&id, &mutant))
				continue;
			tried++;
			assert_int_equal(kit_get_code(&kit, &mutant), ERR_NOT_FOUND);
			if (tried % 20 == 0)
				assert_int_equal(kit_remove(&kit, &mutant), ERR_NOT_FOUND);
		}
	assert_true(tried > 500);
	assert_true(file_id_parse_name(SPAN("g02"), span_str(id.name), &mutant));
	assert_int_equal(kit_get_code(&kit, &mutant), ERR_NOT_FOUND);
	assert_int_equal(kit_remove(&kit, &mutant), ERR_NOT_FOUND);
	kit_expect(&kit, &id, 3000, 2);
	kit_close(&kit);
}

TEST(ids_of_other_makers_find_nothing)
{
	static const char *const names[] = {
		"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
		"g01/M00/00/00/fwAAAmsC3BiISvWtAAAACw1KEYUAAAAAQAAAAAAAAEA233.jpg",
		"g01/M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_150x150.png",
		"g01/M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log",
		"g01/MFF/FF/FF/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
	};
	struct kit kit;

	open_kit(&kit, 1);
	kit_put(&kit, 3000, 1);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct file_id id;

		assert_true(file_id_parse(span_str(names[i]), &id));
		assert_int_equal(kit_get_code(&kit, &id), ERR_NOT_FOUND);
		assert_int_equal(kit_remove(&kit, &id), ERR_NOT_FOUND);
	}
	kit_close(&kit);
}

TEST(a_buffer_that_is_too_small_gets_nothing)
{
	struct file_id id;
	struct err err;
	struct buf buf;
	struct kit kit;

	open_kit(&kit, 1);
	id = kit_put(&kit, 1000, 1);
	buf_init(&buf, 999);
	assert_int_equal(engine_get(kit.engine, &id, 0, &buf, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
	kit_close(&kit);
}

struct reading {
	struct engine_reading base;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool done;
};

static void note_read(struct engine_reading *base)
{
	struct reading *reading = base->context;

	pthread_mutex_lock(&reading->mutex);
	reading->done = true;
	pthread_cond_signal(&reading->wake);
	pthread_mutex_unlock(&reading->mutex);
}

TEST(reads_without_waiting_or_says_that_it_cannot)
{
	static const size_t lens[] = { 0, 1, 5000, 1 << 20 };
	struct kit kit;

	open_kit(&kit, 1);
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		struct reading reading = {
			.mutex = PTHREAD_MUTEX_INITIALIZER,
			.wake = PTHREAD_COND_INITIALIZER,
		};
		uint8_t *bytes = kit_bytes(lens[i], 7);
		struct buf buf;

		buf_init(&buf, lens[i]);
		reading.base = (struct engine_reading){
			.id = kit_put(&kit, lens[i], 7),
			.out = &buf,
			.done = note_read,
			.context = &reading,
		};
		if (engine_read(kit.engine, &reading.base)) {
			pthread_mutex_lock(&reading.mutex);
			while (!reading.done)
				pthread_cond_wait(&reading.wake, &reading.mutex);
			pthread_mutex_unlock(&reading.mutex);
			assert_int_equal(reading.base.err.code, ERR_NONE);
			assert_int_equal(buf.len, lens[i]);
			assert_memory_equal(buf.data, bytes, lens[i]);
		}
		buf_fini(&buf);
		free(bytes);
	}
	kit_close(&kit);
}

TEST(spreads_pictures_over_its_store_paths_or_takes_the_one_named)
{
	struct engine_put put = { .content = SPAN("x"), .crc = crc32_add(0, SPAN("x")) };
	size_t paths = traits()->paths;
	int seen[2] = { 0 };
	struct kit kit;

	open_kit(&kit, paths);
	for (int i = 0; i < 8; i++)
		seen[kit_put(&kit, 100, 1).path]++;
	for (size_t path = 0; path < paths; path++) {
		assert_true(seen[path] > 0);
		put.path = (uint8_t)path;
		assert_int_equal(engine_put_wait(kit.engine, &put), 0);
		assert_int_equal(put.id.path, path);
	}
	put.path = (uint8_t)paths;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_BAD_REQUEST);
	kit_close(&kit);
}

/* Of what walk finds, the tests want the pictures. */
struct walked {
	struct file_id ids[64];
	size_t count, most;
};

static bool note_found(void *context, const struct engine_found *found)
{
	struct walked *walked = context;

	if (found->what == ENGINE_FOUND_PICTURE)
		walked->ids[walked->count++] = found->id;
	return walked->count < walked->most;
}

TEST(walks_over_all_pictures_or_says_that_it_cannot)
{
	struct walked walked = { .most = 64 }, few = { .most = 3 };
	struct file_id ids[20];
	struct err err;
	struct kit kit;

	open_kit(&kit, traits()->paths);
	for (unsigned i = 0; i < 20; i++)
		ids[i] = kit_put(&kit, 100 + i, i);
	kit_remove(&kit, &ids[0]);
	if (!traits()->lists) {
		assert_int_equal(engine_walk(kit.engine, 0, note_found, &walked, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
	} else {
		assert_int_equal(
			engine_walk(kit.engine, ENGINE_CHECK_CONTENT, note_found, &walked, &err),
			0);
		assert_int_equal(walked.count, 19);
		for (unsigned i = 1; i < 20; i++) {
			size_t at = 0;

			while (at < 19 && !file_id_equal(&walked.ids[at], &ids[i]))
				at++;
			assert_true(at < 19);
		}
		assert_int_equal(engine_walk(kit.engine, 0, note_found, &few, &err), 0);
		assert_int_equal(few.count, 3);
	}
	kit_close(&kit);
}

TEST(says_where_the_bytes_lie_or_that_it_is_in_no_file)
{
	struct engine_place place;
	struct file_id id;
	struct err err;
	struct kit kit;

	open_kit(&kit, 1);
	id = kit_put(&kit, 5000, 1);
	if (traits()->has_places) {
		assert_int_equal(engine_place(kit.engine, &id, 0, &place, &err), 0);
		assert_int_equal(place.len, 5000);
	} else {
		assert_int_equal(engine_place(kit.engine, &id, 0, &place, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
	}
	kit_close(&kit);
}

TEST(is_well_and_knows_whether_it_is_shared)
{
	struct err err;
	struct kit kit;

	open_kit(&kit, 1);
	kit_put(&kit, 100, 1);
	assert_int_equal(engine_health(kit.engine, &err), 0);
	assert_int_equal(engine_is_shared(kit.engine), traits()->is_shared);
	kit_close(&kit);
}

TEST(open_for_reading_it_changes_nothing)
{
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct file_id id;
	struct kit kit;

	open_kit(&kit, 1);
	id = kit_put(&kit, 700, 1);
	kit.conf.read_only = true;
	kit_open(&kit, getenv("ENGINE"));
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_NOT_ALLOWED);
	assert_int_equal(kit_remove(&kit, &id), ERR_NOT_ALLOWED);
	kit_expect(&kit, &id, 700, 1);
	kit_close(&kit);
}

enum { WORKERS = 4, WORKER_PICTURES = 40 };

struct worker {
	struct kit *kit;
	unsigned seed;
	const char *failure;
	pthread_t thread;
};

/* No assertions of cmocka's in threads: they jump. */
static void *work(void *arg)
{
	struct worker *worker = arg;
	struct file_id ids[WORKER_PICTURES];

	for (unsigned i = 0; i < WORKER_PICTURES; i++) {
		size_t len = 500 + i * 331;
		uint8_t *bytes = kit_bytes(len, worker->seed + i);
		struct engine_put put = {
			.content = span_of(bytes, len),
			.crc = crc32_add(0, span_of(bytes, len)),
			.path = ENGINE_ANY_PATH,
		};
		struct buf buf;

		buf_init(&buf, len);
		if (engine_put_wait(worker->kit->engine, &put) != 0)
			worker->failure = "a put failed";
		ids[i] = put.id;
		if (engine_get(worker->kit->engine, &ids[i], 0, &buf, NULL) != 0 ||
			buf.len != len || memcmp(buf.data, bytes, len) != 0)
			worker->failure = "a get failed";
		buf_fini(&buf);
		free(bytes);
		if (i % 3 == 0 && engine_remove_wait(worker->kit->engine, &ids[i], NULL) != 0)
			worker->failure = "a remove failed";
	}
	return NULL;
}

TEST(serves_many_threads_at_once)
{
	struct worker workers[WORKERS];
	struct kit kit;

	open_kit(&kit, traits()->paths);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .kit = &kit, .seed = i * 1000 };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].failure != NULL)
			fail_msg("%s", workers[i].failure);
	}
	kit_close(&kit);
}

static _Atomic int answered;

static void count_answer(struct engine_put *put)
{
	answered += put->err.code == ERR_NONE;
}

TEST(closing_waits_for_what_is_under_way)
{
	enum { COUNT = 600 };
	static struct engine_put puts[COUNT];
	struct kit kit;

	open_kit(&kit, 1);
	answered = 0;
	for (int i = 0; i < COUNT; i++) {
		puts[i] = (struct engine_put){
			.content = SPAN("some bytes"),
			.crc = crc32_add(0, SPAN("some bytes")),
			.path = ENGINE_ANY_PATH,
			.done = count_answer,
		};
		engine_put(kit.engine, &puts[i]);
	}
	kit_close(&kit);
	assert_int_equal(answered, COUNT);
	kit_open(&kit, getenv("ENGINE"));
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(kit_get_code(&kit, &puts[i].id), ERR_NONE);
	kit_close(&kit);
}

TEST(tells_its_space)
{
	struct engine_space space;
	struct err err;
	struct kit kit;

	open_kit(&kit, traits()->paths);
	assert_int_equal(engine_space(kit.engine, &space, &err), 0);
	assert_true(space.total >= space.free && space.free > 0);
	assert_int_equal(space.free, space.path_free[0] + space.path_free[1]);
	kit_close(&kit);
}
