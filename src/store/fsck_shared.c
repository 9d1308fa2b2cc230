#include "store/fsck_shared.h"

#include "store/fsck_names.h"

struct check {
	const struct fsck *fsck;
	struct engine *engine;
	const char *what;
	struct fsck_totals *totals;
	bool stopped;
};

static bool go_on(struct check *check)
{
	check->stopped = check->fsck->progress != NULL &&
			 !check->fsck->progress(check->fsck->context, check->totals);
	return !check->stopped;
}

static bool check_one(void *context, const struct engine_found *found)
{
	struct check *check = context;
	struct fsck_totals *totals = check->totals;

	if (found->what == ENGINE_FOUND_PICTURE) {
		totals->pictures++;
		totals->picture_bytes += found->id.size;
	} else if (found->what == ENGINE_FOUND_CORRUPT && found->err.code == ERR_CORRUPT) {
		totals->corrupt++;
		check->fsck->problem(check->fsck->context, check->what, &found->err);
	} else if (found->what == ENGINE_FOUND_CORRUPT) { /* it could not be read */
		totals->unreadable++;
		check->fsck->problem(check->fsck->context, check->what, &found->err);
	}
	totals->bytes_read = totals->picture_bytes;
	return go_on(check);
}

static bool is_gone(void *context, const struct file_id *id)
{
	struct check *check = context;
	struct engine_stat stat;
	struct err err;

	return engine_stat(check->engine, id, 0, &stat, &err) != 0 &&
	       (err.code == ERR_NOT_FOUND || err.code == ERR_GONE);
}

int fsck_shared(const struct fsck *fsck, struct engine *engine, struct names *names,
	const char *what, struct fsck_totals *totals, struct err *err)
{
	struct check check = { .fsck = fsck, .engine = engine, .what = what, .totals = totals };

	if (engine_walk(engine, fsck->headers_only ? 0 : ENGINE_CHECK_CONTENT, check_one, &check,
		    err) != 0)
		return -1;
	if (names != NULL && !check.stopped)
		fsck_names_check(fsck, names, what, is_gone, &check, totals);
	return 0;
}
