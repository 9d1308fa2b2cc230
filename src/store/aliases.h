/* aliases.h - names that pictures had elsewhere, and still answer to.
 *
 * A picture that was moved here lies under an id of ours; people and programs still have
 * its old one.  One SQLite file, aliases.db, in the first store path of a storage says
 * what an old name means.  It is made with the first alias, and asked only for names that
 * the store has no record of: a store that nothing was moved to pays nothing.
 *
 * Names are those of FastDFS without the group, which is the storage's.  An alias stays
 * when its picture is deleted: it is then known to be deleted under the old name too.
 *
 * Errors are those of db.h.  From any thread, several processes at a time; all may wait
 * for the disk. */
#pragma once

#include "core/err.h"
#include "core/file_id.h"

enum { ALIASES_MAX = 16 }; /* of one picture */

struct aliases;

/* `folder` is the first store path.  NULL with err if there is a database, it is to be
 * written to, and it cannot be opened. */
struct aliases *aliases_open(const char *folder, bool read_only, struct err *err);
/* The same in PostgreSQL, for a group whose storages share its pictures.  Nobody is asked yet;
 * ERR_SERVICE_DOWN while the server is away. */
struct aliases *aliases_open_postgres(const char *conninfo, const char *group, bool read_only);
void aliases_close(struct aliases *aliases); /* NULL is fine */

/* False if there surely are none.  Does not wait. */
bool aliases_any(struct aliases *aliases);

/* What `name` means: 1 with the name of a picture in `target`, 0 if it is no alias, -1
 * with err. */
int aliases_find(struct aliases *aliases, const char *name, char target[FILE_ID_NAME_MAX + 1],
	struct err *err);

/* Let each of `names` mean `target`; it is on the disk when 0 is returned.  All or none:
 * ERR_EXISTS if one means something else already, ERR_BAD_REQUEST if the picture would
 * have more than ALIASES_MAX, ERR_NOT_ALLOWED if the store was opened for reading. */
int aliases_add(struct aliases *aliases, const char *const *names, size_t count, const char *target,
	struct err *err);

/* Call `found` for each alias of `target`, in their order, after all have been read. */
int aliases_of(struct aliases *aliases, const char *target,
	void (*found)(void *context, const char *name), void *context, struct err *err);

/* Call `found` for every alias whose name comes behind `after`, in the order of names, until
 * it returns false.  It may ask for other aliases. */
int aliases_walk(struct aliases *aliases, const char *after,
	bool (*found)(void *context, const char *name, const char *target), void *context,
	struct err *err);
