#include "programs/picstore/backup_places.h"

#include "photo/local_store.h"

#include <stdio.h>
#include <string.h>

enum { OWNER_ONLY = 0600, READABLE = 0640 };

struct visiting {
	int (*visit)(void *context, const struct backup_place *place, struct err *err);
	void *context;
};

static int put(const struct visiting *visiting, struct backup_place place, const char *here,
	const char *here_end, const char *copy, struct err *err)
{
	char from[BACKUP_PATH];

	if (here == NULL || here[0] == '\0')
		return 0;
	if ((size_t)snprintf(from, sizeof from, "%s%s", here, here_end) >= sizeof from)
		return err_set(err, ERR_CONFIG, "the path %s is too long", here);
	place.here = from;
	place.copy = copy;
	return visiting->visit(visiting->context, &place, err);
}

static int file(const struct visiting *visiting, const char *here, const char *here_end,
	const char *copy, mode_t mode, struct err *err)
{
	return put(visiting, (struct backup_place){ .kind = BACKUP_FILE, .mode = mode }, here,
		here_end, copy, err);
}

static int database(const struct visiting *visiting, const char *here, const char *here_end,
	const char *copy, struct err *err)
{
	return put(visiting, (struct backup_place){ .kind = BACKUP_DATABASE, .mode = OWNER_ONLY },
		here, here_end, copy, err);
}

static int configuration(
	const struct visiting *visiting, const struct settings *settings, struct err *err)
{
	static const char *const secrets[] = { "/des", "/des.old", "/jwt", "/jwt.old" };
	char folder[BACKUP_PATH], copy[32];
	const char *slash = strrchr(settings->file, '/');

	if ((size_t)snprintf(folder, sizeof folder, "%.*s",
		    slash == NULL ? 1 : (int)(slash - settings->file),
		    slash == NULL ? "." : settings->file) >= sizeof folder)
		return err_set(err, ERR_CONFIG, "the path %s is too long", settings->file);
	if (file(visiting, settings->file, "", "etc/picstore.conf", READABLE, err) != 0 ||
		file(visiting, folder, "/store_paths", "etc/store_paths", READABLE, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		snprintf(copy, sizeof copy, "secret%s", secrets[i]);
		if (file(visiting, settings->secret_dir, secrets[i], copy, OWNER_ONLY, err) != 0)
			return -1;
	}
	return 0;
}

static int store_path(const struct visiting *visiting, const struct storage_settings *storage,
	size_t path, struct err *err)
{
	const char *here = storage->store_path.items[path];
	struct backup_place place = {
		.kind = BACKUP_STORE, .storage = storage, .path = (uint8_t)path
	};
	char copy[128], name[192];

	snprintf(copy, sizeof copy, "storage/%s/M%02zX", storage->name, path);
	snprintf(name, sizeof name, "%s/.picstore", copy);
	if (file(visiting, here, "/.picstore", name, READABLE, err) != 0)
		return -1;
	snprintf(name, sizeof name, "%s/names.db", copy);
	if (database(visiting, here, "/names.db", name, err) != 0)
		return -1;
	snprintf(name, sizeof name, "%s/aliases.db", copy);
	if (path == 0 && database(visiting, here, "/aliases.db", name, err) != 0)
		return -1;
	return put(visiting, place, here, "", copy, err);
}

/* Lines leave the log for LOG.taken and LOG.again, and those for the volumes: who looks in
 * this order misses none.  A row is written when its picture is there, so that the
 * volumes, which come last, have the pictures of all rows. */
int backup_places(const struct settings *settings,
	int (*visit)(void *context, const struct backup_place *place, struct err *err),
	void *context, struct err *err)
{
	static const char *const ends[] = { "", ".taken", ".again", ".bad" };
	const struct visiting visiting = { visit, context };
	char copy[64];

	if (configuration(&visiting, settings, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		snprintf(copy, sizeof copy, "log/delete.log%s", ends[i]);
		if (file(&visiting, settings->del_log, ends[i], copy, READABLE, err) != 0)
			return -1;
	}
	if (database(&visiting, settings->cs_del_receipts, "", "db/receipts.db", err) != 0 ||
		database(&visiting, settings->metadata_folder, "/metadata.db", "db/metadata.db",
			err) != 0 ||
		database(&visiting, settings->cut_made, "", "db/cuts.db", err) != 0)
		return -1;
	for (size_t i = 0; i < settings->storage_count; i++)
		for (size_t path = 0; local_store_has_volumes(&settings->storages[i]) &&
				      path < settings->storages[i].store_path.count;
			path++)
			if (store_path(&visiting, &settings->storages[i], path, err) != 0)
				return -1;
	return 0;
}
