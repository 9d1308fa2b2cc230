#include "service/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void privileges_prepare(void)
{
	struct rlimit files;

	umask(027);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static bool stays(const char *user)
{
	return user[0] == '\0' || geteuid() != 0;
}

static const struct passwd *find(const char *user, struct err *err)
{
	const struct passwd *entry = getpwnam(user);

	if (entry == NULL)
		err_set(err, ERR_CONFIG, "[picstore] user: there is no user '%.40s'", user);
	return entry;
}

int privileges_make_folder(const char *path, const char *user, struct err *err)
{
	const struct passwd *entry;
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (mkdir(path, 0755) != 0) {
		if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return 0; /* another daemon was quicker */
		return err_errno(err, "cannot make the folder %s", path);
	}
	/* The umask took a bit; `status` of any user may look for sockets here. */
	if (chmod(path, 0755) != 0)
		return err_errno(err, "cannot open up the folder %s", path);
	if (stays(user))
		return 0;
	entry = find(user, err);
	if (entry == NULL)
		return -1;
	if (chown(path, entry->pw_uid, entry->pw_gid) != 0)
		return err_errno(err, "cannot give the folder %s to %s", path, user);
	return 0;
}

int privileges_files_as(const char *user, struct err *err)
{
	const struct passwd *entry;

	if (stays(user))
		return 0;
	entry = find(user, err);
	if (entry == NULL)
		return -1;
	setfsgid(entry->pw_gid);
	setfsuid(entry->pw_uid);
	return 0;
}

int privileges_drop(const char *user, struct err *err)
{
	if (!stays(user)) {
		const struct passwd *entry = find(user, err);

		if (entry == NULL)
			return -1;
		if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
			setuid(entry->pw_uid) != 0)
			return err_errno(err, "cannot become user %s", user);
		if (entry->pw_uid != 0 && setuid(0) == 0)
			return err_set(err, ERR_INTERNAL, "root was given away but came back");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(err, "cannot renounce new privileges");
	return 0;
}
