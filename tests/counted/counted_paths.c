/* counted_paths.c - what callgrind counts where a function says it all.
 *
 *     counted_paths parse COUNT
 *     counted_paths read COUNT FOLDER      of a 4 KB picture out of a volume in FOLDER
 *     counted_paths upload COUNT FOLDER    of 4 KB pictures, one after another
 *
 * counting.py runs each with two COUNTs and takes the difference. */
#include "core/clock.h"
#include "core/crc32.h"
#include "store/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 4096 };

static void parse(int count)
{
	static const char text[] = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg";
	struct file_id id;

	for (int i = 0; i < count; i++)
		assert(file_id_parse(span_str(text), &id));
}

static struct engine *open_engine(char *folder)
{
	struct err err;
	struct engine_conf conf = {
		.group = "g01",
		.source = { 10, 1, 1, 197 },
		.paths = &folder,
		.path_count = 1,
		.volume_size = UINT64_C(1) << 30,
		.preallocate = 16 << 20,
		.punch_delay_ms = 60000,
		.now = clock_unix,
	};
	struct engine *engine = engine_open("volume", &conf, &err);

	assert(engine != NULL);
	return engine;
}

static struct file_id upload(struct engine *engine)
{
	static uint8_t content[SIZE];
	struct engine_put put = {
		.content = span_of(content, sizeof content),
		.crc = crc32_add(0, span_of(content, sizeof content)),
		.ext = "jpg",
		.path = ENGINE_ANY_PATH,
	};

	assert(engine_put_wait(engine, &put) == 0);
	return put.id;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 0;
	struct engine *engine;
	struct file_id id;
	struct buf out;
	struct err err;

	if (argc == 3 && strcmp(argv[1], "parse") == 0) {
		parse(count);
		return 0;
	}
	if (argc != 4)
		return 2;
	engine = open_engine(argv[3]);
	id = upload(engine);
	buf_init(&out, SIZE);
	for (int i = 0; i < count; i++) {
		buf_clear(&out);
		if (strcmp(argv[1], "upload") == 0)
			upload(engine);
		else
			assert(engine_get(engine, &id, 0, &out, &err) == 0);
	}
	buf_fini(&out);
	engine_close(engine);
	return 0;
}
