#include "chain.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 24, REOPEN_EVERY = 6 };

struct chain {
	const struct chain_ops *ops;
	struct dice dice;
	void *store;
	uint64_t sums[STEPS + 1]; /* before the first step, and after each */
	/* Of a step that failed: what it would be if it had not.  A commit whose flush fails
	 * may be found in the log when nobody has written over it. */
	bool failed[STEPS];
	uint8_t state[];
};

uint64_t sum_number(uint64_t sum, uint64_t number)
{
	struct dice mixer = { sum ^ number * UINT64_C(0xd1342543de82ef95) };

	return dice_bits(&mixer);
}

uint64_t sum_bytes(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum_number(sum, len);
}

void *chain_begin(const struct chain_ops *ops, uint64_t seed)
{
	struct chain *chain = calloc(1, sizeof *chain + ops->state_size);

	assert(chain != NULL);
	chain->ops = ops;
	chain->dice.state = seed;
	disk->mkdir("/store", 0700);
	return chain;
}

void chain_end(void *world)
{
	free(world);
}

static void close_store(struct chain *chain)
{
	chain->ops->close(chain->store);
	chain->store = NULL;
}

static void open_store(struct chain *chain)
{
	struct err err = { 0 };

	for (int tries = 0; tries < 2 && chain->store == NULL; tries++)
		chain->store = chain->ops->open(&err);
	if (chain->store == NULL)
		broken("%s does not open: %s", chain->ops->file, err.text);
}

static uint64_t sum(struct chain *chain)
{
	struct err err = { 0 };
	uint64_t now = 0;
	int result = -1;

	for (int tries = 0; tries < 2 && result != 0; tries++)
		result = chain->ops->sum(chain->store, chain->state, &now, &err);
	if (result != 0)
		broken("%s cannot be read: %s", chain->ops->file, err.text);
	return now;
}

static void take_step(struct chain *chain, unsigned number)
{
	struct dice dice = { dice_bits(&chain->dice) };
	struct err err = { 0 };

	step_note(number, STEP_BEGUN);
	chain->failed[number] = chain->ops->step(chain->store, chain->state, number, dice, &err) !=
				0;
	if (chain->failed[number] && !faults_expected)
		broken("step %u fails: %s", number, err.text);
	step_note(number, chain->failed[number] ? STEP_FAILED : STEP_DONE);
	chain->sums[number + 1] = sum(chain);
	if (chain->failed[number] && chain->sums[number + 1] != chain->sums[number])
		broken("step %u fails (%s), and something has changed", number, err.text);
}

void chain_live(void *world)
{
	struct chain *chain = world;

	open_store(chain);
	chain->sums[0] = sum(chain);
	for (unsigned i = 0; i < STEPS; i++) {
		if (dice_roll(&chain->dice, REOPEN_EVERY) == 0) {
			close_store(chain);
			open_store(chain);
		}
		take_step(chain, i);
	}
	close_store(chain);
}

void chain_recover(void *world)
{
	open_store(world);
	close_store(world);
}

static void check_integrity(const struct chain *chain)
{
	char path[100];
	sqlite3 *sqlite = NULL;
	sqlite3_stmt *stmt = NULL;

	snprintf(path, sizeof path, "/store/%s", chain->ops->file);
	if (sqlite3_open(path, &sqlite) != SQLITE_OK ||
		sqlite3_prepare_v2(sqlite, "PRAGMA integrity_check", -1, &stmt, NULL) !=
			SQLITE_OK ||
		sqlite3_step(stmt) != SQLITE_ROW ||
		strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		broken("%s is not sound: %s", path, sqlite3_errmsg(sqlite));
	sqlite3_finalize(stmt);
	sqlite3_close(sqlite);
}

void chain_check(void *world, const uint8_t status[STEPS_MAX], bool thorough)
{
	struct chain *chain = world;
	unsigned at = 0;
	uint64_t now;

	while (at < STEPS && status[at] > STEP_BEGUN)
		at++;
	open_store(chain);
	now = sum(chain);
	if (now != chain->sums[at] &&
		(at == STEPS || status[at] != STEP_BEGUN ||
			(!chain->failed[at] && now != chain->sums[at + 1])) &&
		!(at > 0 && chain->failed[at - 1]))
		broken("after %u steps %s holds something else", at, chain->ops->file);
	close_store(chain);
	if (thorough)
		check_integrity(chain);
	if (thorough) { /* recovering again changes nothing */
		open_store(chain);
		if (sum(chain) != now)
			broken("after %u steps %s does not stay as it is", at, chain->ops->file);
		close_store(chain);
	}
}
