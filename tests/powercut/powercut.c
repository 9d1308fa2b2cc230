/* powercut.c - lives on a simulated disk, and after each power cut that is thinkable looks
 * for what was promised.
 *
 *     powercut [--seed N] [--states N] [SCENARIO...]
 *
 * Runs lives until so many distinct states have been seen, of all scenarios together; two
 * are distinct if names or contents on the disk differ.  The seed is printed; the same
 * seed does the same again. */
#include "scenario.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VARIANTS = 8, NESTED_EVERY = 8, THOROUGH_EVERY = 4 };

/* --- the states that were seen --- */

struct set {
	uint64_t *hashes;
	size_t cap, count;
};

static struct set seen;  /* contents */
static struct set asked; /* contents, and what was promised */

static bool put_hash(struct set *set, uint64_t hash)
{
	size_t at = hash & (set->cap - 1);

	while (set->hashes[at] != 0 && set->hashes[at] != hash)
		at = (at + 1) & (set->cap - 1);
	if (set->hashes[at] == hash)
		return false;
	set->hashes[at] = hash;
	return true;
}

/* Is this one new? */
static bool see(uint64_t hash, struct set *set)
{
	struct set old = *set;

	if (old.count * 2 >= old.cap) {
		set->cap = old.cap == 0 ? 1 << 16 : old.cap * 2;
		set->hashes = calloc(set->cap, sizeof set->hashes[0]);
		assert(set->hashes != NULL);
		for (size_t i = 0; i < old.cap; i++)
			if (old.hashes[i] != 0)
				put_hash(set, old.hashes[i]);
		free(old.hashes);
	}
	if (!put_hash(set, hash | 1))
		return false;
	set->count++;
	return true;
}

static uint64_t sum_of(uint64_t hash, const uint8_t *status)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		struct dice dice = { hash ^ status[i] };

		hash = dice_bits(&dice);
	}
	return hash;
}

/* --- one life --- */

static uint64_t cuts, nested;

/* Power goes a second time, while the system recovers from the first. */
static void cut_again(const struct scenario *scenario, void *world, struct sim *first,
	const uint8_t *status, struct dice *dice)
{
	struct sim_replay *replay;
	struct sim *second;

	sim_use(first);
	scenario->recover(world);
	replay = sim_replay_new(first);
	sim_replay_to(replay, dice_roll(dice, sim_event_count(first) + 1));
	second = sim_replay_crash(replay, dice_bits(dice));
	sim_replay_free(replay);
	see(sim_hash(second), &seen);
	if (see(sum_of(sim_hash(second), status), &asked)) {
		nested++;
		sim_use(second);
		scenario->check(world, status, true);
	}
	sim_free(second);
}

static size_t cut_at(const struct scenario *scenario, void *world, const struct sim_replay *replay,
	const uint8_t *status, struct dice *dice, const char *life, size_t until)
{
	unsigned variants = sim_replay_pending(replay) == 0 ? 1 : VARIANTS;
	size_t found = 0;

	for (unsigned i = 0; i < variants; i++) {
		uint64_t seed = dice_bits(dice);
		struct sim *after = sim_replay_crash(replay, seed);
		bool thorough = seed % THOROUGH_EVERY == 0;

		cuts++;
		where("%s, power cut before event %zu, variant %u", life, until, i);
		if (see(sim_hash(after), &seen))
			found++;
		/* The same bytes after more was promised are another question. */
		if (see(sum_of(sim_hash(after), status), &asked)) {
			sim_use(after);
			scenario->check(world, status, thorough);
			if (seed / 7 % NESTED_EVERY == 0) {
				sim_free(after);
				after = sim_replay_crash(replay, seed);
				where("%s, power cut before event %zu, variant %u, and again", life,
					until, i);
				cut_again(scenario, world, after, status, dice);
			}
		}
		sim_free(after);
	}
	return found;
}

/* Live once, and cut the power before each event, until `enough` new states are seen. */
static size_t live_once(
	const struct scenario *scenario, uint64_t seed, const char *life, size_t enough)
{
	struct dice dice = { seed };
	struct sim *sim = sim_new();
	struct sim_replay *replay;
	uint8_t status[STEPS_MAX];
	size_t found = 0, count;
	unsigned mark;
	void *world;

	fixed_world(dice_bits(&dice));
	sim_use(sim);
	where("%s, while it is lived", life);
	world = scenario->begin(dice_bits(&dice));
	sim_settle(sim);
	scenario->live(world);
	count = sim_event_count(sim);
	replay = sim_replay_new(sim);
	for (size_t until = 0; until <= count && found < enough; until++) {
		if (until > 0 && until < count && sim_event_mark(sim, until - 1, &mark) &&
			sim_event_mark(sim, until, &mark))
			continue;
		sim_replay_to(replay, until);
		step_statuses(sim, until, status);
		found += cut_at(scenario, world, replay, status, &dice, life, until);
	}
	sim_replay_free(replay);
	scenario->end(world);
	sim_free(sim);
	return found;
}

static void run(const struct scenario *scenario, uint64_t seed, size_t states)
{
	size_t found = 0;
	unsigned lives = 0;

	while (found < states) {
		struct dice dice = { seed + lives * UINT64_C(0x632be59bd9b4e019) };
		char life[100];

		snprintf(life, sizeof life, "--seed %" PRIu64 " %s, life %u", seed, scenario->name,
			lives);
		found += live_once(scenario, dice_bits(&dice), life, states - found);
		lives++;
	}
	printf("%-10s %8zu distinct states after power cuts in %u lives\n", scenario->name, found,
		lives);
	fflush(stdout);
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "powercut: '%s' is not a number\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), states = 100000;
	int picked = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed = number(argv[++i]);
		} else if (strcmp(argv[i], "--states") == 0 && i + 1 < argc) {
			states = number(argv[++i]);
		} else if (scenario_find(argv[i]) != NULL) {
			argv[picked++] = argv[i];
		} else {
			fprintf(stderr, "usage: powercut [--seed N] [--states N] [SCENARIO...]\n");
			return 2;
		}
	}
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	for (int i = 0; i < picked; i++)
		run(scenario_find(argv[i]), seed, states / (size_t)picked);
	for (size_t i = 0; picked == 0 && scenarios[i] != NULL; i++)
		run(scenarios[i], seed, (states * scenarios[i]->share + 99) / 100);
	printf("%zu distinct states, of %" PRIu64 " power cuts; %" PRIu64
	       " of them in a recovery\n",
		seen.count, cuts, nested);
	free(seen.hashes);
	free(asked.hashes);
	return 0;
}
