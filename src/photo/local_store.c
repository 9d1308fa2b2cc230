#include "photo/local_store.h"

#include "core/clock.h"
#include "store/engine_rados.h"
#include "store/engine_s3.h"

#include <string.h>

enum { SECRET_MAX = 200 };

bool local_store_has_volumes(const struct storage_settings *storage)
{
	return storage->engine == STORAGE_ENGINE_VOLUME || storage->engine == STORAGE_ENGINE_FAULTY;
}

const char *local_store_cold(const struct storage_settings *storage)
{
	static const char *const names[] = {
		[STORAGE_COLD_NONE] = NULL,
		[STORAGE_COLD_S3] = "s3",
		[STORAGE_COLD_RADOS] = "rados",
	};

	return names[storage->cold_engine];
}

bool local_store_is_repeated(
	const struct settings *settings, const struct storage_settings *storage)
{
	if (!settings_are_shared(storage))
		return false;
	for (const struct storage_settings *one = settings->storages; one != storage; one++)
		if (strcmp(one->group, storage->group) == 0)
			return true;
	return false;
}

static int read_secret(
	const struct settings *settings, const char *name, char out[256], struct err *err)
{
	size_t len = 0;

	if (settings_secret(settings, name, out, SECRET_MAX, &len, err) != 0)
		return -1;
	out[len] = '\0';
	if (strlen(out) != len)
		return err_set(err, ERR_CONFIG, "the secret %s has a NUL in it", name);
	return 0;
}

/* The bucket, and the secrets for it, which are forgotten once an engine has copied them. */
struct local_s3 {
	struct engine_s3_conf conf; /* borrows from the settings and the fields below */
	char access_key[256], secret_key[256];
};

static void local_s3_fini(struct local_s3 *s3)
{
	explicit_bzero(s3->access_key, sizeof s3->access_key);
	explicit_bzero(s3->secret_key, sizeof s3->secret_key);
}

static int local_s3_init(struct local_s3 *s3, const struct settings *settings,
	const struct storage_settings *storage, struct err *err)
{
	s3->conf = (struct engine_s3_conf){
		.endpoint = storage->s3_endpoint,
		.region = storage->s3_region,
		.bucket = storage->s3_bucket,
		.bucket_in_host = storage->s3_addressing == 1,
		.prefix = storage->s3_prefix,
		.access_key = s3->access_key,
		.secret_key = s3->secret_key,
		.ca_file = storage->s3_ca[0] == '\0' ? NULL : storage->s3_ca,
		.connect_timeout_ms = storage->s3_connect_timeout,
		.timeout_ms = storage->s3_timeout,
		.in_flight = (unsigned)storage->s3_in_flight,
		.capacity = (uint64_t)storage->s3_capacity,
	};
	if (read_secret(settings, storage->s3_access_key, s3->access_key, err) == 0 &&
		read_secret(settings, storage->s3_secret_key, s3->secret_key, err) == 0)
		return 0;
	local_s3_fini(s3);
	return -1;
}

static struct engine_rados_conf local_rados_conf(const struct storage_settings *storage)
{
	return (struct engine_rados_conf){
		.conf_file = storage->rados_conf,
		.user = storage->rados_user,
		.keyring = storage->rados_keyring,
		.pool = storage->rados_pool,
		.name_space = storage->rados_namespace,
		.any_replicas = storage->rados_replicas == 1,
		.connect_timeout_ms = storage->rados_connect_timeout,
		.timeout_ms = storage->rados_timeout,
		.in_flight = (unsigned)storage->rados_in_flight,
	};
}

struct engine *local_store_engine(const char *name, struct engine_conf *conf,
	const struct settings *settings, const struct storage_settings *storage,
	void (*warn)(const char *text), struct err *err)
{
	struct engine_rados_conf rados = local_rados_conf(storage);
	struct local_s3 s3;
	struct engine *engine = NULL;

	rados.warn = warn;
	/* cppcheck-suppress autoVariables ; an engine that is open does not look at it again */
	conf->rados = &rados;
	conf->cold = local_store_cold(storage);
	if (storage->engine != STORAGE_ENGINE_S3 && storage->cold_engine != STORAGE_COLD_S3) {
		engine = engine_open(name, conf, err);
	} else if (local_s3_init(&s3, settings, storage, err) == 0) {
		/* cppcheck-suppress autoVariables ; the same */
		conf->s3 = &s3.conf;
		engine = engine_open(name, conf, err);
		local_s3_fini(&s3);
		conf->s3 = NULL;
	}
	conf->rados = NULL;
	return engine;
}

struct engine *local_store_open(
	const struct settings *settings, const struct storage_settings *storage, struct err *err)
{
	struct engine_conf conf = {
		.group = storage->group,
		.paths = storage->store_path.items,
		.path_count = storage->store_path.count,
		.read_only = true,
		.volume_size = (uint64_t)storage->volume_size,
		.preallocate = (uint64_t)storage->preallocate,
		.reserved_space = (uint64_t)storage->reserved_space,
		.punch_delay_ms = storage->punch_delay,
		.now = clock_unix,
	};
	const char *name = storage->engine == STORAGE_ENGINE_S3      ? "s3"
			   : storage->engine == STORAGE_ENGINE_RADOS ? "rados"
								     : "volume";

	if (!settings_are_shared(storage) && !local_store_has_volumes(storage)) {
		err_set(err, ERR_UNSUPPORTED, "its engine keeps no volumes");
		return NULL;
	}
	return local_store_engine(name, &conf, settings, storage, NULL, err);
}
