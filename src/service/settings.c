#include "service/settings.h"

#include "core/address.h"
#include "core/buf.h"
#include "core/file_id.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "picstore_build.h"

#define K      (INT64_C(1) << 10)
#define M      (INT64_C(1) << 20)
#define G      (INT64_C(1) << 30)
#define T      (INT64_C(1) << 40)
#define MS     1
#define SECOND 1000
#define MINUTE 60000
#define HOUR   3600000
#define DAY    86400000

/* A key named like its field; one whose field carries the section in front (NAMED); both
 * with bounds; and the same for a [storage NAME]. */
#define AT(field) offsetof(struct settings, field)
#define NAMED(section, name, type, field, value, help)                                             \
	{                                                                                          \
#section, #name, CONF_##type, AT(field), value, 0, 0, NULL, help                   \
	}
#define BOUND(section, name, type, field, value, min, max, help)                                   \
	{                                                                                          \
#section, #name, CONF_##type, AT(field), value, min, max, NULL, help               \
	}
#define CHOICE(section, name, field, value, choices, help)                                         \
	{                                                                                          \
#section, #name, CONF_CHOICE, AT(field), value, 0, 0, choices, help                \
	}
#define STORAGE(name, type, value, min, max, help)                                                 \
	{                                                                                          \
		"storage", #name, CONF_##type, offsetof(struct storage_settings, name), value,     \
			min, max, NULL, help                                                       \
	}

static const struct conf_key keys[] = {
	NAMED(picstore, user, TEXT, user, "",
		"User that the daemons become when they are started as root; empty: they stay."),
	NAMED(picstore, run_dir, PATH, run_dir, "/run/picstore",
		"Folder of the sockets on which daemons tell their figures."),
	NAMED(picstore, secret_dir, PATH, secret_dir, "/etc/picstore/secret",
		"Folder of the keys, a file each, which only the daemons' user may read."),
	CHOICE(picstore, log_level, log_level, "info", "alarm|error|warn|info|debug",
		"Least important lines that are still written to the log."),

	NAMED(fdfs, tracker_server, LIST, tracker_server, "127.0.0.1:22122",
		"Trackers, host:port, that storages report to and programs ask; those of a FastDFS "
		"cluster work too."),
	BOUND(fdfs, connect_timeout, DURATION, connect_timeout, "2s", 10 * MS, HOUR,
		"Longest wait for a connection to a tracker or storage."),
	BOUND(fdfs, network_timeout, DURATION, network_timeout, "30s", 100 * MS, HOUR,
		"Longest wait for a peer in the middle of a request or an answer."),
	NAMED(fdfs, allow, LIST, allow, "127.0.0.0/8 ::1",
		"Addresses and networks that may use our trackers and storages; all others are "
		"refused."),
	BOUND(fdfs, max_connections, INT, max_connections, "4096", 1, 1000000,
		"Most connections that a tracker or storage keeps open at a time."),
	CHOICE(fdfs, ip_width, ip_width, "16", "16|46",
		"Bytes of an address field in the FastDFS protocol: 16, or 46 for clusters that "
		"use "
		"IPv6."),
	CHOICE(fdfs, record_layout, record_layout, "current", "current|105-612",
		"Layout of group and storage records that monitoring clients are sent: of FastDFS "
		"V6.16, or of the versions before V6.13."),

	NAMED(tracker, listen, ADDRESS, tracker_listen, "127.0.0.1:22122",
		"Address of tracker_server."),
	CHOICE(tracker, store_lookup, store_lookup, "round-robin", "round-robin|most-free|group",
		"How the group of an upload is chosen: in turn, by free space, or always "
		"store_group."),
	NAMED(tracker, store_group, TEXT, store_group, "", "The group, for store_lookup = group."),
	BOUND(tracker, beat_interval, DURATION, beat_interval, "300ms", 50 * MS, HOUR,
		"How often a storage tells its trackers that it lives."),
	BOUND(tracker, beat_timeout, DURATION, beat_timeout, "1s", 100 * MS, HOUR,
		"A storage that was silent for so long is down."),

	STORAGE(group, TEXT, "", 0, 0, "Group that the storage belongs to; empty: its NAME."),
	STORAGE(listen, ADDRESS, "127.0.0.1:23000", 0, 0, "Address of this storage_server."),
	STORAGE(advertise, ADDRESS, "", 0, 0,
		"Address that clients are told, IPv4 and port; empty: that of listen."),
	STORAGE(id, INT, "0", 0, 16777215,
		"Number that stands for this storage in the ids of pictures; 0: its advertised "
		"address does."),
	STORAGE(store_path, PATHS, "", 0, 0,
		"Folders for the volumes, one a disk, M00 first; their order is part of the ids "
		"and "
		"must stay."),
	{ "storage", "engine", CONF_CHOICE, offsetof(struct storage_settings, engine), "volume", 0,
		0, "volume|faulty|file",
		"What keeps the bytes: volume is the one to use; faulty (fails on purpose) and "
		"file (a "
		"file a picture) are for tests and benchmarks." },
	STORAGE(volume_size, SIZE, "4G", M, 4 * G, "Greatest size of a volume file."),
	STORAGE(preallocate, SIZE, "64M", 0, 4 * G,
		"By how much a volume file is grown at a time."),
	STORAGE(punch_delay, DURATION, "60s", 0, 30 * (int64_t)DAY,
		"Time from a deletion until the blocks go back to the file system."),
	STORAGE(reserved_space, SIZE, "1G", 0, 1024 * T,
		"Bytes that stay free on the disk of each store path."),
	STORAGE(max_file_size, SIZE, "64M", K, G, "Greatest file that is taken in."),
	STORAGE(upload_memory, SIZE, "256M", M, T,
		"Memory for contents that are on their way in, all connections together."),

	NAMED(download, listen, ADDRESS, download_listen, "unix:/run/picstore/download.sock",
		"FastCGI socket of download.fcgi, as the web server's configuration names it."),
	BOUND(download, threads, INT, download_threads, "8", 1, 1024,
		"Requests that download.fcgi answers at a time."),
	NAMED(download, socket_mode, MODE, download_socket_mode, "660",
		"Mode of that socket, if it is a unix one."),
	NAMED(download, local_read, BOOL, local_read, "yes",
		"Read volumes of storages on this machine directly instead of asking the storage."),
	BOUND(download, sendfile_from, SIZE, sendfile_from, "16K", 0, T,
		"Least size of a picture that the web server is told to send from the volume "
		"itself "
		"(X-Sendfile2); 0: never."),

	NAMED(upload, listen, ADDRESS, upload_listen, "unix:/run/picstore/upload.sock",
		"FastCGI socket of upload.cgi, as the web server's configuration names it."),
	BOUND(upload, threads, INT, upload_threads, "16", 1, 1024,
		"Requests that upload.cgi answers at a time."),
	NAMED(upload, socket_mode, MODE, upload_socket_mode, "660",
		"Mode of that socket, if it is a unix one."),
	NAMED(upload, group, TEXT, upload_group, "",
		"Group that pictures go to; empty: the tracker decides."),
	BOUND(upload, max_picture_bytes, SIZE, max_picture_bytes, "5M", K, G,
		"Greatest picture; the web server's own limit must be above it."),
	BOUND(upload, max_width, INT, max_width, "20000", 1, 1000000, "Greatest width in pixels."),
	BOUND(upload, max_height, INT, max_height, "20000", 1, 1000000,
		"Greatest height in pixels."),
	BOUND(upload, max_pixels, INT, max_pixels, "50000000", 1, INT64_C(10000000000),
		"Most pixels of a frame, width times height."),
	BOUND(upload, max_frames, INT, max_frames, "500", 1, 100000,
		"Most frames of an animated picture."),
	BOUND(upload, max_pixels_progressive, INT, max_pixels_progressive, "16000000", 1,
		INT64_C(10000000000),
		"Most pixels of a picture that is decoded as a whole (progressive JPEG, interlaced "
		"PNG), which costs five times the time and memory."),
	CHOICE(upload, check, check, "full", "full|header",
		"How a picture is checked before it is taken: full decodes every pixel, header "
		"reads "
		"its size and type alone and is faster."),
	BOUND(upload, check_workers, INT, check_workers, "2", 1, 256,
		"Processes that decode; as many as there are cores is right."),
	BOUND(upload, check_timeout, DURATION, check_timeout, "10s", 10 * MS, HOUR,
		"Longest time that one picture may be decoded for."),
	BOUND(upload, check_memory, SIZE, check_memory, "1G", 64 * M, T,
		"Most address space of a process that decodes."),
	NAMED(upload, formats, LIST, formats, "jpeg png gif webp",
		"Formats that are accepted, of jpeg, png, gif, webp, avif and heic."),
	NAMED(upload, keys_des, BOOL, keys_des, "yes",
		"Accept DES session keys: for clients that exist; a stranger can forge them with "
		"some effort."),
	NAMED(upload, keys_jwt, BOOL, keys_jwt, "yes",
		"Accept JWT session keys, which cannot be forged."),
	BOUND(upload, key_max_age, DURATION, key_max_age, "1h", SECOND, 18 * (int64_t)HOUR,
		"Age at which a session key expires."),
	BOUND(upload, key_clock_ahead, DURATION, key_clock_ahead, "5m", 0, 10 * MINUTE,
		"By how much the clock that made a session key may run ahead of ours."),

	NAMED(varnish, servers, LIST, varnish, "127.0.0.1:8081",
		"Every cache, host:port, that deleted pictures are purged from."),
	NAMED(varnish, public_url, TEXT, public_url, "http://127.0.0.1:8081",
		"How clients reach the cache, for texts that show it."),
	NAMED(varnish, name, TEXT, varnish_name, "",
		"Working folder or name (-n) of this machine's varnishd; empty: its default."),

	NAMED(http, gateway, ADDRESS, gateway, "127.0.0.1:8080",
		"Where the web server behind the cache listens."),
};

static const char *const named_sections[] = { "storage", NULL };

static void *storage_instance(void *target, const char *section, const char *name, struct err *err)
{
	struct settings *settings = target;
	struct storage_settings *storage;

	if (settings->storage_count == SETTINGS_STORAGES_MAX) {
		err_set(err, ERR_CONFIG, "there are more than %d storages", SETTINGS_STORAGES_MAX);
		return NULL;
	}
	storage = &settings->storages[settings->storage_count++];
	snprintf(storage->name, sizeof storage->name, "%s", name);
	if (conf_instance_defaults(&settings_table, section, storage, err) != 0)
		return NULL;
	return storage;
}

const struct conf_table settings_table = {
	.keys = keys,
	.count = sizeof keys / sizeof keys[0],
	.instance = storage_instance,
	.named = named_sections,
};

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
	uint8_t raw[4];

	if (!address_parse(storage->listen, &address) || address.is_unix)
		return err_set(err, ERR_CONFIG, "listen must be host:port");
	if (storage->advertise[0] == '\0')
		return 0;
	if (!address_parse(storage->advertise, &address) ||
		inet_pton(AF_INET, address.host, raw) != 1)
		return err_set(err, ERR_CONFIG, "advertise must be an IPv4 address and a port");
	return 0;
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
	if (storage->max_file_size > storage->upload_memory)
		return err_set(err, ERR_CONFIG, "upload_memory is less than max_file_size");
	if (storage->max_file_size >= storage->volume_size)
		return err_set(err, ERR_CONFIG, "max_file_size must be less than volume_size");
	return 0;
}

/* Two storages that shared a port or a folder would fail later, or worse: not fail. */
static int check_pair(
	const struct storage_settings *a, const struct storage_settings *b, struct err *err)
{
	if (strcmp(a->listen, b->listen) == 0)
		return err_set(err, ERR_CONFIG, "it listens on %s, as [storage %s] does", a->listen,
			b->name);
	for (size_t i = 0; i < a->store_path.count; i++)
		for (size_t j = 0; j < b->store_path.count; j++)
			if (strcmp(a->store_path.items[i], b->store_path.items[j]) == 0)
				return err_set(err, ERR_CONFIG,
					"its store_path %s is that of [storage %s] too",
					a->store_path.items[i], b->name);
	return 0;
}

static int check_storages(struct settings *settings, struct err *err)
{
	for (size_t i = 0; i < settings->storage_count; i++) {
		struct storage_settings *storage = &settings->storages[i];
		int result = check_storage(storage, err);

		for (size_t j = 0; j < i && result == 0; j++)
			result = check_pair(storage, &settings->storages[j], err);
		if (result != 0)
			return err_prefix(err, "[storage %s]", storage->name);
	}
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

/* What no single key can tell. */
static int check_settings(struct settings *settings, struct err *err)
{
	if (check_hosts("[fdfs] tracker_server", &settings->tracker_server, false, err) != 0 ||
		check_hosts("[varnish] servers", &settings->varnish, true, err) != 0)
		return -1;
	for (size_t i = 0; i < settings->allow.count; i++)
		if (!network_ok(settings->allow.items[i]))
			return err_set(err, ERR_CONFIG,
				"[fdfs] allow: '%.60s' is not an address or network (10.0.0.0/8)",
				settings->allow.items[i]);
	if (settings->store_lookup == 2 &&
		check_group("[tracker] store_group", settings->store_group, err) != 0)
		return -1;
	if (settings->beat_timeout <= settings->beat_interval)
		return err_set(err, ERR_CONFIG,
			"[tracker] beat_timeout must be longer than beat_interval");
	if (check_upload(settings, err) != 0)
		return -1;
	return check_storages(settings, err);
}

static struct settings *settings_new(const char *file)
{
	struct settings *settings = calloc(1, sizeof *settings);

	if (settings == NULL)
		abort();
	settings->file = strdup(file);
	settings->storages = calloc(SETTINGS_STORAGES_MAX, sizeof *settings->storages);
	if (settings->file == NULL || settings->storages == NULL)
		abort();
	return settings;
}

static struct settings *finish(struct settings *settings, int result, struct err *err)
{
	if (result == 0 && (result = check_settings(settings, err)) != 0)
		err_prefix(err, "%s", settings->file);
	if (result == 0)
		return settings;
	settings_free(settings);
	return NULL;
}

struct settings *settings_load(const char *file, struct err *err)
{
	struct settings *settings;
	int result;

	if (file == NULL)
		file = getenv("PICSTORE_CONF");
	if (file == NULL || file[0] == '\0')
		file = PICSTORE_SYSCONFDIR "/picstore.conf";
	settings = settings_new(file);
	result = conf_defaults(&settings_table, settings, err);
	if (result == 0)
		result = conf_read_file(&settings_table, file, settings, err);
	return finish(settings, result, err);
}

struct settings *settings_parse(const char *file, const char *text, struct err *err)
{
	struct settings *settings = settings_new(file);
	int result = conf_defaults(&settings_table, settings, err);

	if (result == 0)
		result = conf_read_text(&settings_table, file, text, strlen(text), settings, err);
	return finish(settings, result, err);
}

const struct storage_settings *settings_storage(
	const struct settings *settings, const char *name, struct err *err)
{
	if (settings->storage_count == 0) {
		err_set(err, ERR_CONFIG, "%s has no [storage NAME]", settings->file);
		return NULL;
	}
	if (name == NULL && settings->storage_count > 1) {
		err_set(err, ERR_CONFIG, "%s has %zu storages: name one, as in --instance %s",
			settings->file, settings->storage_count, settings->storages[0].name);
		return NULL;
	}
	for (size_t i = 0; i < settings->storage_count; i++)
		if (name == NULL || strcmp(settings->storages[i].name, name) == 0)
			return &settings->storages[i];
	err_set(err, ERR_CONFIG, "%s has no [storage %s]", settings->file, name);
	return NULL;
}

static int read_secret(
	int fd, const char *path, void *out, size_t max, size_t *len, struct err *err)
{
	uint8_t *bytes = out;
	uint8_t extra[64]; /* white space may follow the longest secret */
	size_t have = 0;
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) != 0)
		return err_errno(err, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is not a plain file", path);
	if ((st.st_mode & 077) != 0)
		return err_set(err, ERR_NOT_ALLOWED,
			"%s may be used by others (mode %03o): chmod 600 it, or make a new secret",
			path, (unsigned)(st.st_mode & 07777));
	if (st.st_size > (off_t)(max + sizeof extra))
		return err_set(err, ERR_CONFIG, "%s holds more than %zu bytes", path, max);
	while (have < max && (got = read(fd, bytes + have, max - have)) != 0) {
		if (got < 0)
			return err_errno(err, "cannot read %s", path);
		have += (size_t)got;
	}
	got = have == max ? read(fd, extra, sizeof extra) : 0;
	for (ssize_t i = 0; i < got; i++)
		if (memchr(" \t\r\n", extra[i], 4) == NULL)
			return err_set(err, ERR_CONFIG, "%s holds more than %zu bytes", path, max);
	while (have > 0 && memchr(" \t\r\n", bytes[have - 1], 4) != NULL)
		have--;
	if (have == 0)
		return err_set(err, ERR_CONFIG, "%s is empty", path);
	*len = have;
	return 0;
}

int settings_secret(const struct settings *settings, const char *name, void *out, size_t max,
	size_t *len, struct err *err)
{
	char path[512];
	int fd, result;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", settings->secret_dir, name) >= sizeof path)
		return err_set(err, ERR_CONFIG, "secret_dir is too long");
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_NOT_ALLOWED, "%s is a symbolic link", path);
	if (fd < 0)
		return err_errno(err, "cannot open the secret %s", path);
	result = read_secret(fd, path, out, max, len, err);
	close(fd);
	if (result != 0)
		explicit_bzero(out, max);
	return result;
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	for (size_t i = 0; i < settings->storage_count; i++)
		conf_free(&settings_table, "storage", &settings->storages[i]);
	conf_free(&settings_table, NULL, settings);
	free(settings->storages);
	free(settings->file);
	free(settings);
}
