#include "core/clock.h"
#include "store/quarantine.h"
#include "store/record.h"
#include "store/scrub.h"
#include "store_kit.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utime.h>

enum { PICTURES = 12, FLIPS = 3000, SEED = 20261122 };

static const size_t sizes[PICTURES] = { 1, 368, 369, 512, 900, 4096, 5000, 7777, 10000, 13, 100,
	2000 };

static struct kit kit;
static struct file_id ids[PICTURES];
static char file[512];

static void fill(void)
{
	kit_start(&kit, "volume");
	for (size_t i = 0; i < PICTURES; i++)
		ids[i] = kit_put(&kit, sizes[i], (unsigned)i);
	kit_volume_file(&kit, &ids[0], file);
}

/* Does fsck find anything? */
static bool is_found(void)
{
	int problems;

	kit_fsck(&kit, false, &problems);
	return problems > 0;
}

/* Is this byte of the volume one that says something?  docs/volume-format.md lists those
 * that do not: in front of the first record all but head and copy, and the zeros between a
 * content and its end mark. */
static bool counts(off_t at)
{
	const off_t first = VOLUME_FIRST_SPOT * RECORD_BLOCK;
	const off_t copy = VOLUME_HEAD_COPY * RECORD_BLOCK;

	if (at < first)
		return at < RECORD_BLOCK || (at >= copy && at < copy + RECORD_BLOCK);
	for (size_t i = 0; i < PICTURES; i++) {
		off_t start = (off_t)ids[i].random * RECORD_BLOCK;
		off_t end = start + (off_t)record_room(sizes[i]) * RECORD_BLOCK;

		if (at >= start && at < end)
			return at < start + RECORD_HEADER_LEN + (off_t)sizes[i] ||
			       at >= end - RECORD_END_LEN;
	}
	return false;
}

static void flip(off_t at, uint8_t bits)
{
	FILE *volume = fopen(file, "r+b");
	int byte;

	assert_non_null(volume);
	assert_int_equal(fseeko(volume, at, SEEK_SET), 0);
	byte = fgetc(volume);
	assert_int_not_equal(byte, EOF);
	assert_int_equal(fseeko(volume, at, SEEK_SET), 0);
	fputc(byte ^ bits, volume);
	assert_int_equal(fclose(volume), 0);
}

TEST(a_byte_flipped_anywhere_is_found_and_never_served)
{
	off_t end;

	fill();
	end = (off_t)(ids[PICTURES - 1].random + record_room(sizes[PICTURES - 1])) * RECORD_BLOCK;
	assert_false(is_found());
	srandom(SEED);
	for (int i = 0; i < FLIPS; i++) {
		off_t at = random() % end;
		uint8_t bits = (uint8_t)(1 + random() % 255);

		flip(at, bits);
		if (counts(at) != is_found())
			fail_msg("flip %d at %lld with %u", i, (long long)at, bits);
		/* Each picture comes with its own bytes or not at all. */
		for (size_t n = 0; n < PICTURES; n++)
			if (kit_get_code(&kit, &ids[n]) == ERR_NONE)
				kit_expect(&kit, &ids[n], sizes[n], (unsigned)n);
		flip(at, bits);
	}
	assert_false(is_found());
	kit_close(&kit);
}

/* ---- the scrub ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static char told_where[QUARANTINE_WHERE_MAX];
static _Atomic int64_t checked, quarantined;
static int64_t checked_at_told;

static void on_found(void *context, const char *path, const char *where, const char *reason)
{
	(void)context;
	(void)path;
	(void)reason;
	pthread_mutex_lock(&lock);
	if (told_where[0] == '\0') { /* the first of a run */
		snprintf(told_where, sizeof told_where, "%s", where == NULL ? "error" : where);
		checked_at_told = checked;
	}
	pthread_cond_signal(&told);
	pthread_mutex_unlock(&lock);
}

static int64_t fixed_now(void)
{
	return 1795000000;
}

/* By then what the tests delete should have been erased. */
static int64_t later(void)
{
	return clock_unix() + 1000;
}

static struct names *names[1];

static uint64_t rate = 1 << 30;

static struct scrub *start(void)
{
	const struct scrub_conf conf = {
		.group = kit.conf.group,
		.paths = kit.conf.paths,
		.path_count = 1,
		.names = names,
		.engine = kit.engine,
		.erase_after_s = 100,
		.rate = rate,
		.every_s = 1000,
		.now = later,
		.found = on_found,
		.checked = &checked,
		.quarantined = &quarantined,
	};
	struct scrub *scrub;
	struct err err;

	names[0] = names_open(kit.conf.paths[0], false, fixed_now, &err);
	assert_non_null(names[0]);
	scrub = scrub_start(&conf, &err);
	assert_non_null(scrub);
	return scrub;
}

/* Let the scrub run until it tells of damage. */
static void scrub_until_told(void)
{
	struct scrub *scrub;

	told_where[0] = '\0';
	scrub = start();
	pthread_mutex_lock(&lock);
	while (told_where[0] == '\0')
		pthread_cond_wait(&told, &lock);
	pthread_mutex_unlock(&lock);
	scrub_stop(scrub);
	names_close(names[0]);
}

static void damage(const struct file_id *id)
{
	flip((off_t)id->random * RECORD_BLOCK + RECORD_HEADER_LEN + 5, 1);
}

TEST(the_scrub_puts_what_does_not_match_on_the_list)
{
	const struct utimbuf long_ago = { 1000000000, 1000000000 };
	struct quarantine list;
	char where[QUARANTINE_WHERE_MAX];
	struct err err;

	fill();
	damage(&ids[PICTURES - 1]);
	assert_int_equal(utime(file, &long_ago), 0);
	quarantine_where(
		ids[PICTURES - 1].dir, (uint64_t)ids[PICTURES - 1].random * RECORD_BLOCK, where);
	scrub_until_told();
	assert_string_equal(told_where, where);
	assert_int_equal(quarantined, 1);
	assert_true(checked > 0);
	assert_int_equal(quarantine_read(&list, kit.conf.paths[0], &err), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.entries[0].where, where);
	assert_non_null(strstr(list.entries[0].reason, "does not match"));
	quarantine_fini(&list);
	assert_int_equal(kit_get_code(&kit, &ids[PICTURES - 1]), ERR_CORRUPT);
	kit_close(&kit);
}

TEST(it_reads_no_faster_than_it_may)
{
	const struct utimbuf long_ago = { 1000000000, 1000000000 };
	int64_t before, took_ms;

	fill();
	damage(&ids[8]);
	assert_int_equal(utime(file, &long_ago), 0);
	rate = 150000; /* bytes a second */
	checked = 0;
	before = clock_mono_ms();
	scrub_until_told();
	took_ms = clock_mono_ms() - before;
	/* What stands in front of the damage: all but the last nap was slept for. */
	assert_in_range(checked_at_told, 20000, 100000);
	assert_true((took_ms + 30) * (int64_t)rate / 1000 >= checked_at_told);
	rate = 1 << 30;
	kit_close(&kit);
}

TEST(a_restart_goes_on_where_the_last_one_was)
{
	const struct utimbuf long_ago = { 1000000000, 1000000000 };
	char where[QUARANTINE_WHERE_MAX], path[512];
	struct quarantine list;
	struct err err;
	FILE *out;

	fill();
	damage(&ids[2]);
	damage(&ids[9]);
	assert_int_equal(utime(file, &long_ago), 0);
	snprintf(path, sizeof path, "%s/scrub", kit.conf.paths[0]);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "scrub %lld %u %u\n", (long long)later() - 50, ids[5].dir, ids[5].random);
	assert_int_equal(fclose(out), 0);
	scrub_until_told();
	quarantine_where(ids[9].dir, (uint64_t)ids[9].random * RECORD_BLOCK, where);
	assert_string_equal(told_where, where);
	assert_int_equal(quarantine_read(&list, kit.conf.paths[0], &err), 0);
	assert_int_equal(list.count, 1); /* what stands in front of its place had its turn */
	quarantine_fini(&list);
	/* One that makes no sense, and one of a pass that is long over: from the start. */
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "scrub 99999999999999 0 4294967295\n");
	assert_int_equal(fclose(out), 0);
	scrub_until_told();
	quarantine_where(ids[2].dir, (uint64_t)ids[2].random * RECORD_BLOCK, where);
	assert_string_equal(told_where, where);
	kit_close(&kit);
}

/* How many deleted pictures still have their bytes. */
static uint64_t unerased(void)
{
	struct fsck_totals totals = kit_fsck(&kit, false, NULL);

	assert_int_equal(totals.deleted, 2);
	return totals.unerased;
}

TEST(what_a_stop_has_left_unerased_is_erased_by_the_scrub)
{
	fill();
	assert_int_equal(kit_remove(&kit, &ids[3]), ERR_NONE);
	assert_int_equal(kit_remove(&kit, &ids[5]), ERR_NONE);
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume");
	assert_int_equal(unerased(), 2);
	damage(&ids[7]); /* which it comes to after those */
	scrub_until_told();
	kit_close(&kit);
	assert_int_equal(unerased(), 0);
}

TEST(what_is_right_again_leaves_the_list)
{
	struct quarantine list = { 0 };

	assert_true(quarantine_note(&list, 100, "data/00/00.vol@8192", "a\tb\nc"));
	assert_true(quarantine_note(&list, 100, "names.db@x", "reason"));
	assert_false(quarantine_note(&list, 200, "names.db@x", "reason"));
	assert_string_equal(list.entries[0].reason, "a?b?c");
	quarantine_forget_before(&list, 150);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.entries[0].where, "names.db@x");
	quarantine_fini(&list);
}
