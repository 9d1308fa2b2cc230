#include "photo/local_pictures.h"

#include "core/address.h"
#include "photo/local_store.h"

#include <stdlib.h>
#include <string.h>

int local_pictures_walk(const struct settings *settings, bool shared,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	size_t *skipped, struct err *err)
{
	*skipped = 0;
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];
		struct engine *engine;
		int result;

		if (local_store_is_repeated(settings, storage))
			continue;
		if (!local_store_has_volumes(storage) &&
			!(shared && settings_are_shared(storage))) {
			++*skipped;
			continue;
		}
		engine = local_store_open(settings, storage, err);
		if (engine == NULL)
			return err_prefix(err, "[storage %s]", storage->name);
		result = engine_walk(engine, 0, found, context, err);
		engine_close(engine);
		if (result != 0)
			return err_prefix(err, "[storage %s]", storage->name);
	}
	return 0;
}

/* What one storage of a shared group has, each has. */
static bool is_configured(
	const struct settings *settings, bool shared, const struct fdfs_storage *storage)
{
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *own = &settings->storages[i];
		struct address address;

		if (strcmp(own->group, storage->group) != 0)
			continue;
		if (shared && settings_are_shared(own))
			return true;
		if (local_store_has_volumes(own) &&
			address_parse(own->advertise[0] != '\0' ? own->advertise : own->listen,
				&address) &&
			address.port == storage->port)
			return true;
	}
	return false;
}

static int are_all_of(const struct settings *settings, bool shared, struct fdfs_client *client,
	const char *group, bool *all, struct err *err)
{
	struct fdfs_storage *storages = NULL;
	size_t count = 0;

	if (fdfs_storages(client, group, &storages, &count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		*all = *all && is_configured(settings, shared, &storages[i]);
	free(storages);
	return 0;
}

int local_pictures_are_all(const struct settings *settings, bool shared, struct fdfs_client *client,
	const char *group, bool *all, struct err *err)
{
	struct fdfs_group *groups = NULL;
	size_t count = 0;
	int result = 0;

	*all = true;
	if (fdfs_groups(client, &groups, &count, err) != 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++)
		if (group == NULL || strcmp(groups[i].name, group) == 0)
			result = are_all_of(settings, shared, client, groups[i].name, all, err);
	free(groups);
	return result;
}
