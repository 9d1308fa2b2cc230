/* scenario.h - a life that is lived on a simulated disk, and what must hold after it was
 * cut short.
 *
 * A life is a number of steps, each of which promises something when it is done.  Whoever
 * lives notes in the record when a step is begun, and when it is done or has failed; a
 * check gets, for each step, the last of these that stood before the power cut. */
#pragma once

#include "dice.h"
#include "sim_disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STEPS_MAX = 64 };

enum step_status {
	STEP_AHEAD,
	STEP_BEGUN,
	STEP_DONE,
	STEP_FAILED, /* an error was answered */
};

struct scenario {
	const char *name;
	unsigned share; /* of the states, in percent */
	/* A life that follows from the seed; what it is to remember is in the world. */
	void *(*begin)(uint64_t seed);
	void (*live)(void *world);
	void (*end)(void *world);
	/* The system starts and stops, on a disk after a power cut. */
	void (*recover)(void *world);
	/* It starts; what was promised is there?  `thorough`: all checks, and it goes on to
	 * work.  Calls broken() if not. */
	void (*check)(void *world, const uint8_t status[STEPS_MAX], bool thorough);
};

extern const struct scenario scenario_volume, scenario_names, scenario_log, scenario_receipts,
	scenario_photos, scenario_tiered;
extern const struct scenario *const scenarios[]; /* a NULL ends it */

const struct scenario *scenario_find(const char *name);

/* Calls fail on purpose; else each step must succeed. */
extern bool faults_expected;

/* A step of the life that is lived. */
void step_note(unsigned step, enum step_status status);

/* The status of each step before event `until` of the record. */
void step_statuses(const struct sim *sim, size_t until, uint8_t status[STEPS_MAX]);

/* Where we are, for broken(); a sentence as printf makes it. */
void where(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say what is wrong, and where, and end the process. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Numbers, time and SQLite are the same in each run that has this seed. */
void fixed_world(uint64_t seed);
int64_t fixed_now(void);

/* Bytes of a picture. */
void fill_bytes(uint8_t *bytes, size_t len, uint64_t seed);
