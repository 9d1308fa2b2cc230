#include "service/settings.h"

#include "service/settings_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "picstore_build.h"

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
	if (result == 0 && (result = settings_check(settings, err)) != 0)
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

bool settings_are_shared(const struct storage_settings *storage)
{
	return storage->engine == STORAGE_ENGINE_S3 || storage->engine == STORAGE_ENGINE_RADOS;
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
