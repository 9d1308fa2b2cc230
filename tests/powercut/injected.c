/* injected.c - every call to the disk fails once, in every way that it can.
 *
 *     injected [--seed N] [--every N] [SCENARIO...]
 *
 * A life is lived once to count its calls, then once for each call and each way in which
 * that one fails: it goes on to its end.  Then the system starts again and has all that was
 * acknowledged; and so it has after a power cut at the end, or somewhere on the way, where
 * a flush that failed has flushed nothing for sure.  With --every N only each so-many-th
 * call fails. */
#include "faults.h"
#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CUTS = 6 };

static size_t checks;

static void check_copy(const struct scenario *scenario, void *world,
	const struct sim_replay *replay, const uint8_t *status, uint64_t seed)
{
	struct sim *after = sim_replay_crash(replay, seed);

	checks++;
	sim_use(after);
	scenario->check(world, status, true);
	sim_free(after);
}

/* Power goes at some moments, the last of them when all is over. */
static void cut(const struct scenario *scenario, void *world, const struct sim *sim, size_t count,
	uint64_t seed)
{
	struct sim_replay *replay = sim_replay_new(sim);
	size_t at = 0;
	struct dice dice = { seed };
	uint8_t status[STEPS_MAX];

	for (unsigned i = 0; i < CUTS; i++) {
		at = i + 1 == CUTS ? count : at + dice_roll(&dice, (count - at) / 2 + 1);
		sim_replay_to(replay, at);
		step_statuses(sim, at, status);
		check_copy(scenario, world, replay, status, dice_bits(&dice));
	}
	sim_replay_free(replay);
}

/* Live, with call `at` failing in way `way`.  Returns the number of calls; `*hit` tells
 * whether anything failed. */
static size_t live(
	const struct scenario *scenario, uint64_t seed, size_t at, unsigned way, bool *hit)
{
	struct sim *sim = sim_new();
	uint8_t status[STEPS_MAX];
	char what[100];
	size_t calls, lived;
	void *world;

	fixed_world(seed);
	sim_use(sim);
	world = scenario->begin(seed);
	sim_settle(sim);
	faults_set(at, way);
	where("--seed %" PRIu64 " %s, call %zu, way %u", seed, scenario->name, at, way);
	scenario->live(world);
	calls = faults_stop();
	lived = sim_event_count(sim); /* a check goes on from there */
	*hit = faults_done() != NULL;
	if (*hit) {
		snprintf(what, sizeof what, "%s", faults_done());
		where("--seed %" PRIu64 " %s, call %zu fails (%s), then a start", seed,
			scenario->name, at, what);
		step_statuses(sim, lived, status);
		scenario->check(world, status, false);
		checks++;
		where("--seed %" PRIu64 " %s, call %zu fails (%s), then a power cut", seed,
			scenario->name, at, what);
		cut(scenario, world, sim, lived, seed + at);
	}
	scenario->end(world);
	sim_free(sim);
	return calls;
}

static void run(const struct scenario *scenario, uint64_t seed, size_t every)
{
	size_t calls, faults = 0;
	bool hit = true;

	faults_expected = false;
	calls = live(scenario, seed, SIZE_MAX, 0, &hit);
	faults_expected = true;
	for (size_t at = seed % every; at < calls; at += every) {
		hit = true;
		for (unsigned way = 0; hit && way < FAULT_WAYS; way++) {
			live(scenario, seed, at, way, &hit);
			faults += hit;
		}
	}
	printf("%-10s %6zu calls to the disk, %6zu failures\n", scenario->name, calls, faults);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL);
	size_t every = 1;
	int picked = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--every") == 0 && i + 1 < argc &&
			   strtoul(argv[i + 1], NULL, 10) > 0) {
			every = strtoul(argv[++i], NULL, 10);
		} else if (scenario_find(argv[i]) != NULL) {
			argv[picked++] = argv[i];
		} else {
			fprintf(stderr, "usage: injected [--seed N] [--every N] [SCENARIO...]\n");
			return 2;
		}
	}
	printf("seed %" PRIu64 "\n", seed);
	for (int i = 0; i < picked; i++)
		run(scenario_find(argv[i]), seed, every);
	for (size_t i = 0; picked == 0 && scenarios[i] != NULL; i++)
		run(scenarios[i], seed, every);
	printf("%zu checks after a start or a power cut\n", checks);
	return 0;
}
