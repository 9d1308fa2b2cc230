/* chain.h - lives of a database: steps that are one transaction each.
 *
 * After a power cut all that can be read is as it was after the last step that is done, or
 * after the one that was under way; nothing is in between. */
#pragma once

#include "core/err.h"
#include "scenario.h"

struct chain_ops {
	const char *file; /* the database, under "/store" */
	void *(*open)(struct err *err);
	void (*close)(void *store);
	/* Do step `number`, which follows from the dice and from earlier steps of `state`. */
	int (*step)(void *store, void *state, unsigned number, struct dice dice, struct err *err);
	/* All that can be read, in 64 bits. */
	int (*sum)(void *store, const void *state, uint64_t *sum, struct err *err);
	size_t state_size; /* what steps remember; zeroed at first */
};

void *chain_begin(const struct chain_ops *ops, uint64_t seed);
void chain_end(void *world);
void chain_live(void *world);
void chain_recover(void *world);
void chain_check(void *world, const uint8_t status[STEPS_MAX], bool thorough);

uint64_t sum_bytes(uint64_t sum, const void *bytes, size_t len);
uint64_t sum_number(uint64_t sum, uint64_t number);
