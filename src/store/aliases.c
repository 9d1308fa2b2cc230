#include "core/disk.h"
#include "store/aliases_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALK_PAGE = 256 };

static const char *const steps[] = {
	"CREATE TABLE aliases (name TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX aliases_of_target ON aliases (target)",
	NULL,
};

static struct sql *open_sqlite(const struct aliases *aliases, bool writes, struct err *err)
{
	const struct db_conf conf = {
		.path = aliases->where, .steps = steps, .read_only = !writes
	};

	return sql_open_sqlite(&conf, err);
}

static const struct aliases_driver sqlite = { .open = open_sqlite };

static void close_link(struct aliases_link *link)
{
	sql_close(link->sql);
	pthread_mutex_destroy(&link->lock);
}

void aliases_close(struct aliases *aliases)
{
	if (aliases == NULL)
		return;
	for (size_t i = 0; i < ALIASES_READERS; i++)
		close_link(&aliases->readers[i]);
	close_link(&aliases->writer);
	free(aliases->where);
	free(aliases->group);
	free(aliases);
}

/* With its lock held. */
static int open_link(
	struct aliases *aliases, struct aliases_link *link, bool writes, struct err *err)
{
	if (link->sql != NULL)
		return 0;
	link->sql = aliases->driver->open(aliases, writes, err);
	if (link->sql == NULL)
		return -1;
	link->find = sql_prepare(link->sql, "SELECT target FROM aliases WHERE name = $1", err);
	link->of = sql_prepare(
		link->sql, "SELECT name FROM aliases WHERE target = $1 ORDER BY name", err);
	link->page = sql_prepare(link->sql,
		"SELECT name, target FROM aliases WHERE name > $1 ORDER BY name LIMIT $2", err);
	link->add = !writes ? NULL
			    : sql_prepare(link->sql, "INSERT INTO aliases VALUES ($1, $2)", err);
	if (link->find != NULL && link->of != NULL && link->page != NULL &&
		(!writes || link->add != NULL))
		return 0;
	sql_close(link->sql);
	link->sql = NULL;
	return -1;
}

struct aliases *aliases_new(
	const struct aliases_driver *driver, char *where, char *group, bool read_only)
{
	struct aliases *aliases = calloc(1, sizeof *aliases);

	if (aliases == NULL)
		abort();
	aliases->driver = driver;
	aliases->where = where;
	aliases->group = group;
	aliases->read_only = read_only;
	pthread_mutex_init(&aliases->writer.lock, NULL);
	for (size_t i = 0; i < ALIASES_READERS; i++)
		pthread_mutex_init(&aliases->readers[i].lock, NULL);
	return aliases;
}

struct aliases *aliases_open(const char *folder, bool read_only, struct err *err)
{
	struct aliases *aliases;
	struct stat st;
	char *path;

	if (asprintf(&path, "%s/aliases.db", folder) < 0)
		abort();
	aliases = aliases_new(&sqlite, path, NULL, read_only);
	if (read_only || disk->stat(path, &st) != 0)
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
	if (!aliases->exists && aliases->read_only && disk->stat(aliases->where, &st) == 0)
		aliases->exists = true;
	return aliases->exists;
}

static struct aliases_link *take_reader(struct aliases *aliases)
{
	struct aliases_link *link = &aliases->readers[aliases->turn++ % ALIASES_READERS];

	for (size_t i = 0; i < ALIASES_READERS; i++)
		if (pthread_mutex_trylock(&aliases->readers[i].lock) == 0)
			return &aliases->readers[i];
	pthread_mutex_lock(&link->lock);
	return link;
}

/* A link to read with, locked.  NULL with ERR_NONE: nothing was ever added. */
static struct aliases_link *begin_read(struct aliases *aliases, struct err *err)
{
	struct aliases_link *link;

	err->code = ERR_NONE;
	if (!aliases_any(aliases))
		return NULL;
	link = take_reader(aliases);
	if (open_link(aliases, link, false, err) == 0)
		return link;
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

/* Another's name in the database is not to become a path or a text without an end. */
static bool get_name(struct sql_query *query, int at, char out[FILE_ID_NAME_MAX + 1])
{
	return sql_copy(query, at, out, FILE_ID_NAME_MAX + 1);
}

/* In a link that is locked. */
static int find(struct aliases_link *link, const char *name, char target[FILE_ID_NAME_MAX + 1],
	struct err *err)
{
	int found;

	sql_put_text(link->find, 1, span_str(name));
	found = sql_step(link->find, err);
	if (found != 1)
		return found;
	if (!get_name(link->find, 0, target))
		found = err_set(
			err, ERR_CORRUPT, "the alias %s means nothing that is a name", name);
	sql_reset(link->find);
	return found;
}

int aliases_find(struct aliases *aliases, const char *name, char target[FILE_ID_NAME_MAX + 1],
	struct err *err)
{
	struct err local;
	struct aliases_link *link = begin_read(aliases, &local);
	int found = local.code == ERR_NONE ? 0 : -1;

	if (link != NULL) {
		found = find(link, name, target, &local);
		pthread_mutex_unlock(&link->lock);
	}
	if (found < 0 && err != NULL)
		*err = local;
	return found;
}

static int add_one(struct aliases_link *link, const char *name, const char *target, struct err *err)
{
	char means[FILE_ID_NAME_MAX + 1];
	int found = find(link, name, means, err);

	if (found < 0)
		return -1;
	if (found == 1 && strcmp(means, target) == 0)
		return 0;
	if (found == 1)
		return err_set(err, ERR_EXISTS, "%s is another name of %s already", name, means);
	sql_put_text(link->add, 1, span_str(name));
	sql_put_text(link->add, 2, span_str(target));
	return sql_run(link->add, err);
}

static int check_count(struct aliases_link *link, const char *target, struct err *err)
{
	size_t count = 0;
	int row;

	sql_put_text(link->of, 1, span_str(target));
	while ((row = sql_step(link->of, err)) == 1)
		count++;
	if (row == 0 && count > ALIASES_MAX)
		return err_set(err, ERR_BAD_REQUEST, "%s would have more than %d other names",
			target, ALIASES_MAX);
	return row;
}

int aliases_add(struct aliases *aliases, const char *const *names, size_t count, const char *target,
	struct err *err)
{
	struct aliases_link *link = &aliases->writer;
	int result;

	if (aliases->read_only)
		return err_set(err, ERR_NOT_ALLOWED, "the store is open for reading only");
	pthread_mutex_lock(&link->lock);
	result = open_link(aliases, link, true, err);
	if (result == 0) {
		aliases->exists = true;
		result = sql_begin(link->sql, err);
	}
	if (result == 0) {
		if (aliases->driver->lock != NULL)
			result = sql_exec(link->sql, aliases->driver->lock, err);
		for (size_t i = 0; result == 0 && i < count; i++)
			result = add_one(link, names[i], target, err);
		if (result == 0)
			result = check_count(link, target, err);
		if (result == 0)
			result = sql_commit(link->sql, err);
		else
			sql_rollback(link->sql);
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
	struct aliases_link *link = begin_read(aliases, &local);
	size_t count = 0;
	int row = 0;

	if (link == NULL && local.code == ERR_NONE)
		return 0;
	if (link != NULL) {
		sql_put_text(link->of, 1, span_str(target));
		while ((row = sql_step(link->of, &local)) == 1 && count < ALIASES_MAX)
			if (get_name(link->of, 0, names[count].text))
				count++;
		if (row == 1)
			sql_reset(link->of);
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
	struct aliases_link *link = begin_read(aliases, err);
	int count = 0, row;

	if (link == NULL)
		return err->code == ERR_NONE ? 0 : -1;
	sql_put_text(link->page, 1, span_str(after));
	sql_put_int(link->page, 2, WALK_PAGE);
	while ((row = sql_step(link->page, err)) == 1)
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
