/* storage_engine.c - the engine of a storage and its names: opened as the settings say, and
 * swept. */
#include "core/clock.h"
#include "core/log.h"
#include "photo/local_store.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"
#include "store/aliases.h"

#include <stdio.h>
#include <string.h>

enum { SWEEP_MS = 1000 };

static void on_doubt(void *context, const struct err *err)
{
	(void)context;
	log_line(err->code == ERR_NONE ? LOG_INFO : LOG_WARN, "%s", err->text);
}

static void warn(const char *text)
{
	log_warn("%s", text);
}

static struct engine *open_shared(
	struct storage *storage, struct engine_conf *conf, struct err *err)
{
	char path[4096];
	const struct engine_journal journal = {
		.path = path,
		.now_ms = clock_mono_ms,
		.tell = on_doubt,
	};
	const char *name = storage->own->engine == STORAGE_ENGINE_S3 ? "s3" : "rados";

	if ((size_t)snprintf(path, sizeof path, "%s/%s.db", storage->own->journal,
		    storage->own->name) >= sizeof path) {
		err_set(err, ERR_CONFIG, "the path of the journal is too long");
		return NULL;
	}
	/* cppcheck-suppress autoVariables ; an engine that is open does not look at it again */
	conf->journal = &journal;
	conf->aliases = storage->aliases;
	return local_store_engine(name, conf, storage->settings, storage->own, warn, err);
}

static struct engine *open_engine(struct storage *storage, struct err *err)
{
	static const char *const names[] = {
		[STORAGE_ENGINE_VOLUME] = "volume",
		[STORAGE_ENGINE_FAULTY] = "faulty",
		[STORAGE_ENGINE_FILE] = "file",
	};
	const struct storage_settings *own = storage->own;
	struct engine_conf conf = {
		.group = own->group,
		.paths = own->store_path.items,
		.path_count = own->store_path.count,
		.volume_size = (uint64_t)own->volume_size,
		.preallocate = (uint64_t)own->preallocate,
		.reserved_space = (uint64_t)own->reserved_space,
		.punch_delay_ms = own->punch_delay,
		.now = clock_unix,
	};

	memcpy(conf.source, storage->source, sizeof conf.source);
	if (settings_are_shared(own))
		return open_shared(storage, &conf, err);
	return local_store_engine(names[own->engine], &conf, storage->settings, own, warn, err);
}

static int open_names(struct storage *storage, struct err *err)
{
	const struct storage_settings *own = storage->own;

	if (own->names_postgres[0] != '\0')
		storage->names[0] = names_open_postgres(
			own->names_postgres, own->group, false, clock_unix);
	for (size_t i = 0; i < own->store_path.count; i++) {
		storage->names[i] = names_open(own->store_path.items[i], false, clock_unix, err);
		if (storage->names[i] == NULL)
			return -1;
	}
	return 0;
}

int storage_engine_open(struct storage *storage, struct err *err)
{
	const struct storage_settings *own = storage->own;

	if (own->names_postgres[0] != '\0')
		storage->aliases = aliases_open_postgres(own->names_postgres, own->group, false);
	storage->engine = open_engine(storage, err);
	return storage->engine == NULL ? -1 : open_names(storage, err);
}

void storage_engine_close(struct storage *storage)
{
	engine_close(storage->engine);
	aliases_close(storage->aliases);
	for (size_t i = 0; !storage->limits.no_names && i < storage->limits.path_count; i++)
		names_close(storage->names[i]);
}

/* ---- sweeping ---- */

static void sweep(void *context)
{
	struct storage *storage = context;
	struct engine_doubts left;
	struct err err;
	bool fails;

	if (storage->mode == STORAGE_READ_ONLY)
		return;
	fails = engine_sweep(storage->engine, &left, &err) != 0;
	if (fails && !storage->sweep_fails)
		log_warn("what is pending stays so for now: %s", err.text);
	storage->sweep_fails = fails;
	storage_counters[STORAGE_PENDING_PUTS].value = left.puts;
	storage_counters[STORAGE_PENDING_DELETES].value = left.removes;
}

int storage_sweep_start(struct storage *storage, struct err *err)
{
	if (!engine_is_shared(storage->engine))
		return 0;
	storage->sweep = ticker_new(SWEEP_MS, sweep, storage, err);
	return storage->sweep == NULL ? -1 : 0;
}
