#include "store_kit.h"

#include "core/clock.h"
#include "core/crc32.h"
#include "store/tier.h"
#include "unit.h"
#include "web/web.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Atomic int64_t kit_now_ms = 1000000;
struct err kit_told;

static int64_t now_ms(void)
{
	return kit_now_ms;
}

static void tell(void *context, const struct err *err)
{
	(void)context;
	kit_told = *err;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? "" : value;
}

static void init_rados(struct kit *kit)
{
	kit->rados = (struct engine_rados_conf){
		.conf_file = environment("RADOS_CONF"),
		.user = environment("RADOS_USER"),
		.keyring = environment("RADOS_KEYRING"),
		.pool = environment("RADOS_POOL"),
		.connect_timeout_ms = 20000,
		.timeout_ms = 60000,
		.in_flight = 16,
	};
}

static void init_s3(struct kit *kit)
{
	kit->s3 = (struct engine_s3_conf){
		.endpoint = environment("S3_ENDPOINT"),
		.region = environment("S3_REGION"),
		.bucket = environment("S3_BUCKET"),
		.access_key = environment("S3_ACCESS_KEY"),
		.secret_key = environment("S3_SECRET_KEY"),
		.connect_timeout_ms = 10000,
		.timeout_ms = 60000,
		.in_flight = 16,
		.capacity = 1 << 30,
	};
}

unsigned kit_tell(const char *query)
{
	struct web *web = web_new();
	struct web_response response;
	char url[256];
	struct web_request request = { .method = "POST", .url = url };
	unsigned objects = 0;
	struct err err;

	snprintf(url, sizeof url, "%s/fault?%s", getenv("S3_ENDPOINT"), query);
	web_response_init(&response);
	if (web_ask(web, &request, &response, &err) != 0)
		fail_msg("%s", err.text);
	buf_put_u8(&response.body, '\0');
	assert_int_equal(sscanf((const char *)response.body.data, "%u", &objects), 1);
	web_response_fini(&response);
	web_free(web);
	return objects;
}

void kit_init(struct kit *kit, size_t path_count)
{
	static unsigned count;
	const char *scratch = unit_scratch();

	assert_true(path_count <= KIT_PATHS);
	*kit = (struct kit){
		.conf = {
			.group = "g01",
			.source = { 10, 1, 1, 197 },
			.path_count = path_count,
			.volume_size = 1 << 30,
			.preallocate = 1 << 20,
			.punch_delay_ms = 60000,
			.now = clock_unix,
		},
	};
	snprintf(kit->prefix, sizeof kit->prefix, "test/%u", count++);
	init_s3(kit);
	init_rados(kit);
	snprintf(kit->journal_file, sizeof kit->journal_file, "%s/journal%u.db", scratch, count++);
	kit->journal = (struct engine_journal){ .now_ms = now_ms, .tell = tell };
	for (size_t i = 0; i < path_count; i++) {
		snprintf(kit->folders[i], sizeof kit->folders[i], "%s/p%zu", scratch, i);
		assert_int_equal(mkdir(kit->folders[i], 0700), 0);
	}
}

void kit_open(struct kit *kit, const char *name)
{
	struct err err = { 0 };

	kit_close(kit);
	for (size_t i = 0; i < kit->conf.path_count; i++)
		kit->paths[i] = kit->folders[i];
	kit->conf.paths = kit->paths;
	kit->s3.prefix = kit->prefix;
	kit->conf.s3 = &kit->s3;
	kit->rados.name_space = kit->prefix;
	kit->conf.rados = &kit->rados;
	kit->journal.path = kit->journal_file;
	kit->conf.journal = &kit->journal;
	kit->moves = strcmp(name, "moved") == 0;
	if ((kit->moves || strcmp(name, "tiered") == 0) && kit->conf.cold == NULL)
		kit->conf.cold = "s3";
	kit->engine = engine_open(kit->conf.cold == NULL ? name : "volume", &kit->conf, &err);
	if (kit->engine == NULL)
		fail_msg("engine %s does not open: %s", name, err.text);
}

void kit_start(struct kit *kit, const char *name)
{
	kit_init(kit, 1);
	kit_open(kit, name);
}

void kit_close(struct kit *kit)
{
	engine_close(kit->engine);
	kit->engine = NULL;
}

enum err_code kit_open_code(const struct engine_conf *conf)
{
	struct err err = { 0 };
	struct engine *engine = engine_open("volume", conf, &err);

	engine_close(engine);
	return err.code;
}

uint8_t *kit_bytes(size_t len, unsigned seed)
{
	uint8_t *bytes = malloc(len + 1);
	uint32_t state = seed * 2654435761U + 1;

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(state >> 24);
	}
	return bytes;
}

void kit_move_out(struct kit *kit, const struct file_id *id)
{
	struct err err;
	bool moved;

	if (tier_out(engine_tier(kit->engine), id, &moved, &err) != 0)
		fail_msg("%s does not move: %s", id->name, err.text);
	assert_true(moved);
}

struct file_id kit_put_span(struct kit *kit, struct span content, const char *ext)
{
	struct engine_put put = {
		.content = content,
		.crc = crc32_add(0, content),
		.path = ENGINE_ANY_PATH,
	};

	strcpy(put.ext, ext);
	if (engine_put_wait(kit->engine, &put) != 0)
		fail_msg("put failed: %s", put.err.text);
	if (kit->moves)
		kit_move_out(kit, &put.id);
	return put.id;
}

struct file_id kit_put(struct kit *kit, size_t len, unsigned seed)
{
	uint8_t *bytes = kit_bytes(len, seed);
	struct file_id id = kit_put_span(kit, span_of(bytes, len), "jpg");

	free(bytes);
	return id;
}

void kit_expect(struct kit *kit, const struct file_id *id, size_t len, unsigned seed)
{
	uint8_t *bytes = kit_bytes(len, seed);
	struct engine_stat stat;
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, len + 3);
	buf_put_str(&buf, "abc");
	if (engine_get(kit->engine, id, 0, &buf, &err) != 0)
		fail_msg("get of %s failed: %s", id->name, err.text);
	assert_int_equal(buf.len, len + 3); /* appended */
	assert_memory_equal(buf.data + 3, bytes, len);
	assert_int_equal(engine_stat(kit->engine, id, 0, &stat, &err), 0);
	assert_int_equal(stat.size, len);
	assert_int_equal(stat.crc, crc32_add(0, span_of(bytes, len)));
	buf_fini(&buf);
	free(bytes);
}

enum err_code kit_get_code(struct kit *kit, const struct file_id *id)
{
	struct err err = { 0 }, place_err = { 0 };
	struct engine_place place;
	struct buf buf;

	buf_init(&buf, 64 << 20);
	if (engine_get(kit->engine, id, 0, &buf, &err) != 0) {
		assert_int_equal(buf.len, 0);
		assert_true(err.code != ERR_NONE && err.text[0] != '\0');
	}
	engine_place(kit->engine, id, 0, &place, &place_err);
	if (place_err.code != ERR_UNSUPPORTED)
		assert_int_equal(place_err.code, err.code);
	buf_fini(&buf);
	return err.code;
}

enum err_code kit_remove(struct kit *kit, const struct file_id *id)
{
	struct err err = { 0 };

	engine_remove_wait(kit->engine, id, &err);
	return err.code;
}

static bool count_found(void *context, const struct engine_found *found)
{
	struct kit_found *counts = context;

	counts->pictures += found->what == ENGINE_FOUND_PICTURE;
	counts->deleted += found->what == ENGINE_FOUND_DELETED;
	counts->corrupt += found->what == ENGINE_FOUND_CORRUPT;
	counts->torn += found->what == ENGINE_FOUND_TORN;
	counts->last = found->id;
	return true;
}

struct kit_found kit_walk(struct kit *kit, unsigned flags)
{
	struct kit_found counts = { 0 };
	struct err err;

	if (engine_walk(kit->engine, flags, count_found, &counts, &err) != 0)
		fail_msg("walk failed: %s", err.text);
	return counts;
}

static void count_problem(void *context, const char *file, const struct err *err)
{
	(void)file;
	assert_true(err->text[0] != '\0');
	++*(int *)context;
}

struct fsck_totals kit_fsck(const struct kit *kit, bool repair, int *problems)
{
	int count = 0;
	const struct fsck fsck = {
		.group = kit->conf.group,
		.paths = kit->conf.paths,
		.path_count = kit->conf.path_count,
		.repair = repair,
		.problem = count_problem,
		.context = &count,
	};
	struct fsck_totals totals;
	struct err err;

	if (fsck_run(&fsck, &totals, &err) != 0)
		fail_msg("fsck failed: %s", err.text);
	if (problems != NULL)
		*problems = count;
	return totals;
}

int64_t kit_offset(const struct file_id *id)
{
	return (int64_t)id->random * FILE_ID_SPOT_UNIT;
}

void kit_volume_file(const struct kit *kit, const struct file_id *id, char out[512])
{
	snprintf(out, 512, "%s/data/%02X/%02X.vol", kit->folders[id->path], id->dir >> 8,
		id->dir & 255);
}

void kit_read(const struct kit *kit, const struct file_id *id, int64_t at, void *out, size_t len)
{
	char file[512];
	int fd;

	kit_volume_file(kit, id, file);
	fd = open(file, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, out, len, at), len);
	close(fd);
}

void kit_write(
	const struct kit *kit, const struct file_id *id, int64_t at, const void *bytes, size_t len)
{
	char file[512];
	int fd;

	kit_volume_file(kit, id, file);
	fd = open(file, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

void kit_flip(const struct kit *kit, const struct file_id *id, int64_t at, uint8_t bits)
{
	uint8_t byte;

	kit_read(kit, id, at, &byte, 1);
	byte ^= bits;
	kit_write(kit, id, at, &byte, 1);
}
