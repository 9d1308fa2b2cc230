#include "sim_inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { FDS_MAX = 512, FD_BASE = 1 << 20 };

/* Files in use, under the lock as all else here. */
static struct descriptor {
	bool used, append, locked;
	int node;
	size_t at;
} fds[FDS_MAX];

struct sim *sim_disk;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static enum { GATE_OPEN, GATE_SHUT, GATE_REACHED } gate;

void sim_enter(void)
{
	pthread_mutex_lock(&lock);
}

int sim_leave(int result)
{
	pthread_mutex_unlock(&lock);
	return result;
}

int sim_refuse(int why)
{
	pthread_mutex_unlock(&lock);
	errno = why;
	return -1;
}

void sim_happen(struct sim_event event)
{
	sim_add(sim_disk, event);
}

void sim_free(struct sim *of)
{
	if (of == NULL)
		return;
	if (of == sim_disk)
		sim_disk = NULL;
	sim_forget(of);
	free(of->events);
	sim_image_fini(&of->start);
	sim_image_fini(&of->now);
	free(of);
}

void sim_use(struct sim *use)
{
	sim_disk = use;
	memset(fds, 0, sizeof fds);
	gate = GATE_OPEN;
	disk = &sim_ops;
}

void sim_mark(unsigned what)
{
	sim_enter();
	sim_happen((struct sim_event){ .what = SIM_MARK, .number = what });
	sim_leave(0);
}

bool sim_is_open(int node)
{
	for (int i = 0; i < FDS_MAX; i++)
		if (fds[i].used && fds[i].node == node)
			return true;
	return false;
}

void sim_settle(struct sim *of)
{
	sim_forget(of);
	sim_image_sweep(&of->now, sim_is_open);
	sim_image_fini(&of->start);
	sim_image_copy(&of->start, &of->now);
}

static struct descriptor *of_fd(int fd)
{
	assert(fd >= FD_BASE && fd < FD_BASE + FDS_MAX && fds[fd - FD_BASE].used);
	return &fds[fd - FD_BASE];
}

/* --- files --- */

static int sim_open(const char *path, int flags, mode_t mode)
{
	char name[SIM_NAME_MAX];
	int folder, node, i;

	(void)mode;
	sim_enter();
	folder = sim_folder_of(path, name);
	if (folder == SIM_NONE)
		return sim_refuse(ENOENT);
	node = name[0] == '\0' ? folder : sim_image_find(&sim_disk->now, folder, name);
	if (node != SIM_NONE && (flags & O_EXCL))
		return sim_refuse(EEXIST);
	if (node == SIM_NONE && !(flags & O_CREAT))
		return sim_refuse(ENOENT);
	for (i = 0; i < FDS_MAX && fds[i].used; i++) {
	}
	if (i == FDS_MAX)
		return sim_refuse(EMFILE);
	if (node == SIM_NONE)
		node = sim_create(folder, name, false);
	else if ((flags & O_TRUNC) && sim_disk->now.nodes[node].size > 0)
		sim_happen((struct sim_event){ .what = SIM_TRUNCATE, .node = node });
	fds[i] = (struct descriptor){ .used = true, .append = flags & O_APPEND, .node = node };
	return sim_leave(FD_BASE + i);
}

static int sim_close(int fd)
{
	sim_enter();
	*of_fd(fd) = (struct descriptor){ 0 };
	return sim_leave(0);
}

static int sim_flock(int fd, int operation)
{
	struct descriptor *mine;

	sim_enter();
	mine = of_fd(fd);
	mine->locked = false;
	if (operation == LOCK_UN)
		return sim_leave(0);
	for (int i = 0; i < FDS_MAX; i++)
		if (fds[i].used && fds[i].locked && fds[i].node == mine->node)
			return sim_refuse(EWOULDBLOCK);
	mine->locked = true;
	return sim_leave(0);
}

static ssize_t sim_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	const struct sim_node *node;
	ssize_t done = 0;

	(void)flags;
	sim_enter();
	node = &sim_disk->now.nodes[of_fd(fd)->node];
	for (int i = 0; i < count; i++) {
		size_t at = (size_t)offset + (size_t)done, len = iov[i].iov_len;

		if (at >= node->size)
			break;
		if (len > node->size - at)
			len = node->size - at;
		memcpy(iov[i].iov_base, sim_image_read(&sim_disk->now, of_fd(fd)->node) + at, len);
		done += (ssize_t)len;
	}
	sim_leave(0);
	return done;
}

static void write_at(int node, size_t offset, const void *data, size_t len)
{
	uint8_t *bytes;

	if (len == 0)
		return;
	bytes = malloc(len);
	assert(bytes != NULL);
	memcpy(bytes, data, len);
	sim_happen((struct sim_event){
		.what = SIM_WRITE, .node = node, .offset = offset, .len = len, .bytes = bytes });
}

static ssize_t sim_write(int fd, const void *data, size_t len)
{
	struct descriptor *file;

	sim_enter();
	file = of_fd(fd);
	if (file->append)
		file->at = sim_disk->now.nodes[file->node].size;
	write_at(file->node, file->at, data, len);
	file->at += len;
	sim_leave(0);
	return (ssize_t)len;
}

static ssize_t sim_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	off_t at = offset;

	sim_enter();
	for (int i = 0; i < count; i++) {
		write_at(of_fd(fd)->node, (size_t)at, iov[i].iov_base, iov[i].iov_len);
		at += (off_t)iov[i].iov_len;
	}
	sim_leave(0);
	return (ssize_t)(at - offset);
}

static int flush(int fd, int what)
{
	int node = of_fd(fd)->node;

	sim_happen((struct sim_event){ .what = what,
		.node = node,
		.folder = node,
		.is_folder = sim_disk->now.nodes[node].is_folder });
	return sim_leave(0);
}

static int sim_fdatasync(int fd)
{
	sim_enter();
	if (gate == GATE_SHUT) {
		gate = GATE_REACHED;
		pthread_cond_broadcast(&changed);
		while (gate != GATE_OPEN)
			pthread_cond_wait(&changed, &lock);
	}
	return flush(fd, SIM_FLUSH);
}

static int sim_fsync(int fd)
{
	sim_enter();
	return flush(fd, SIM_FLUSH);
}

int sim_fail_flush(int fd)
{
	sim_enter();
	flush(fd, SIM_FLUSH_FAIL);
	errno = EIO;
	return -1;
}

static int sim_fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct sim_event event = { .offset = (size_t)offset, .len = (size_t)len };

	sim_enter();
	event.node = of_fd(fd)->node;
	if (mode == 0) {
		event.what = SIM_GROW;
		event.offset += event.len;
	} else {
		assert(mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
		event.what = SIM_PUNCH;
	}
	sim_happen(event);
	return sim_leave(0);
}

static int sim_ftruncate(int fd, off_t len)
{
	sim_enter();
	sim_happen((struct sim_event){
		.what = SIM_TRUNCATE, .node = of_fd(fd)->node, .offset = (size_t)len });
	return sim_leave(0);
}

void sim_fill_stat(int at, struct stat *st)
{
	const struct sim_node *node = &sim_disk->now.nodes[at];

	*st = (struct stat){
		.st_ino = node->number,
		.st_dev = 77,
		.st_size = (off_t)node->size,
		.st_nlink = 1,
		.st_mode = node->is_folder ? S_IFDIR | 0700 : S_IFREG | 0600,
	};
}

static int sim_fstat(int fd, struct stat *st)
{
	sim_enter();
	sim_fill_stat(of_fd(fd)->node, st);
	return sim_leave(0);
}

/* What is zero is a hole, which a real disk may say or not. */
static off_t sim_lseek(int fd, off_t offset, int whence)
{
	struct descriptor *file;
	const struct sim_node *node;
	size_t at = (size_t)offset;

	sim_enter();
	file = of_fd(fd);
	node = &sim_disk->now.nodes[file->node];
	if (whence == SEEK_END) {
		file->at = node->size + at;
		sim_leave(0);
		return (off_t)file->at;
	}
	assert(whence == SEEK_DATA);
	while (at < node->size && sim_image_read(&sim_disk->now, file->node)[at] == 0)
		at++;
	if (at >= node->size)
		return sim_refuse(ENXIO);
	at = at / 4096 * 4096;
	sim_leave(0);
	return (off_t)at > offset ? (off_t)at : offset;
}

/* --- the table --- */

const struct disk_ops sim_ops = {
	.open = sim_open,
	.close = sim_close,
	.flock = sim_flock,
	.preadv2 = sim_preadv2,
	.write = sim_write,
	.pwritev = sim_pwritev,
	.fdatasync = sim_fdatasync,
	.fsync = sim_fsync,
	.fallocate = sim_fallocate,
	.ftruncate = sim_ftruncate,
	.fstat = sim_fstat,
	.stat = sim_stat,
	.lseek = sim_lseek,
	.mkdir = sim_mkdir,
	.link = sim_link,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.list = sim_list,
	.statvfs = sim_statvfs,
};

/* --- the gate --- */

void sim_gate_shut(void)
{
	sim_enter();
	gate = GATE_SHUT;
	sim_leave(0);
}

void sim_gate_wait(void)
{
	sim_enter();
	while (gate == GATE_SHUT)
		pthread_cond_wait(&changed, &lock);
	sim_leave(0);
}

void sim_gate_open(void)
{
	sim_enter();
	gate = GATE_OPEN;
	pthread_cond_broadcast(&changed);
	sim_leave(0);
}
