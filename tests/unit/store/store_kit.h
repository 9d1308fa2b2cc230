/* store_kit.h - what the tests of engines share: an engine in a scratch folder, and
 * pictures whose bytes follow from a number. */
#pragma once

#include "store/engine.h"
#include "store/engine_rados.h"
#include "store/engine_s3.h"
#include "store/fsck.h"

enum { KIT_PATHS = 2 };

struct kit {
	struct engine_conf conf;
	char *paths[KIT_PATHS];
	char folders[KIT_PATHS][300];
	struct engine_s3_conf s3;       /* as $S3_ENDPOINT, _REGION, _BUCKET, ... say */
	struct engine_rados_conf rados; /* as $RADOS_CONF, _USER, _KEYRING, _POOL say */
	char prefix[32];                /* or namespace: of this test's objects alone */
	char journal_file[320];
	struct engine_journal journal; /* of a shared engine; its clock is kit_now_ms */
	struct engine *engine;
	bool moves; /* what is put leaves the volumes at once */
};

/* Make store paths in a scratch folder and a configuration with small steps. */
void kit_init(struct kit *kit, size_t path_count);

/* One store path, and the engine `name` on it. */
void kit_start(struct kit *kit, const char *name);

/* Open the engine `name`, or open it anew.  The test fails if that does.  "tiered" is volumes with
 * s3 behind them (or what conf.cold says), and "moved" the same where every picture that is put is
 * there at once. */
void kit_open(struct kit *kit, const char *name);
void kit_close(struct kit *kit);

/* The code with which the volume engine refuses this configuration; ERR_NONE if it does not. */
enum err_code kit_open_code(const struct engine_conf *conf);

/* Tell s3_double.py something ("method=PUT&what=reset&times=2"); returns how many objects it
 * has. */
unsigned kit_tell(const char *query);

/* Bring a picture to the cold store. */
void kit_move_out(struct kit *kit, const struct file_id *id);

/* The clock of journals, which stands still, and what they told last. */
extern _Atomic int64_t kit_now_ms;
extern struct err kit_told;

/* `len` bytes that differ from one `seed` to another; the caller frees them. */
uint8_t *kit_bytes(size_t len, unsigned seed);

/* Store a picture; the test fails if that does. */
struct file_id kit_put(struct kit *kit, size_t len, unsigned seed);
struct file_id kit_put_span(struct kit *kit, struct span content, const char *ext);

/* Get it and compare.  The test fails unless exactly these bytes come. */
void kit_expect(struct kit *kit, const struct file_id *id, size_t len, unsigned seed);

/* The code with which get, stat and place all fail; ERR_NONE if all succeed. */
enum err_code kit_get_code(struct kit *kit, const struct file_id *id);
enum err_code kit_remove(struct kit *kit, const struct file_id *id);

/* What a walk finds. */
struct kit_found {
	int pictures, deleted, corrupt, torn;
	struct file_id last;
};

struct kit_found kit_walk(struct kit *kit, unsigned flags);

/* Check the store; `*problems` is the number of sentences that were said, NULL: any. */
struct fsck_totals kit_fsck(const struct kit *kit, bool repair, int *problems);

/* Where the record of `id` starts in its volume; and for tests that damage it: the file, and
 * bytes anywhere in it. */
int64_t kit_offset(const struct file_id *id);
void kit_volume_file(const struct kit *kit, const struct file_id *id, char out[512]);
void kit_flip(const struct kit *kit, const struct file_id *id, int64_t at, uint8_t bits);
void kit_read(const struct kit *kit, const struct file_id *id, int64_t at, void *out, size_t len);
void kit_write(
	const struct kit *kit, const struct file_id *id, int64_t at, const void *bytes, size_t len);
