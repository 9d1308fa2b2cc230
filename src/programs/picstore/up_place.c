#include "programs/picstore/up_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "picstore_build.h"

int up_path(char out[UP_PATH], struct err *err, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(out, UP_PATH, format, args);
	va_end(args);
	if (len < 0 || len >= UP_PATH)
		return err_set(err, ERR_CONFIG, "the path %.60s... is longer than %d characters",
			out, UP_PATH - 1);
	return 0;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Cut off the last name of a path; false if there is none left. */
static bool parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

/* Files that come along: in the source tree above this program, or where they are
 * installed beside it. */
static int find_share(struct up_place *place, char tree[UP_PATH], struct err *err)
{
	char above[UP_PATH], file[UP_PATH + 40];

	memcpy(above, place->self, sizeof above);
	while (parent(above)) {
		snprintf(file, sizeof file, "%s/etc/picstore.vcl", above);
		if (is_file(file)) {
			memcpy(tree, above, UP_PATH);
			if (up_path(place->sample, err, "%s/samples/dandelion.jpg", above) < 0)
				return -1;
			return up_path(place->share, err, "%s/etc", above);
		}
		snprintf(file, sizeof file, "%s/share/picstore/picstore.vcl", above);
		if (is_file(file)) {
			if (up_path(place->sample, err, "%s/share/picstore/dandelion.jpg", above) <
				0)
				return -1;
			return up_path(place->share, err, "%s/share/picstore", above);
		}
	}
	return err_set(err, ERR_CONFIG,
		"picstore.vcl is neither in a source tree above %s nor in %s", place->self,
		PICSTORE_DATADIR);
}

static int choose_home(struct up_place *place, const char *home, const char *tree, struct err *err)
{
	const char *wanted = home != NULL ? home : getenv("PICSTORE_HOME");
	char here[UP_PATH];

	if (wanted != NULL && wanted[0] == '/')
		return up_path(place->home, err, "%s", wanted);
	if (wanted != NULL && wanted[0] != '\0') {
		if (getcwd(here, sizeof here) == NULL)
			return err_errno(err, "cannot tell which folder this is");
		return up_path(place->home, err, "%s/%s", here, wanted);
	}
	if (tree[0] != '\0')
		return up_path(place->home, err, "%s/var", tree);
	if (geteuid() == 0)
		return up_path(place->home, err, "/var/lib/picstore");
	if (getenv("HOME") == NULL)
		return err_set(err, ERR_CONFIG, "say where to keep everything: --home DIR");
	return up_path(place->home, err, "%s/.local/share/picstore", getenv("HOME"));
}

int up_place_find(struct up_place *place, const char *home, struct err *err)
{
	char tree[UP_PATH] = "";
	ssize_t len;

	*place = (struct up_place){ .lock = -1 };
	len = readlink("/proc/self/exe", place->self, sizeof place->self - 1);
	if (len < 0)
		return err_errno(err, "cannot tell where this program is");
	if (find_share(place, tree, err) < 0 || choose_home(place, home, tree, err) < 0)
		return -1;
	for (char *end = place->home + strlen(place->home) - 1; end > place->home && *end == '/';)
		*end-- = '\0';
	/* It is written into files of four programs, each with quoting rules of its own. */
	for (const char *c = place->home; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || strchr("\"'\\;#$,\x7f", *c) != NULL)
			return err_set(err, ERR_CONFIG,
				"the folder %s has a character in it that configuration files "
				"cannot hold; choose another with --home",
				place->home);
	return up_path(place->conf, err, "%s/etc/picstore.conf", place->home);
}

int up_place_program(
	const struct up_place *place, const char *name, char out[UP_PATH], struct err *err)
{
	static const char *const places[] = { "%s/%s", "%s/../%s/%s", "%s/../libexec/picstore/%s" };
	char folder[UP_PATH];
	const char *path = getenv("PATH");

	memcpy(folder, place->self, sizeof folder);
	parent(folder);
	/* beside us; in a build folder of its own; where it is installed; Debian's */
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (up_path(out, err, places[i], folder, name, name) < 0)
			return -1;
		if (access(out, X_OK) == 0 && is_file(out))
			return 0;
	}
	while (path != NULL && *path != '\0') {
		size_t len = strcspn(path, ":");

		if (up_path(out, err, "%.*s/%s", (int)len, path, name) < 0)
			return -1;
		if (out[0] == '/' && access(out, X_OK) == 0)
			return 0;
		path += len + (path[len] == ':');
	}
	return err_set(err, ERR_CONFIG, "the program %s is not installed", name);
}
