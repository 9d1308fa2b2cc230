/* storage_family.c - command 191: the slaves of a file, their slaves, and so on.
 *
 * A slave that was made here has its master in names.db.  One that was moved here is a
 * picture of its own, and only its old name tells: it begins as one of the master's names
 * does.  Such a one is listed by all its names.  Slaves of slaves that were both moved here
 * are found by their first master. */
#include "moving/name_set.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"
#include "store/aliases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILY_MAX = 1 << 18 };

struct member {
	char name[FILE_ID_NAME_MAX + 1];
};

/* Names whose slaves are looked for, one after the other.  The first `own` are those of the
 * master, which are not listed. */
struct family {
	struct storage *storage;
	struct aliases *aliases; /* NULL: there are none */
	struct member *members;
	size_t count, own;
	struct name_set met;
	bool too_many;
};

static void add(void *context, const char *name)
{
	struct family *family = context;

	if (!name_set_add(&family->met, name))
		return;
	if (family->count == FAMILY_MAX) {
		family->too_many = true;
		return;
	}
	if ((family->count & (family->count - 1)) == 0) {
		size_t room = family->count == 0 ? 1 : 2 * family->count;
		struct member *more = realloc(family->members, room * sizeof *more);

		assert(more != NULL);
		family->members = more;
	}
	strcpy(family->members[family->count++].name, name);
}

/* A picture by all its names; `own` is the first. */
static int add_picture(struct family *family, const char *own, struct err *err)
{
	add(family, own);
	return family->aliases == NULL ? 0 : aliases_of(family->aliases, own, add, family, err);
}

static void list(void *context, const char *name)
{
	buf_put_str(context, name);
	buf_put_u8(context, '\n');
}

/* ---- those that were moved here ---- */

struct search {
	struct family *family;
	char start[FILE_ID_NAME_MAX + 1]; /* of slaves' names */
	struct err err;
};

static bool on_alias(void *context, const char *name, const char *target)
{
	struct search *search = context;
	struct family *family = search->family;
	struct file_id id;

	if (strncmp(name, search->start, strlen(search->start)) != 0)
		return false;
	if (!file_id_parse_name(span_str(family->storage->limits.group), span_str(name), &id) ||
		id.kind != FILE_ID_SLAVE)
		return true;
	return add_picture(family, target, &search->err) == 0 && !family->too_many;
}

/* Up to the extension, as file_id_slave does. */
static void start_of(const char *name, char out[FILE_ID_NAME_MAX + 1])
{
	size_t len = strlen(name), tail = len > FILE_ID_TAIL_LEN ? len - FILE_ID_TAIL_LEN : 0;

	strcpy(out, name);
	out[tail + strcspn(name + tail, ".")] = '\0';
}

static int find_moved(struct family *family, const char *name, struct err *err)
{
	struct search search = { .family = family };
	struct file_id id;

	/* Beside a slave _1 there may be a slave _10: that one is the master's, not of _1. */
	if (family->aliases == NULL ||
		!file_id_parse_name(span_str(family->storage->limits.group), span_str(name), &id) ||
		id.kind == FILE_ID_SLAVE)
		return 0;
	start_of(name, search.start);
	if (aliases_walk(family->aliases, search.start, on_alias, &search, err) != 0)
		return -1;
	if (search.err.code != ERR_NONE)
		*err = search.err;
	return search.err.code == ERR_NONE ? 0 : -1;
}

/* ---- all ---- */

static int find_slaves(struct family *family, const char *name, struct buf *reply, struct err *err)
{
	/* A slave lies in the store path that its own name tells. */
	for (size_t path = 0; path < family->storage->limits.path_count; path++)
		if (names_slaves(family->storage->names[path], name, list, reply, err) != 0)
			return -1;
	return find_moved(family, name, err);
}

static int list_family(struct family *family, struct buf *reply, struct err *err)
{
	for (size_t i = 0; i < family->count; i++) {
		struct member member = family->members[i]; /* the list may move */

		if (i >= family->own)
			list(reply, member.name);
		if (find_slaves(family, member.name, reply, err) != 0)
			return -1;
		if (family->too_many)
			return err_set(
				err, ERR_TOO_LARGE, "a file with more than %d slaves", FAMILY_MAX);
	}
	return 0;
}

int storage_list_slaves(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct family family = { .storage = storage, .aliases = engine_aliases(storage->engine) };
	struct file_id id, own;
	int result = -1;

	if (family.aliases != NULL && !aliases_any(family.aliases))
		family.aliases = NULL;
	/* Of a master that is gone, too. */
	if (storage_read_names(&storage->limits, request->body, &id, err) != 0)
		return -1;
	if (storage->limits.no_names)
		return 0;
	if (storage_own_id(storage, &id, &own, err) == 0 &&
		add_picture(&family, own.name, err) == 0) {
		family.own = family.count;
		result = list_family(&family, reply, err);
	}
	name_set_fini(&family.met);
	free(family.members);
	return result;
}
