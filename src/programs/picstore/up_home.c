#include "programs/picstore/up_home.h"

#include "core/crc32.h"
#include "core/durable_file.h"
#include "service/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	SOCKET_DIR_MAX = 70, /* leaves room for a name within the 107 of a socket */
	LOCK_WAIT_MS = 20000,
	LOCK_STEP_MS = 50,
	FAST_FREE_MIN = 256 << 20, /* varnishd alone maps 80 MB */
	DES_SECRET_LEN = 8,
	JWT_SECRET_LEN = 48,
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	remove(path);
	return 0;
}

static void remove_folder(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* mkdir -p; whatever is there already stays as it is. */
static int make_folders(const char *path, mode_t mode, struct err *err)
{
	char part[UP_PATH];

	for (size_t i = 1;; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST && errno != EROFS)
			return err_errno(err, "cannot make the folder %s", part);
		if (path[i] == '\0')
			return 0;
	}
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = dir != NULL;

	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir != NULL)
		closedir(dir);
	return empty;
}

struct owner {
	char name[64];
	uid_t uid;
};

static void owner_set(struct owner *owner, const struct passwd *entry)
{
	/* The entry is in a place that the next look into the user database overwrites. */
	snprintf(owner->name, sizeof owner->name, "%s", entry->pw_name);
	owner->uid = entry->pw_uid;
}

/* As root: whom the home belongs to, after giving a new one to `user`. */
static int settle_owner(
	const struct up_place *place, const char *user, struct owner *owner, struct err *err)
{
	const struct passwd *entry;
	struct stat st;

	if (stat(place->home, &st) != 0)
		return err_errno(err, "cannot look at %s", place->home);
	if (st.st_uid != 0) {
		entry = getpwuid(st.st_uid);
		if (entry == NULL)
			return err_set(err, ERR_CONFIG, "%s belongs to user %u, who does not exist",
				place->home, st.st_uid);
		owner_set(owner, entry);
		return 0;
	}
	entry = getpwnam(user);
	if (entry == NULL)
		return err_set(err, ERR_CONFIG,
			"there is no user '%s' for the parts to run as; make it with: useradd "
			"--system --user-group --no-create-home %s",
			user, user);
	owner_set(owner, entry);
	if (owner->uid == 0)
		return 0;
	if (!is_empty(place->home))
		return err_set(err, ERR_CONFIG,
			"%s belongs to root and is not empty; give it to %s (chown -R), or choose "
			"another folder with --home",
			place->home, user);
	if (chown(place->home, entry->pw_uid, entry->pw_gid) != 0)
		return err_errno(err, "cannot give %s to %s", place->home, user);
	return 0;
}

int up_home_enter(struct up_place *place, const char *user, struct err *err)
{
	struct owner owner = { .uid = 0 };

	if (make_folders(place->home, 0755, err) < 0)
		return -1;
	if (geteuid() == 0) {
		if (settle_owner(place, user, &owner, err) < 0)
			return -1;
		if (owner.uid != 0 && privileges_drop(owner.name, err) < 0)
			return -1;
		if (geteuid() != owner.uid)
			return err_set(err, ERR_INTERNAL, "did not become user %s", owner.name);
	}
	if (access(place->self, X_OK) != 0 || access(place->share, R_OK | X_OK) != 0)
		return err_errno(err, "the user that the parts run as cannot read %s", place->self);
	if (access(place->home, R_OK | W_OK | X_OK) != 0)
		return err_errno(err,
			"the folder %s is not ours to write; choose another with --home",
			place->home);
	return 0;
}

/* A folder outside of the home that is ours alone. */
static int private_folder(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(err, "cannot make the folder %s", path);
	if (lstat(path, &st) != 0)
		return err_errno(err, "cannot look at %s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return err_set(err, ERR_NOT_ALLOWED,
			"%s is there already and is not a private folder of ours; remove it", path);
	return 0;
}

/* Names the home in folders that are shared by all. */
static unsigned home_number(const struct up_place *place)
{
	return crc32_add(0, span_str(place->home));
}

static int open_sockets(struct up_place *place, struct err *err)
{
	const char *session = getenv("XDG_RUNTIME_DIR");

	if (strlen(place->run) <= SOCKET_DIR_MAX)
		return up_path(place->sockets, err, "%s", place->run);
	if (session == NULL || session[0] != '/' || access(session, W_OK) != 0 ||
		strlen(session) > SOCKET_DIR_MAX - 20)
		session = "/tmp";
	if (up_path(place->sockets, err, "%s/picstore-%08x", session, home_number(place)) < 0)
		return -1;
	return private_folder(place->sockets, err);
}

static int open_fast(struct up_place *place, struct err *err)
{
	struct statvfs memory;
	struct err ignored;

	/* Containers often have only 64 MB there; a full one would end varnishd. */
	if (statvfs("/dev/shm", &memory) == 0 &&
		(uint64_t)memory.f_bavail * memory.f_frsize >= FAST_FREE_MIN &&
		up_path(place->fast, &ignored, "/dev/shm/picstore-%08x", home_number(place)) == 0 &&
		private_folder(place->fast, &ignored) == 0)
		return 0;
	if (up_path(place->fast, err, "%s/fast", place->run) < 0)
		return -1;
	return private_folder(place->fast, err);
}

/* Every part holds a copy of the lock: it is free when the last one has ended. */
static int wait_lock(const struct up_place *place, int fd, const char *path, struct err *err)
{
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK)
			return err_errno(err, "cannot lock %s", path);
		if (waited == 0) {
			char pid[16] = "";

			if (pread(fd, pid, sizeof pid - 1, 0) > 0 && atoi(pid) > 1 &&
				kill(atoi(pid), 0) == 0)
				return err_set(err, ERR_EXISTS,
					"picstore is up already in %s (process %d)", place->home,
					atoi(pid));
			printf("Waiting for an earlier one in %s to end\n", place->home);
			fflush(stdout);
		}
		if (waited >= LOCK_WAIT_MS)
			return err_set(err, ERR_EXISTS, "parts of an earlier start still run in %s",
				place->home);
		poll(NULL, 0, LOCK_STEP_MS);
	}
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return err_errno(err, "cannot write to %s", path);
	return 0;
}

static int take_lock(struct up_place *place, struct err *err)
{
	char path[UP_PATH];
	int fd;

	if (up_path(path, err, "%s/.lock", place->home) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (wait_lock(place, fd, path, err) < 0) {
		close(fd);
		return -1;
	}
	place->lock = fd;
	return 0;
}

int up_home_open(struct up_place *place, struct err *err)
{
	char data[UP_PATH], etc[UP_PATH];

	if (up_path(etc, err, "%s/etc", place->home) < 0 ||
		up_path(place->secret, err, "%s/secret", place->home) < 0 ||
		up_path(data, err, "%s/data", place->home) < 0 ||
		up_path(place->log, err, "%s/log", place->home) < 0 ||
		up_path(place->run, err, "%s/run", place->home) < 0 ||
		up_path(place->services, err, "%s/service", place->run) < 0)
		return -1;
	if (make_folders(etc, 0755, err) < 0 || make_folders(place->secret, 0700, err) < 0 ||
		make_folders(data, 0755, err) < 0 || make_folders(place->log, 0755, err) < 0 ||
		make_folders(place->run, 0755, err) < 0 || take_lock(place, err) < 0)
		return -1;
	remove_folder(place->services);
	if (make_folders(place->services, 0755, err) < 0 || open_sockets(place, err) < 0)
		return -1;
	return open_fast(place, err);
}

void up_home_close(struct up_place *place)
{
	if (place->lock < 0)
		return; /* what is there belongs to whoever has the lock */
	if (place->fast[0] != '\0')
		remove_folder(place->fast);
	if (place->sockets[0] != '\0' && strcmp(place->sockets, place->run) != 0)
		remove_folder(place->sockets);
	if (place->services[0] != '\0')
		remove_folder(place->services);
	close(place->lock);
	place->lock = -1;
}

/* Letters and digits, so that a key can be shown and typed where it has to be. */
static int make_secret(const char *path, size_t len, struct err *err)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t text[JWT_SECRET_LEN + 1];

	if (access(path, F_OK) == 0)
		return 0;
	if (getrandom(text, len, 0) != (ssize_t)len)
		return err_errno(err, "cannot get random bytes");
	for (size_t i = 0; i < len; i++)
		text[i] = (uint8_t)letters[text[i] % 64];
	text[len] = '\n';
	return durable_file_write(path, (struct span){ text, len + 1 }, 0600, err);
}

int up_home_secrets(const struct up_place *place, struct err *err)
{
	char path[UP_PATH];

	if (up_path(path, err, "%s/des", place->secret) < 0 ||
		make_secret(path, DES_SECRET_LEN, err) < 0 ||
		up_path(path, err, "%s/jwt", place->secret) < 0)
		return -1;
	return make_secret(path, JWT_SECRET_LEN, err);
}
