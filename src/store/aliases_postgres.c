/* aliases_postgres.c - the aliases of a group that several storages share. */
#include "store/aliases_inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const steps[] = {
	"CREATE TABLE aliases (name TEXT COLLATE \"C\" PRIMARY KEY,"
	" target TEXT COLLATE \"C\" NOT NULL);"
	"CREATE INDEX aliases_of_target ON aliases (target)",
	NULL,
};

static struct sql *open_postgres(const struct aliases *aliases, bool writes, struct err *err)
{
	char schema[FILE_ID_GROUP_MAX + sizeof "picstore_aliases_"];

	(void)writes;
	snprintf(schema, sizeof schema, "picstore_aliases_%s", aliases->group);
	return sql_open_postgres(aliases->where, schema, steps, err);
}

static const struct aliases_driver postgres = {
	.open = open_postgres,
	.lock = "LOCK TABLE aliases IN SHARE ROW EXCLUSIVE MODE",
};

struct aliases *aliases_open_postgres(const char *conninfo, const char *group, bool read_only)
{
	char *where = strdup(conninfo), *of = strdup(group);
	struct aliases *aliases;

	assert(where != NULL && of != NULL);
	aliases = aliases_new(&postgres, where, of, read_only);
	aliases->exists = true; /* another storage may add one at any time */
	return aliases;
}
