/* names_postgres.c - the names of a group that several storages share, in PostgreSQL.
 *
 * The tables are those of names.db, in a schema of the group's own, and so is everything that is
 * done with them.  Who writes takes a lock that others who write wait for, as SQLite does. */
#include "store/names_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const steps[] = {
	"CREATE TABLE files ("
	" number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	" name TEXT COLLATE \"C\" NOT NULL UNIQUE,"
	" master TEXT COLLATE \"C\","
	" size BIGINT NOT NULL,"
	" crc BIGINT,"
	" changed BIGINT NOT NULL);"
	"CREATE INDEX slaves ON files (master) WHERE master IS NOT NULL;"
	"CREATE TABLE chunks ("
	" id BIGINT PRIMARY KEY,"
	" crc BIGINT NOT NULL,"
	" bytes BYTEA NOT NULL);"
	/* Pictures do not become smaller. */
	"ALTER TABLE chunks ALTER bytes SET STORAGE EXTERNAL;"
	"CREATE TABLE metadata ("
	" name TEXT COLLATE \"C\" PRIMARY KEY,"
	" text BYTEA NOT NULL);",
	NULL,
};

static struct sql *open_postgres(const struct names *names, struct err *err)
{
	char schema[FILE_ID_GROUP_MAX + sizeof "picstore_names_"];

	snprintf(schema, sizeof schema, "picstore_names_%s", names->group);
	return sql_open_postgres(names->where, schema, steps, err);
}

static const struct names_driver postgres = {
	.open = open_postgres,
	.lock = "LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE",
};

static char *copy(const char *text)
{
	char *out = strdup(text);

	assert(out != NULL);
	return out;
}

struct names *names_open_postgres(
	const char *conninfo, const char *group, bool read_only, int64_t (*now)(void))
{
	struct names *names = names_new(&postgres, copy(conninfo), copy(group), read_only, now);

	names->has_metadata = true; /* another storage may add some at any time */
	return names;
}
