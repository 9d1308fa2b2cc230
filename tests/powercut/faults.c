#include "faults.h"

#include "core/disk.h"
#include "sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SHORT = -1 }; /* in the place of an errno: half of it */

/* Of the caller's threads only one is in the table at a time that matters: while the
 * engine's thread works, the test waits for it. */
static _Atomic size_t calls;
static size_t turn;
static unsigned way;
static char done[80];

static int fault(const char *name, const int *errors)
{
	size_t count = 0;

	if (calls++ != turn || done[0] != '\0')
		return 0;
	while (errors[count] != 0)
		count++;
	if (way >= count)
		return 0;
	snprintf(done, sizeof done, "%s: %s", name,
		errors[way] == SHORT ? "short" : strerrorname_np(errors[way]));
	errno = errors[way];
	return errors[way];
}

static const int reading[] = { EIO, EINTR, SHORT, ENOMEM, 0 };
static const int writing[] = { EIO, ENOSPC, EINTR, EDQUOT, SHORT, 0 };
static const int writing_whole[] = { EIO, ENOSPC, EINTR, EDQUOT, 0 };
static const int naming[] = { EIO, ENOSPC, EROFS, 0 };
static const int flushing[] = { EIO, 0 };
static const int asking[] = { EIO, ENOMEM, 0 };

static int faulty_open(const char *path, int flags, mode_t mode)
{
	static const int old[] = { EMFILE, ENFILE, EIO, ENOMEM, EINTR, 0 };
	static const int new[] = { EMFILE, ENFILE, EIO, ENOSPC, EINTR, 0 };

	return fault("open", flags & O_CREAT ? new : old) != 0 ? -1
							       : sim_ops.open(path, flags, mode);
}

static int faulty_flock(int fd, int operation)
{
	static const int errors[] = { EINTR, ENOLCK, 0 };

	return fault("flock", errors) != 0 ? -1 : sim_ops.flock(fd, operation);
}

/* Half of the first piece. */
static struct iovec half(const struct iovec *iov)
{
	return (struct iovec){ iov->iov_base, (iov->iov_len + 1) / 2 };
}

static ssize_t faulty_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	int error = fault("preadv2", reading);
	struct iovec part;

	if (error == SHORT && count > 0) {
		part = half(iov);
		return sim_ops.preadv2(fd, &part, 1, offset, flags);
	}
	return error != 0 ? -1 : sim_ops.preadv2(fd, iov, count, offset, flags);
}

/* Linux writes by pages, and a write inside of one is not cut: so a short one ends at the
 * border of a sector, which is the worst that is left. */
static ssize_t faulty_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	off_t border = (offset / SIM_SECTOR + 1) * SIM_SECTOR, end = offset;
	size_t left = (size_t)(border - offset);
	struct iovec part;
	ssize_t put, all = 0;
	int error;

	for (int i = 0; i < count; i++)
		end += (off_t)iov[i].iov_len;
	error = fault("pwritev", end > border ? writing : writing_whole);
	if (error != SHORT)
		return error != 0 ? -1 : sim_ops.pwritev(fd, iov, count, offset);
	for (; left > 0; iov++) {
		part = (struct iovec){ iov->iov_base, iov->iov_len < left ? iov->iov_len : left };
		put = sim_ops.pwritev(fd, &part, 1, offset + all);
		all += put;
		left -= (size_t)put;
	}
	return all;
}

static ssize_t faulty_write(int fd, const void *data, size_t len)
{
	int error = fault("write", writing);

	if (error == SHORT)
		return sim_ops.write(fd, data, (len + 1) / 2);
	return error != 0 ? -1 : sim_ops.write(fd, data, len);
}

static int faulty_fdatasync(int fd)
{
	return fault("fdatasync", flushing) != 0 ? sim_fail_flush(fd) : sim_ops.fdatasync(fd);
}

static int faulty_fsync(int fd)
{
	return fault("fsync", flushing) != 0 ? sim_fail_flush(fd) : sim_ops.fsync(fd);
}

static int faulty_fallocate(int fd, int mode, off_t offset, off_t len)
{
	static const int errors[] = { ENOSPC, EIO, EOPNOTSUPP, EINTR, 0 };

	return fault("fallocate", errors) != 0 ? -1 : sim_ops.fallocate(fd, mode, offset, len);
}

static int faulty_ftruncate(int fd, off_t len)
{
	return fault("ftruncate", naming) != 0 ? -1 : sim_ops.ftruncate(fd, len);
}

static int faulty_fstat(int fd, struct stat *st)
{
	return fault("fstat", asking) != 0 ? -1 : sim_ops.fstat(fd, st);
}

static int faulty_stat(const char *path, struct stat *st)
{
	return fault("stat", asking) != 0 ? -1 : sim_ops.stat(path, st);
}

static off_t faulty_lseek(int fd, off_t offset, int whence)
{
	return fault("lseek", asking) != 0 ? -1 : sim_ops.lseek(fd, offset, whence);
}

static int faulty_mkdir(const char *path, mode_t mode)
{
	return fault("mkdir", naming) != 0 ? -1 : sim_ops.mkdir(path, mode);
}

static int faulty_link(const char *from, const char *to)
{
	return fault("link", naming) != 0 ? -1 : sim_ops.link(from, to);
}

static int faulty_rename(const char *from, const char *to)
{
	return fault("rename", naming) != 0 ? -1 : sim_ops.rename(from, to);
}

static int faulty_unlink(const char *path)
{
	return fault("unlink", naming) != 0 ? -1 : sim_ops.unlink(path);
}

static int faulty_list(
	const char *path, void (*found)(void *context, const char *name), void *context)
{
	static const int errors[] = { EMFILE, EIO, ENOMEM, 0 };

	return fault("list", errors) != 0 ? -1 : sim_ops.list(path, found, context);
}

static int faulty_statvfs(const char *path, struct statvfs *out)
{
	return fault("statvfs", asking) != 0 ? -1 : sim_ops.statvfs(path, out);
}

static struct disk_ops faulty;

void faults_set(size_t at, unsigned the_way)
{
	faulty = sim_ops;
	faulty.open = faulty_open;
	faulty.flock = faulty_flock;
	faulty.preadv2 = faulty_preadv2;
	faulty.write = faulty_write;
	faulty.pwritev = faulty_pwritev;
	faulty.fdatasync = faulty_fdatasync;
	faulty.fsync = faulty_fsync;
	faulty.fallocate = faulty_fallocate;
	faulty.ftruncate = faulty_ftruncate;
	faulty.fstat = faulty_fstat;
	faulty.stat = faulty_stat;
	faulty.lseek = faulty_lseek;
	faulty.mkdir = faulty_mkdir;
	faulty.link = faulty_link;
	faulty.rename = faulty_rename;
	faulty.unlink = faulty_unlink;
	faulty.list = faulty_list;
	faulty.statvfs = faulty_statvfs;
	calls = 0;
	turn = at;
	way = the_way;
	done[0] = '\0';
	disk = &faulty;
}

size_t faults_stop(void)
{
	disk = &sim_ops;
	return calls;
}

const char *faults_done(void)
{
	return done[0] == '\0' ? NULL : done;
}
