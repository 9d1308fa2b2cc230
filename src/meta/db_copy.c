#include "meta/db_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096, BUSY_MS = 5000, FILE_MODE = 0600 };

static int fail(sqlite3 *db, const char *path, struct err *err)
{
	int rc = sqlite3_errcode(db) & 0xff;

	return err_set(err,
		rc == SQLITE_FULL                             ? ERR_FULL
		: rc == SQLITE_BUSY                           ? ERR_BUSY
		: rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? ERR_CORRUPT
							      : ERR_IO,
		"cannot copy the database %s: %s", path, sqlite3_errmsg(db));
}

static int copy_pages(sqlite3 *source, sqlite3 *target, const char *from, struct err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(target, "main", source, "main");

	if (backup == NULL)
		return fail(target, from, err);
	sqlite3_backup_step(backup, -1);
	if (sqlite3_backup_finish(backup) != SQLITE_OK)
		return fail(target, from, err);
	return 0;
}

/* Copy, and leave one file: the target keeps no log beside it. */
static int copy_to(const char *from, const char *to, struct err *err)
{
	sqlite3 *source = NULL, *target = NULL;
	int result = -1;

	if (sqlite3_open_v2(from, &source,
		    SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
		    NULL) != SQLITE_OK) {
		fail(source, from, err);
	} else if (sqlite3_open_v2(to, &target,
			   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			   NULL) != SQLITE_OK) {
		fail(target, to, err);
	} else {
		sqlite3_busy_timeout(source, BUSY_MS);
		result = copy_pages(source, target, from, err);
		if (result == 0 && sqlite3_exec(target, "PRAGMA journal_mode = DELETE", NULL, NULL,
					   NULL) != SQLITE_OK)
			result = fail(target, to, err);
	}
	sqlite3_close(target);
	sqlite3_close(source);
	return result;
}

static int flush(const char *path, int flags, struct err *err)
{
	int fd = open(path, flags | O_CLOEXEC);
	int result = 0;

	if (fd < 0 || fsync(fd) != 0)
		result = err_errno(err, "cannot flush %s", path);
	if (fd >= 0)
		close(fd);
	return result;
}

int db_copy(const char *from, const char *to, struct err *err)
{
	char fresh[PATH_LEN];
	int fd;

	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", to) >= sizeof fresh)
		return err_set(err, ERR_CONFIG, "the path of a database is too long");
	if (access(from, F_OK) != 0)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no %s", from)
				       : err_errno(err, "cannot look for %s", from);
	unlink(fresh);
	/* Made here, for its mode: receipts and photos are nobody else's business. */
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return err_errno(err, "cannot make %s", fresh);
	close(fd);
	if (copy_to(from, fresh, err) != 0 || flush(fresh, O_RDWR, err) != 0) {
		unlink(fresh);
		return -1;
	}
	if (rename(fresh, to) != 0)
		return err_errno(err, "cannot replace %s", to);
	return 0;
}
