#include "scenario.h"

#include "disk_vfs.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct scenario *const scenarios[] = {
	&scenario_volume,
	&scenario_log,
	&scenario_names,
	&scenario_receipts,
	&scenario_photos,
	&scenario_tiered,
	NULL,
};

bool faults_expected;

static char place[300];

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; scenarios[i] != NULL; i++)
		if (strcmp(scenarios[i]->name, name) == 0)
			return scenarios[i];
	return NULL;
}

void step_note(unsigned step, enum step_status status)
{
	assert(step < STEPS_MAX);
	sim_mark(step * 4 + status);
}

void step_statuses(const struct sim *sim, size_t until, uint8_t status[STEPS_MAX])
{
	unsigned mark;

	memset(status, STEP_AHEAD, STEPS_MAX);
	for (size_t i = 0; i < until; i++)
		if (sim_event_mark(sim, i, &mark))
			status[mark / 4] = mark % 4;
}

void where(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(place, sizeof place, format, args);
	va_end(args);
}

void broken(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", place);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (getenv("POWERCUT_ABORT") != NULL)
		abort();
	exit(1);
}

/* --- the same in each run --- */

static struct dice dice;

static const char *dice_name(void)
{
	return "dice";
}

static uint32_t dice_random(void)
{
	return (uint32_t)dice_bits(&dice);
}

static void dice_buf(void *out, size_t len)
{
	uint8_t *bytes = out;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)dice_bits(&dice);
}

void fixed_world(uint64_t seed)
{
	static struct randombytes_implementation implementation = {
		.implementation_name = dice_name,
		.random = dice_random,
		.buf = dice_buf,
	};
	static bool installed;

	if (!installed) {
		randombytes_set_implementation(&implementation);
		disk_vfs_install();
		installed = true;
	}
	dice.state = seed;
	disk_vfs_seed(seed);
}

int64_t fixed_now(void)
{
	return 1700000000;
}

void fill_bytes(uint8_t *bytes, size_t len, uint64_t seed)
{
	struct dice from = { seed };

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)dice_bits(&from);
	if (seed % 5 == 0) /* ends in zeros, as a torn record does */
		memset(bytes + len / 2, 0, len - len / 2);
}
