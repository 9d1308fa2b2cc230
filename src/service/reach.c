#include "service/reach.h"

#include "confine/confine.h"
#include "core/address.h"
#include "core/disk.h"
#include "core/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "picstore_build.h"

/* Sanitizers write reports where they like, and look at threads by ptrace(2). */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(PICSTORE_COVERAGE)
#define WRITES_REPORTS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WRITES_REPORTS 1
#endif
#endif
#ifndef WRITES_REPORTS
#define WRITES_REPORTS 0
#endif

enum { FOLDER_MODE = 0755, PATHS_MAX = 32 + 4 * SETTINGS_STORE_PATHS_MAX };

struct paths {
	struct confine_path all[PATHS_MAX];
	size_t count;
};

static void add(struct paths *paths, const char *path, enum confine_access access)
{
	struct confine_path *one = &paths->all[paths->count++];

	assert(paths->count <= PATHS_MAX);
	*one = (struct confine_path){ strdup(path), access };
	if (one->path == NULL)
		abort();
}

/* Make a folder and those above it that are not there; who needs it says what is wrong. */
static void make_folder(const char *path)
{
	char part[4096];

	if (access(path, F_OK) == 0 || strlen(path) >= sizeof part)
		return;
	snprintf(part, sizeof part, "%s", path);
	for (char *slash = part + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		if (access(part, F_OK) != 0)
			disk_make_folder(part, FOLDER_MODE);
	}
	disk_make_folder(path, FOLDER_MODE);
}

static void add_folder(struct paths *paths, const char *path)
{
	make_folder(path);
	add(paths, path, CONFINE_WRITE);
}

/* The folder that the file `path` is in; nothing if there is no such file. */
static void add_folder_of(struct paths *paths, const char *path, enum confine_access access)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];

	if (slash == NULL || (size_t)(slash - path) >= sizeof folder)
		return;
	snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (access == CONFINE_WRITE)
		make_folder(folder);
	add(paths, folder, access);
}

static void add_socket(struct paths *paths, const char *listen)
{
	struct address address;

	if (listen != NULL && address_parse(listen, &address) && address.is_unix)
		add_folder_of(paths, address.host, CONFINE_SOCKETS);
}

static void add_system(struct paths *paths, const struct settings *settings)
{
	static const char *const folders[] = { "/usr", "/lib", "/lib64", "/etc", "/proc", "/sys",
		"/dev", "/run/systemd/resolve", PICSTORE_DATADIR, PICSTORE_LIBEXECDIR };

	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		add(paths, folders[i], CONFINE_READ);
	add(paths, "/dev/null", CONFINE_WRITE);
	add_folder_of(paths, settings->file, CONFINE_READ);
	add(paths, settings->run_dir, CONFINE_SOCKETS);
}

/* Sockets are removed at the end; the one that is listened on is one of these. */
static void add_sockets(struct paths *paths, const struct settings *settings)
{
	const char *const listens[] = { settings->tracker_listen, settings->download_listen,
		settings->upload_listen, settings->proxy.listen, settings->proxy.tls_listen,
		settings->sess_check.listen, settings->metadata.listen, settings->cut.listen,
		settings->del.listen, settings->cs_del.listen };

	for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++)
		add_socket(paths, listens[i]);
}

static void add_storage(
	struct paths *paths, const struct storage_settings *storage, enum confine_access access)
{
	for (size_t i = 0; i < storage->store_path.count; i++)
		add(paths, storage->store_path.items[i], access);
}

/* What a storage needs of a service or cluster that is configured, whatever its engine. */
static void add_shared(struct paths *paths, const struct settings *settings,
	const struct storage_settings *storage)
{
	bool s3 = storage->s3_bucket[0] != '\0', rados = storage->rados_pool[0] != '\0';

	if (s3) {
		add(paths, settings->secret_dir, CONFINE_READ);
		add_folder_of(paths, storage->s3_ca, CONFINE_READ);
	}
	if (rados) {
		add_folder_of(paths, storage->rados_conf, CONFINE_READ);
		add_folder_of(paths, storage->rados_keyring, CONFINE_READ);
	}
	if (s3 || rados)
		add_folder(paths, storage->journal);
}

static void add_storages(
	struct paths *paths, const struct settings *settings, const char *instance, unsigned reach)
{
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];

		if ((reach & REACH_STORES) != 0)
			add_storage(paths, storage, CONFINE_READ);
		if ((reach & REACH_STORE) == 0 || strcmp(storage->name, instance) != 0)
			continue;
		add_storage(paths, storage, CONFINE_WRITE);
		add_shared(paths, settings, storage);
		add_socket(paths, storage->listen);
		add_socket(paths, storage->http_listen);
	}
}

static void add_own(struct paths *paths, const struct settings *settings, unsigned reach)
{
	const struct {
		unsigned reach;
		const char *file, *folder;
	} own[] = {
		{ REACH_CUTS, settings->cut_made, NULL },
		{ REACH_DELETE_LOG, settings->del_log, NULL },
		{ REACH_RECEIPTS, settings->cs_del_receipts, NULL },
		{ REACH_TRACKER_MEMORY, settings->tracker_memory, NULL },
		{ REACH_SESSIONS, NULL, settings->sess_check_folder },
		{ REACH_METADATA, NULL, settings->metadata_folder },
	};

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if ((reach & own[i].reach) == 0)
			continue;
		if (own[i].file != NULL)
			add_folder_of(paths, own[i].file, CONFINE_WRITE);
		else if (own[i].folder != NULL && own[i].folder[0] != '\0')
			add_folder(paths, own[i].folder);
	}
	if ((reach & REACH_SECRETS) != 0)
		add(paths, settings->secret_dir, CONFINE_READ);
	if ((reach & REACH_TLS) != 0) {
		add_folder_of(paths, settings->proxy.tls_certificate, CONFINE_READ);
		add_folder_of(paths, settings->proxy.tls_key, CONFINE_READ);
		add_folder_of(paths, settings->proxy.tls_client_ca, CONFINE_READ);
	}
}

/* Who can read secrets leaves no memory behind in a file. */
static void forbid_cores(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

int reach_confine(const struct settings *settings, const char *instance, const char *listen,
	unsigned reach, struct err *err)
{
	bool connects = (reach & REACH_NETWORK) != 0, confined = true;
	struct paths *paths;
	int result;

	if ((reach & (REACH_SECRETS | REACH_STORE | REACH_TLS)) != 0)
		forbid_cores();
	if (!settings->confine || WRITES_REPORTS)
		return 0;
	paths = calloc(1, sizeof *paths);
	if (paths == NULL)
		abort();
	add_system(paths, settings);
	add_sockets(paths, settings);
	add_socket(paths, listen);
	add_storages(paths, settings, instance == NULL ? "" : instance, reach);
	add_own(paths, settings, reach);
	result = confine_files(paths->all, paths->count, connects, &confined, err);
	for (size_t i = 0; i < paths->count; i++)
		free((char *)(uintptr_t)paths->all[i].path);
	free(paths);
	if (result == 0 && !confined)
		log_info("this kernel has no landlock: files are protected by their owners alone");
	return result == 0 ? confine_calls(err) : -1;
}
