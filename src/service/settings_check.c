#include "service/settings_check.h"

#include "core/address.h"
#include "core/buf.h"
#include "core/file_id.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000 };

static int check_hosts(
	const char *key, const struct conf_list *list, bool may_be_empty, struct err *err)
{
	struct address address;

	if (list->count == 0 && !may_be_empty)
		return err_set(err, ERR_CONFIG, "%s is empty", key);
	for (size_t i = 0; i < list->count; i++)
		if (!address_parse(list->items[i], &address) || address.is_unix ||
			address.port == 0)
			return err_set(
				err, ERR_CONFIG, "%s: '%s' is not host:port", key, list->items[i]);
	return 0;
}

/* An address, or a network as address/bits. */
static bool network_ok(const char *text)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	uint8_t raw[16];
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	char *end;
	long bits;

	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, raw) == 1)
		bits = 32;
	else if (inet_pton(AF_INET6, host, raw) == 1)
		bits = 128;
	else
		return false;
	if (slash == NULL)
		return true;
	if (slash[1] < '0' || slash[1] > '9')
		return false;
	errno = 0;
	return strtol(slash + 1, &end, 10) <= bits && *end == '\0' && errno == 0;
}

static int check_networks(const char *key, const struct conf_list *list, struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (!network_ok(list->items[i]))
			return err_set(err, ERR_CONFIG,
				"%s: '%.60s' is not an address or network (10.0.0.0/8)", key,
				list->items[i]);
	return 0;
}

static int check_group(const char *key, const char *group, struct err *err)
{
	if (!file_id_group_ok(span_str(group)))
		return err_set(err, ERR_CONFIG,
			"%s: '%.40s' is not a group: 1 to %d letters and digits", key, group,
			FILE_ID_GROUP_MAX);
	return 0;
}

static const char *group_of(const struct storage_settings *storage)
{
	return storage->group[0] != '\0' ? storage->group : storage->name;
}

static int check_advertise(const struct storage_settings *storage, struct err *err)
{
	struct address address;
	uint8_t raw[16];

	if (!address_parse(storage->listen, &address) || address.is_unix)
		return err_set(err, ERR_CONFIG, "listen must be host:port");
	if (storage->advertise[0] == '\0')
		return 0;
	if (!address_parse(storage->advertise, &address) || address.is_unix || address.port == 0 ||
		(inet_pton(AF_INET, address.host, raw) != 1 &&
			inet_pton(AF_INET6, address.host, raw) != 1))
		return err_set(
			err, ERR_CONFIG, "advertise must be an address in digits and a port");
	if (strchr(address.host, ':') != NULL && storage->id == 0)
		return err_set(err, ERR_CONFIG,
			"id must be set: %.50s is not IPv4 and does not fit into the names of "
			"files",
			address.host);
	return 0;
}

static int check_paths(const struct storage_settings *storage, struct err *err)
{
	if (storage->store_path.count == 0)
		return err_set(err, ERR_CONFIG, "store_path is missing");
	if (storage->store_path.count > SETTINGS_STORE_PATHS_MAX)
		return err_set(err, ERR_CONFIG, "store_path has more than %d folders",
			SETTINGS_STORE_PATHS_MAX);
	for (size_t i = 0; i < storage->store_path.count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(storage->store_path.items[i], storage->store_path.items[j]) == 0)
				return err_set(err, ERR_CONFIG, "store_path names %s twice",
					storage->store_path.items[i]);
	if (storage->max_file_size >= storage->volume_size)
		return err_set(err, ERR_CONFIG, "max_file_size must be less than volume_size");
	return 0;
}

static bool is_secret_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/* What is wrong with endpoint, bucket or prefix the engine itself says better. */
static int check_s3(const struct storage_settings *storage, struct err *err)
{
	if (storage->s3_endpoint[0] == '\0' || storage->s3_bucket[0] == '\0')
		return err_set(err, ERR_CONFIG, "an engine s3 needs s3_endpoint and s3_bucket");
	if (!is_secret_name(storage->s3_access_key) || !is_secret_name(storage->s3_secret_key))
		return err_set(err, ERR_CONFIG,
			"s3_access_key and s3_secret_key must be names of files in secret_dir");
	return 0;
}

/* What keeps the bytes, and what stands behind it. */
static int check_engines(const struct storage_settings *storage, struct err *err)
{
	bool shared = settings_are_shared(storage);
	bool s3 = storage->engine == STORAGE_ENGINE_S3 || storage->cold_engine == STORAGE_COLD_S3;
	bool rados = storage->engine == STORAGE_ENGINE_RADOS ||
		     storage->cold_engine == STORAGE_COLD_RADOS;

	if (storage->cold_engine != STORAGE_COLD_NONE && storage->engine != STORAGE_ENGINE_VOLUME)
		return err_set(err, ERR_CONFIG, "cold_engine stands behind engine = volume alone");
	if (shared && storage->store_path.count > 0)
		return err_set(err, ERR_CONFIG,
			"engine = %s keeps nothing on this machine: store_path must be empty",
			s3 ? "s3" : "rados");
	if (s3 && check_s3(storage, err) != 0)
		return -1;
	if (storage->engine == STORAGE_ENGINE_S3 && storage->journal[0] == '\0')
		return err_set(err, ERR_CONFIG, "engine = s3 needs a journal");
	if (rados && storage->rados_pool[0] == '\0')
		return err_set(err, ERR_CONFIG, "an engine rados needs rados_pool");
	return shared ? 0 : check_paths(storage, err);
}

static int check_storage(struct storage_settings *storage, struct err *err)
{
	if (storage->group[0] == '\0') {
		free(storage->group);
		storage->group = strdup(storage->name);
		if (storage->group == NULL)
			abort();
	}
	if (check_group("group", group_of(storage), err) != 0 || check_advertise(storage, err) != 0)
		return -1;
	if (storage->max_file_size > storage->upload_memory)
		return err_set(err, ERR_CONFIG, "upload_memory is less than max_file_size");
	if (!settings_are_shared(storage) && storage->names_postgres[0] != '\0')
		return err_set(err, ERR_CONFIG,
			"names_postgres is of engines that are shared: names of volumes lie beside "
			"them");
	return check_engines(storage, err);
}

static bool have_one_place(const struct storage_settings *a, const struct storage_settings *b)
{
	if (a->engine != b->engine)
		return false;
	if (a->engine == STORAGE_ENGINE_S3)
		return strcmp(a->s3_endpoint, b->s3_endpoint) == 0 &&
		       strcmp(a->s3_bucket, b->s3_bucket) == 0 &&
		       strcmp(a->s3_prefix, b->s3_prefix) == 0;
	/* The same cluster may be told by different files. */
	return strcmp(a->rados_pool, b->rados_pool) == 0 &&
	       strcmp(a->rados_namespace, b->rados_namespace) == 0;
}

/* Storages of one group that is shared have one bucket or pool: any of them is asked for
 * everything. */
static int check_sharing(
	const struct storage_settings *a, const struct storage_settings *b, struct err *err)
{
	if (strcmp(a->group, b->group) != 0 || (!settings_are_shared(a) && !settings_are_shared(b)))
		return 0;
	if (!have_one_place(a, b))
		return err_set(err, ERR_CONFIG,
			"[storage %s] is of the same group %s and keeps its files elsewhere",
			b->name, a->group);
	if (strcmp(a->names_postgres, b->names_postgres) != 0)
		return err_set(err, ERR_CONFIG,
			"[storage %s] is of the same group %s and has another names_postgres",
			b->name, a->group);
	return 0;
}

/* Two storages that shared a port or a folder would fail later, or worse: not fail. */
static int check_pair(
	const struct storage_settings *a, const struct storage_settings *b, struct err *err)
{
	if (strcmp(a->listen, b->listen) == 0)
		return err_set(err, ERR_CONFIG, "it listens on %s, as [storage %s] does", a->listen,
			b->name);
	if (a->http_listen[0] != '\0' && strcmp(a->http_listen, b->http_listen) == 0)
		return err_set(err, ERR_CONFIG, "its http_listen is %s, as that of [storage %s]",
			a->http_listen, b->name);
	for (size_t i = 0; i < a->store_path.count; i++)
		for (size_t j = 0; j < b->store_path.count; j++)
			if (strcmp(a->store_path.items[i], b->store_path.items[j]) == 0)
				return err_set(err, ERR_CONFIG,
					"its store_path %s is that of [storage %s] too",
					a->store_path.items[i], b->name);
	return check_sharing(a, b, err);
}

static int check_storages(struct settings *settings, struct err *err)
{
	bool over_http = settings->fetch_from == 0;

	for (size_t i = 0; i < settings->storage_count; i++) {
		struct storage_settings *storage = &settings->storages[i];
		int result = check_storage(storage, err);

		over_http = over_http || storage->http_listen[0] != '\0';
		for (size_t j = 0; j < i && result == 0; j++)
			result = check_pair(storage, &settings->storages[j], err);
		if (result != 0)
			return err_prefix(err, "[storage %s]", storage->name);
	}
	if (!over_http)
		return err_set(err, ERR_CONFIG,
			"[varnish] fetch_from is storage, but no [storage] has an http_listen");
	return 0;
}

static int check_upload(const struct settings *settings, struct err *err)
{
	static const char *const formats[] = { "jpeg", "png", "gif", "webp", "avif", "heic" };

	if (settings->formats.count == 0)
		return err_set(err, ERR_CONFIG, "[upload] formats is empty");
	for (size_t i = 0; i < settings->formats.count; i++) {
		bool known = false;

		for (size_t j = 0; j < sizeof formats / sizeof formats[0]; j++)
			known = known || strcmp(settings->formats.items[i], formats[j]) == 0;
		if (!known)
			return err_set(err, ERR_CONFIG, "[upload] formats: '%.40s' is not one",
				settings->formats.items[i]);
	}
	if (settings->upload_group[0] != '\0' &&
		check_group("[upload] group", settings->upload_group, err) != 0)
		return -1;
	/* A DES key carries 16 bits of its time: 18 h 12 min until it looks fresh again. */
	if (settings->key_max_age + settings->key_clock_ahead > 65535 * (int64_t)SECOND)
		return err_set(err, ERR_CONFIG,
			"[upload] key_max_age and key_clock_ahead together are over 65535s");
	if (settings->max_pixels_progressive > settings->max_pixels)
		return err_set(
			err, ERR_CONFIG, "[upload] max_pixels_progressive is over max_pixels");
	return 0;
}

static int check_proxy_service(
	const char *name, const struct proxy_service_settings *service, struct err *err)
{
	struct address address;
	char key[64];
	bool none = service->servers.count == 1 && strcmp(service->servers.items[0], "none") == 0;

	for (size_t i = 0; i < service->servers.count && !none; i++)
		if (!address_parse(service->servers.items[i], &address) ||
			(!address.is_unix && address.port == 0))
			return err_set(err, ERR_CONFIG,
				"[admin_proxy] %s: '%.80s' is not an address", name,
				service->servers.items[i]);
	snprintf(key, sizeof key, "[admin_proxy] %s_allow", name);
	return check_networks(key, &service->allow, err);
}

static int check_proxy(const struct proxy_settings *proxy, struct err *err)
{
	if (check_proxy_service("cut_svr", &proxy->cut, err) != 0 ||
		check_proxy_service("del_svr", &proxy->del, err) != 0 ||
		check_proxy_service("cs_del_svr", &proxy->cs_del, err) != 0 ||
		check_proxy_service("sess_check_svr", &proxy->sess_check, err) != 0 ||
		check_proxy_service("metadata_dbsvr", &proxy->metadata, err) != 0 ||
		check_networks("[admin_proxy] allow", &proxy->allow, err) != 0)
		return -1;
	if (proxy->tls_listen[0] != '\0' &&
		(proxy->tls_certificate[0] == '\0' || proxy->tls_key[0] == '\0'))
		return err_set(err, ERR_CONFIG,
			"[admin_proxy] tls_listen needs tls_certificate and tls_key");
	return 0;
}

int settings_check(struct settings *settings, struct err *err)
{
	if (check_hosts("[fdfs] tracker_server", &settings->tracker_server, false, err) != 0 ||
		check_hosts("[varnish] servers", &settings->varnish, true, err) != 0)
		return -1;
	if (check_networks("[fdfs] allow", &settings->allow, err) != 0 ||
		check_networks("[services] allow", &settings->services_allow, err) != 0)
		return -1;
	if (settings->store_lookup == 2 &&
		check_group("[tracker] store_group", settings->store_group, err) != 0)
		return -1;
	if (settings->beat_timeout <= settings->beat_interval)
		return err_set(err, ERR_CONFIG,
			"[tracker] beat_timeout must be longer than beat_interval");
	if (check_upload(settings, err) != 0 || check_proxy(&settings->proxy, err) != 0)
		return -1;
	return check_storages(settings, err);
}
