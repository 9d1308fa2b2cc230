#include "store/aliases.h"

#include "core/disk.h"
#include "meta/db.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READERS = 4, WALK_PAGE = 256 };

/* One connection and its queries, used by one thread at a time. */
struct link {
	pthread_mutex_t lock;
	struct db *db;
	struct db_query *find, *of, *page;
	struct db_query *add; /* the writer's */
};

struct aliases {
	char *file;
	bool read_only;
	struct link writer, readers[READERS];
	_Atomic unsigned turn;
	_Atomic bool exists; /* the file is there, with its tables if this process writes */
};

static const char *const steps[] = {
	"CREATE TABLE aliases (name TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX aliases_of_target ON aliases (target)",
	NULL,
};

static void close_link(struct link *link)
{
	db_close(link->db);
	pthread_mutex_destroy(&link->lock);
}

void aliases_close(struct aliases *aliases)
{
	if (aliases == NULL)
		return;
	for (size_t i = 0; i < READERS; i++)
		close_link(&aliases->readers[i]);
	close_link(&aliases->writer);
	free(aliases->file);
	free(aliases);
}

/* With its lock held. */
static int open_link(struct aliases *aliases, struct link *link, bool writes, struct err *err)
{
	const struct db_conf conf = { .path = aliases->file, .steps = steps, .read_only = !writes };

	if (link->db != NULL)
		return 0;
	link->db = db_open(&conf, err);
	if (link->db == NULL)
		return -1;
	link->find = db_prepare(link->db, "SELECT target FROM aliases WHERE name = ?1", err);
	link->of = db_prepare(
		link->db, "SELECT name FROM aliases WHERE target = ?1 ORDER BY name", err);
	link->page = db_prepare(link->db,
		"SELECT name, target FROM aliases WHERE name > ?1 ORDER BY name LIMIT ?2", err);
	link->add = !writes ? NULL
			    : db_prepare(link->db, "INSERT INTO aliases VALUES (?1, ?2)", err);
	if (link->find != NULL && link->of != NULL && link->page != NULL &&
		(!writes || link->add != NULL))
		return 0;
	db_close(link->db);
	link->db = NULL;
	return -1;
}

struct aliases *aliases_open(const char *folder, bool read_only, struct err *err)
{
	struct aliases *aliases = calloc(1, sizeof *aliases);
	size_t size = strlen(folder) + sizeof "/aliases.db";
	struct stat st;

	if (aliases != NULL)
		aliases->file = malloc(size);
	if (aliases == NULL || aliases->file == NULL) {
		free(aliases);
		err_set(err, ERR_INTERNAL, "memory has ended");
		return NULL;
	}
	snprintf(aliases->file, size, "%s/aliases.db", folder);
	aliases->read_only = read_only;
	pthread_mutex_init(&aliases->writer.lock, NULL);
	for (size_t i = 0; i < READERS; i++)
		pthread_mutex_init(&aliases->readers[i].lock, NULL);
	if (read_only || disk->stat(aliases->file, &st) != 0)
		return aliases;
	if (open_link(aliases, &aliases->writer, true, err) == 0) {
		aliases->exists = true;
		return aliases;
	}
	aliases_close(aliases);
	return NULL;
}

bool aliases_any(struct aliases *aliases)
{
	struct stat st;

	/* Who writes knows, and does not look into a file that it is about to make. */
	if (!aliases->exists && aliases->read_only && disk->stat(aliases->file, &st) == 0)
		aliases->exists = true;
	return aliases->exists;
}

/* A link to read with, locked.  NULL with ERR_NONE: nothing was ever added. */
static struct link *begin_read(struct aliases *aliases, struct err *err)
{
	struct link *link = &aliases->readers[aliases->turn++ % READERS];

	err->code = ERR_NONE;
	if (!aliases_any(aliases))
		return NULL;
	pthread_mutex_lock(&link->lock);
	if (open_link(aliases, link, false, err) == 0)
		return link;
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

/* Another's name in the database is not to become a path or a text without an end. */
static bool get_name(struct db_query *query, int at, char out[FILE_ID_NAME_MAX + 1])
{
	return db_text(query, at, out, FILE_ID_NAME_MAX + 1);
}

/* In a link that is locked. */
static int find(
	struct link *link, const char *name, char target[FILE_ID_NAME_MAX + 1], struct err *err)
{
	int found;

	db_put_text(link->find, 1, span_str(name));
	found = db_step(link->find, err);
	if (found != 1)
		return found;
	if (!get_name(link->find, 0, target))
		found = err_set(
			err, ERR_CORRUPT, "the alias %s means nothing that is a name", name);
	db_reset(link->find);
	return found;
}

int aliases_find(struct aliases *aliases, const char *name, char target[FILE_ID_NAME_MAX + 1],
	struct err *err)
{
	struct err local;
	struct link *link = begin_read(aliases, &local);
	int found = local.code == ERR_NONE ? 0 : -1;

	if (link != NULL) {
		found = find(link, name, target, &local);
		pthread_mutex_unlock(&link->lock);
	}
	if (found < 0 && err != NULL)
		*err = local;
	return found;
}

static int add_one(struct link *link, const char *name, const char *target, struct err *err)
{
	char means[FILE_ID_NAME_MAX + 1];
	int found = find(link, name, means, err);

	if (found < 0)
		return -1;
	if (found == 1 && strcmp(means, target) == 0)
		return 0;
	if (found == 1)
		return err_set(err, ERR_EXISTS, "%s is another name of %s already", name, means);
	db_put_text(link->add, 1, span_str(name));
	db_put_text(link->add, 2, span_str(target));
	return db_run(link->add, err);
}

static int check_count(struct link *link, const char *target, struct err *err)
{
	size_t count = 0;
	int row;

	db_put_text(link->of, 1, span_str(target));
	while ((row = db_step(link->of, err)) == 1)
		count++;
	if (row == 0 && count > ALIASES_MAX)
		return err_set(err, ERR_BAD_REQUEST, "%s would have more than %d other names",
			target, ALIASES_MAX);
	return row;
}

int aliases_add(struct aliases *aliases, const char *const *names, size_t count, const char *target,
	struct err *err)
{
	struct link *link = &aliases->writer;
	int result;

	if (aliases->read_only)
		return err_set(err, ERR_NOT_ALLOWED, "the store is open for reading only");
	pthread_mutex_lock(&link->lock);
	result = open_link(aliases, link, true, err);
	if (result == 0) {
		aliases->exists = true;
		result = db_begin(link->db, err);
	}
	if (result == 0) {
		for (size_t i = 0; result == 0 && i < count; i++)
			result = add_one(link, names[i], target, err);
		if (result == 0)
			result = check_count(link, target, err);
		if (result == 0)
			result = db_commit(link->db, err);
		else
			db_rollback(link->db);
	}
	pthread_mutex_unlock(&link->lock);
	return result;
}

struct name {
	char text[FILE_ID_NAME_MAX + 1];
};

int aliases_of(struct aliases *aliases, const char *target,
	void (*found)(void *context, const char *name), void *context, struct err *err)
{
	struct name names[ALIASES_MAX];
	struct err local;
	struct link *link = begin_read(aliases, &local);
	size_t count = 0;
	int row = 0;

	if (link == NULL && local.code == ERR_NONE)
		return 0;
	if (link != NULL) {
		db_put_text(link->of, 1, span_str(target));
		while ((row = db_step(link->of, &local)) == 1 && count < ALIASES_MAX)
			if (get_name(link->of, 0, names[count].text))
				count++;
		if (row == 1)
			db_reset(link->of);
		pthread_mutex_unlock(&link->lock);
	}
	if (link == NULL || row < 0) {
		if (err != NULL)
			*err = local;
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		found(context, names[i].text);
	return 0;
}

/* Up to WALK_PAGE aliases behind `after`; -1 with err. */
static int read_page(struct aliases *aliases, const char *after, struct name names[WALK_PAGE],
	struct name targets[WALK_PAGE], struct err *err)
{
	struct link *link = begin_read(aliases, err);
	int count = 0, row;

	if (link == NULL)
		return err->code == ERR_NONE ? 0 : -1;
	db_put_text(link->page, 1, span_str(after));
	db_put_int(link->page, 2, WALK_PAGE);
	while ((row = db_step(link->page, err)) == 1)
		if (count < WALK_PAGE && get_name(link->page, 0, names[count].text) &&
			get_name(link->page, 1, targets[count].text))
			count++;
	pthread_mutex_unlock(&link->lock);
	return row < 0 ? -1 : count;
}

int aliases_walk(struct aliases *aliases, const char *from,
	bool (*found)(void *context, const char *name, const char *target), void *context,
	struct err *err)
{
	struct name *names = calloc((size_t)2 * WALK_PAGE, sizeof *names), *targets, after;
	struct err local = { 0 };
	bool more = true;
	int count = 0;

	if (names == NULL)
		abort();
	targets = names + WALK_PAGE;
	snprintf(after.text, sizeof after.text, "%s", from);
	while (more && (count = read_page(aliases, after.text, names, targets, &local)) > 0) {
		after = names[count - 1];
		for (int i = 0; more && i < count; i++)
			more = found(context, names[i].text, targets[i].text);
	}
	free(names);
	if (count < 0 && err != NULL)
		*err = local;
	return count < 0 ? -1 : 0;
}
