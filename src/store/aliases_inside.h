/* aliases_inside.h - what the files of aliases share. */
#pragma once

#include "meta/sql.h"
#include "store/aliases.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ALIASES_READERS = 4 };

/* One connection and its queries, used by one thread at a time. */
struct aliases_link {
	pthread_mutex_t lock;
	struct sql *sql;
	struct sql_query *find, *of, *page;
	struct sql_query *add; /* the writer's */
};

/* Where the database is. */
struct aliases_driver {
	struct sql *(*open)(const struct aliases *aliases, bool writes, struct err *err);
	const char *lock; /* what who writes begins with, since others may; NULL: it is SQLite */
};

struct aliases {
	const struct aliases_driver *driver;
	char *where, *group; /* the file; or the conninfo and the group */
	bool read_only;
	struct aliases_link writer, readers[ALIASES_READERS];
	_Atomic unsigned turn;
	_Atomic bool exists; /* the file is there, with its tables if this process writes */
};

/* Takes `where` and `group` over; opens nothing. */
struct aliases *aliases_new(
	const struct aliases_driver *driver, char *where, char *group, bool read_only);
