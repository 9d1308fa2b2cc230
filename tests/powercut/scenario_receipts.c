/* scenario_receipts.c - receipts of deletions: opened, confirmed place by place, closed. */
#include "chain.h"

#include "deletion/receipt.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { PICTURES = 6, PLACES = 3 };

static void *open_receipts(struct err *err)
{
	return receipts_open("/store/receipts.db", false, err);
}

static void close_receipts(void *receipts)
{
	receipts_close(receipts);
}

static const char *picture(unsigned number)
{
	static char text[FILE_ID_TEXT_MAX + 1];

	snprintf(text, sizeof text, "g01/M00/00/0%u/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", number);
	return text;
}

/* Ask for it once more, and confirm some of its places. */
static int work_on(struct receipts *receipts, unsigned number, struct dice *dice, struct err *err)
{
	static const char *const places[PLACES] = { "", "cache:1", "cache:2" };
	struct receipt_request request = {
		.at = 100 + dice_roll(dice, 1000),
		.user = 7,
		.hostid = 3,
		.peer = "10.0.0.1:5",
		.owner = "one",
		.next_try_ms = 5000,
	};
	struct deletion deletion;
	struct file_id id;
	int result;

	if (!file_id_parse(span_str(picture(number)), &id))
		broken("%s is no id", picture(number));
	deletion_init(&deletion, &id);
	for (int i = 0; i < PLACES; i++)
		deletion_add(&deletion, picture(number), places[i]);
	result = receipt_open(receipts, &deletion, &request, err);
	for (size_t i = 0; result == 0 && i < deletion.count; i++) {
		if (dice_roll(dice, 2) == 0)
			continue;
		deletion.places[i].confirmed = 300;
		strcpy(deletion.places[i].outcome, "deleted");
	}
	if (result == 0)
		result = receipt_save(receipts, &deletion, 400, 6000, err);
	deletion_fini(&deletion);
	return result;
}

static int step(void *receipts, void *state, unsigned number, struct dice dice, struct err *err)
{
	int result;

	(void)state;
	(void)number;
	if (receipts_begin(receipts, err) != 0)
		return -1;
	if (dice_roll(&dice, 6) == 0)
		result = receipts_disown(receipts, "one", err);
	else
		result = work_on(receipts, dice_roll(&dice, PICTURES), &dice, err);
	if (result == 0)
		return receipts_commit(receipts, err);
	receipts_rollback(receipts);
	return -1;
}

static void add_receipt(void *context, const struct receipt *receipt)
{
	uint64_t *sum = context;

	*sum = sum_number(*sum, (uint64_t)receipt->number);
	*sum = sum_number(*sum, (uint64_t)receipt->opened);
	*sum = sum_number(*sum, (uint64_t)receipt->closed);
}

static void add_asked(void *context, const struct receipt_asked *asked)
{
	uint64_t *sum = context;

	*sum = sum_number(*sum, (uint64_t)asked->at);
}

static void add_place(void *context, const struct deletion_place *place, int64_t tries)
{
	uint64_t *sum = context;

	*sum = sum_bytes(*sum, place->cache, strlen(place->cache));
	*sum = sum_number(*sum, (uint64_t)place->confirmed);
	*sum = sum_number(*sum, (uint64_t)tries);
}

static void add_end(void *context)
{
	(void)context;
}

static int sum_receipts(void *receipts, const void *state, uint64_t *sum, struct err *err)
{
	struct receipt_reader reader = { add_receipt, add_asked, add_place, add_end, sum };
	int64_t open = 0;

	(void)state;
	*sum = 1;
	if (receipts_count_open(receipts, &open, err) != 0)
		return -1;
	*sum = sum_number(*sum, (uint64_t)open);
	for (unsigned i = 0; i < PICTURES; i++)
		if (receipts_read(receipts, picture(i), &reader, err) < 0)
			return -1;
	return 0;
}

static const struct chain_ops ops = {
	.file = "receipts.db",
	.open = open_receipts,
	.close = close_receipts,
	.step = step,
	.sum = sum_receipts,
};

static void *receipts_world(uint64_t seed)
{
	return chain_begin(&ops, seed);
}

const struct scenario scenario_receipts = {
	.name = "receipts",
	.share = 10,
	.begin = receipts_world,
	.live = chain_live,
	.end = chain_end,
	.recover = chain_recover,
	.check = chain_check,
};
