#include "store/pending.h"

#include "core/disk.h"
#include "meta/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

enum { UNDER_WAY, IN_DOUBT, TRY_AGAIN_S = 5, BOOT_MAX = 64, PATH_SIZE = 4096 };

/* The times of doubts are those of a clock that starts with the machine or the process: each
 * start sets them anew. */
static const char *const steps[] = {
	"CREATE TABLE pending ("
	" name TEXT PRIMARY KEY,"
	" what INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" boot TEXT NOT NULL,"
	" since INTEGER NOT NULL,"
	" due INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX pending_due ON pending (due) WHERE state = 1",
	NULL,
};

struct pending {
	pthread_mutex_t lock; /* of all below but the counts */
	int lock_file;
	char boot[BOOT_MAX];
	struct db *lax, *durable; /* the same file; commits of the second are flushed */
	struct db_query *begin, *end, *find, *doubt, *due, *again, *settled;
	_Atomic int64_t counts[PENDING_KINDS];
};

static int read_boot(char out[BOOT_MAX], struct err *err)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	bool ok = file != NULL && fgets(out, BOOT_MAX, file) != NULL && out[0] != '\n';

	if (file != NULL)
		fclose(file);
	if (!ok)
		return err_set(err, ERR_IO, "the kernel does not say which run this is");
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

/* A second storage on the same journal would take the first one's puts for lost. */
static int lock_journal(struct pending *pending, const char *path, struct err *err)
{
	char file[PATH_SIZE];

	if ((size_t)snprintf(file, sizeof file, "%s.lock", path) >= sizeof file)
		return err_set(err, ERR_CONFIG, "the path %.100s... is too long", path);
	pending->lock_file = disk->open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (pending->lock_file < 0)
		return err_errno(err, "cannot open %s", file);
	if (disk->flock(pending->lock_file, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_BUSY, "another process uses %s", path);
	return err_errno(err, "cannot lock %s", file);
}

static int prepare(struct pending *pending, struct err *err)
{
	const struct {
		struct db_query **query;
		struct db *db;
		const char *sql;
	} queries[] = {
		{ &pending->begin, pending->lax,
			"INSERT INTO pending VALUES (?1, ?2, 0, ?3, 0, 0)"
			" ON CONFLICT DO NOTHING" },
		{ &pending->end, pending->lax,
			"DELETE FROM pending WHERE name = ?1 AND state = 0" },
		{ &pending->find, pending->lax,
			"SELECT 1 FROM pending WHERE name = ?1 AND state = 1" },
		{ &pending->doubt, pending->durable,
			"REPLACE INTO pending VALUES (?1, ?2, 1, ?3, ?4, ?4)" },
		{ &pending->due, pending->lax,
			"SELECT what, name FROM pending WHERE state = 1 AND due <= ?1"
			" ORDER BY due, name LIMIT ?2" },
		{ &pending->again, pending->lax,
			"UPDATE pending SET due = CASE WHEN ?2 THEN since + ?3 ELSE ?4 END"
			" WHERE name = ?1" },
		/* Flushed: a picture that is put back under its id later must not be removed. */
		{ &pending->settled, pending->durable,
			"DELETE FROM pending WHERE name = ?1 AND state = 1"
			" AND (what = 1 OR ?2 >= since + ?3)" },
	};

	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		*queries[i].query = db_prepare(queries[i].db, queries[i].sql, err);
		if (*queries[i].query == NULL)
			return -1;
	}
	return 0;
}

static int count_doubts(struct pending *pending, struct err *err)
{
	struct db_query *query = db_prepare(pending->lax,
		"SELECT what, count(*) FROM pending WHERE state = 1 GROUP BY what", err);
	int got = query == NULL ? -1 : 0;

	while (got >= 0 && (got = db_step(query, err)) == 1)
		if (db_int(query, 0) >= 0 && db_int(query, 0) < PENDING_KINDS)
			pending->counts[db_int(query, 0)] = db_int(query, 1);
	return got;
}

static int tell_left(struct pending *pending, void (*left)(void *context, const char *name),
	void *context, struct err *err)
{
	struct db_query *query = db_prepare(pending->lax,
		"SELECT name FROM pending WHERE state = 0 AND what = 0 AND boot <> ?1", err);
	char name[FILE_ID_NAME_MAX + 1];
	int got = 0;

	if (query == NULL)
		return -1;
	db_put_text(query, 1, span_str(pending->boot));
	while ((got = db_step(query, err)) == 1)
		if (db_text(query, 0, name, sizeof name))
			left(context, name);
	return got;
}

/* What an earlier process left: see the top of pending.h. */
static int take_over(struct pending *pending, int64_t now_s, struct err *err)
{
	struct db_query *forget = db_prepare(pending->durable,
		"DELETE FROM pending WHERE state = 0 AND what = 0 AND boot <> ?1", err);
	struct db_query *doubt = db_prepare(
		pending->durable, "UPDATE pending SET state = 1, since = ?1, due = ?1", err);

	if (forget == NULL || doubt == NULL)
		return -1;
	db_put_text(forget, 1, span_str(pending->boot));
	db_put_int(doubt, 1, now_s);
	return db_run(forget, err) == 0 ? db_run(doubt, err) : -1;
}

struct pending *pending_open(const char *path, const char *boot, int64_t now_s,
	void (*left)(void *context, const char *name), void *context, struct err *err)
{
	struct pending *pending = calloc(1, sizeof *pending);
	struct db_conf conf = { .path = path, .steps = steps };

	assert(pending != NULL);
	pthread_mutex_init(&pending->lock, NULL);
	pending->lock_file = -1;
	if (boot != NULL)
		snprintf(pending->boot, sizeof pending->boot, "%s", boot);
	else if (read_boot(pending->boot, err) != 0)
		goto fail;
	pending->durable = db_open(&conf, err);
	if (pending->durable == NULL || lock_journal(pending, path, err) != 0)
		goto fail;
	conf.lax = true;
	pending->lax = db_open(&conf, err);
	if (pending->lax == NULL || prepare(pending, err) != 0 ||
		tell_left(pending, left, context, err) != 0 ||
		take_over(pending, now_s, err) != 0 || count_doubts(pending, err) != 0)
		goto fail;
	return pending;
fail:
	pending_close(pending);
	return NULL;
}

void pending_close(struct pending *pending)
{
	if (pending == NULL)
		return;
	db_close(pending->lax);
	db_close(pending->durable);
	if (pending->lock_file >= 0)
		disk->close(pending->lock_file);
	pthread_mutex_destroy(&pending->lock);
	free(pending);
}

static bool any_doubts(const struct pending *pending)
{
	return pending->counts[PENDING_PUT] + pending->counts[PENDING_REMOVE] > 0;
}

int pending_begin(
	struct pending *pending, enum pending_what what, const char *name, struct err *err)
{
	int result;

	pthread_mutex_lock(&pending->lock);
	db_put_text(pending->begin, 1, span_str(name));
	db_put_int(pending->begin, 2, what);
	db_put_text(pending->begin, 3, span_str(pending->boot));
	result = db_run(pending->begin, err);
	if (result == 0 && db_changes(pending->lax) == 0 && what == PENDING_PUT)
		result = err_set(err, ERR_BUSY, "a put or delete of %s is pending", name);
	pthread_mutex_unlock(&pending->lock);
	return result;
}

int pending_end(struct pending *pending, const char *name, struct err *err)
{
	int result;

	pthread_mutex_lock(&pending->lock);
	db_put_text(pending->end, 1, span_str(name));
	result = db_run(pending->end, err);
	pthread_mutex_unlock(&pending->lock);
	return result;
}

/* With the lock held: 1 if it is in doubt, 0 if not. */
static int find(struct pending *pending, const char *name, struct err *err)
{
	int got;

	if (!any_doubts(pending))
		return 0;
	db_put_text(pending->find, 1, span_str(name));
	got = db_step(pending->find, err);
	if (got == 1)
		db_reset(pending->find);
	return got;
}

int pending_doubt(struct pending *pending, enum pending_what what, const char *name, int64_t now_s,
	struct err *err)
{
	int found, result = -1;

	pthread_mutex_lock(&pending->lock);
	found = find(pending, name, err);
	if (found == 0) {
		db_put_text(pending->doubt, 1, span_str(name));
		db_put_int(pending->doubt, 2, what);
		db_put_text(pending->doubt, 3, span_str(pending->boot));
		db_put_int(pending->doubt, 4, now_s);
		result = db_run(pending->doubt, err);
		if (result == 0)
			pending->counts[what]++;
	} else if (found == 1) {
		result = 0; /* the doubt that there is will do */
	}
	pthread_mutex_unlock(&pending->lock);
	return result;
}

bool pending_is_doubtful(struct pending *pending, const char *name)
{
	struct err ignored;
	bool doubtful;

	if (!any_doubts(pending))
		return false;
	pthread_mutex_lock(&pending->lock);
	doubtful = find(pending, name, &ignored) != 0;
	pthread_mutex_unlock(&pending->lock);
	return doubtful;
}

int pending_due(
	struct pending *pending, int64_t now_s, struct pending_row *rows, int most, struct err *err)
{
	int count = 0, got;

	if (!any_doubts(pending))
		return 0;
	pthread_mutex_lock(&pending->lock);
	db_put_int(pending->due, 1, now_s);
	db_put_int(pending->due, 2, most);
	while ((got = db_step(pending->due, err)) == 1) {
		rows[count].what = db_int(pending->due, 0) == PENDING_PUT ? PENDING_PUT
									  : PENDING_REMOVE;
		if (count < most &&
			db_text(pending->due, 1, rows[count].name, sizeof rows[count].name))
			count++;
	}
	pthread_mutex_unlock(&pending->lock);
	return got < 0 ? -1 : count;
}

/* Drop the row if the picture is gone and nothing can arrive any more. */
static int settle(struct pending *pending, const char *name, int64_t now_s, struct err *err)
{
	db_put_text(pending->settled, 1, span_str(name));
	db_put_int(pending->settled, 2, now_s);
	db_put_int(pending->settled, 3, PENDING_AGAIN_S);
	if (db_run(pending->settled, err) != 0)
		return -1;
	return db_changes(pending->durable) > 0;
}

int pending_tried(struct pending *pending, enum pending_what what, const char *name, bool gone,
	int64_t now_s, struct err *err)
{
	int result;

	pthread_mutex_lock(&pending->lock);
	result = gone ? settle(pending, name, now_s, err) : 0;
	if (result == 1) {
		pending->counts[what]--;
	} else if (result == 0) {
		db_put_text(pending->again, 1, span_str(name));
		db_put_int(pending->again, 2, gone);
		db_put_int(pending->again, 3, PENDING_AGAIN_S);
		db_put_int(pending->again, 4, now_s + TRY_AGAIN_S);
		result = db_run(pending->again, err);
	}
	pthread_mutex_unlock(&pending->lock);
	return result;
}

void pending_count(const struct pending *pending, int64_t counts[PENDING_KINDS])
{
	for (int i = 0; i < PENDING_KINDS; i++)
		counts[i] = pending->counts[i];
}
