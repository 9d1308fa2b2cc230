#include "sim_event.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

enum { FDS_MAX = 512, FD_BASE = 1 << 20 };

/* Files in use, under the lock as all else here. */
static struct descriptor {
	bool used, append, locked;
	int node;
	size_t at;
} fds[FDS_MAX];

static struct sim *sim;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static enum { GATE_OPEN, GATE_SHUT, GATE_REACHED } gate;

static void enter(void)
{
	pthread_mutex_lock(&lock);
}

static int leave(int result)
{
	pthread_mutex_unlock(&lock);
	return result;
}

static int refuse(int why)
{
	pthread_mutex_unlock(&lock);
	errno = why;
	return -1;
}

/* --- events --- */

void sim_apply(struct sim_image *image, const struct sim_event *event)
{
	switch (event->what) {
	case SIM_CREATE: {
		int node = sim_image_add(image, event->is_folder, event->number);

		assert(node == event->node);
		break;
	}
	case SIM_WRITE:
		sim_image_write(image, event->node, event->offset, event->bytes, event->len);
		break;
	case SIM_GROW:
		if (event->offset > image->nodes[event->node].size)
			sim_image_resize(image, event->node, event->offset);
		break;
	case SIM_TRUNCATE:
		sim_image_resize(image, event->node, event->offset);
		break;
	case SIM_PUNCH:
		sim_image_zero(image, event->node, event->offset, event->len);
		break;
	case SIM_NAME:
		sim_image_set(image, event->folder, event->name, event->node);
		break;
	case SIM_RENAME:
		sim_image_set(image, event->folder, event->name, event->node);
		if (sim_image_find(image, event->folder, event->from) == event->node)
			sim_image_unset(image, event->folder, event->from);
		break;
	case SIM_UNNAME:
		sim_image_unset(image, event->folder, event->name);
		break;
	case SIM_FLUSH:
	case SIM_FLUSH_FAIL:
	case SIM_MARK:
		break;
	}
}

static void happen(struct sim_event event)
{
	if (sim->count == sim->cap) {
		sim->cap = sim->cap == 0 ? 256 : sim->cap * 2;
		sim->events = realloc(sim->events, sim->cap * sizeof sim->events[0]);
		assert(sim->events != NULL);
	}
	sim->events[sim->count++] = event;
	sim_apply(&sim->now, &event);
}

static void forget_events(struct sim *of)
{
	for (size_t i = 0; i < of->count; i++)
		free(of->events[i].bytes);
	of->count = 0;
}

struct sim *sim_new(void)
{
	struct sim *made = calloc(1, sizeof *made);

	assert(made != NULL);
	sim_image_init(&made->start);
	sim_image_init(&made->now);
	return made;
}

void sim_free(struct sim *of)
{
	if (of == NULL)
		return;
	if (of == sim)
		sim = NULL;
	forget_events(of);
	free(of->events);
	sim_image_fini(&of->start);
	sim_image_fini(&of->now);
	free(of);
}

void sim_use(struct sim *use)
{
	sim = use;
	memset(fds, 0, sizeof fds);
	gate = GATE_OPEN;
	disk = &sim_ops;
}

void sim_mark(unsigned what)
{
	enter();
	happen((struct sim_event){ .what = SIM_MARK, .number = what });
	leave(0);
}

size_t sim_event_count(const struct sim *of)
{
	return of->count;
}

bool sim_event_mark(const struct sim *of, size_t at, unsigned *what)
{
	if (of->events[at].what != SIM_MARK)
		return false;
	*what = of->events[at].number;
	return true;
}

static bool is_open(int node)
{
	for (int i = 0; i < FDS_MAX; i++)
		if (fds[i].used && fds[i].node == node)
			return true;
	return false;
}

void sim_settle(struct sim *of)
{
	forget_events(of);
	sim_image_sweep(&of->now, is_open);
	sim_image_fini(&of->start);
	sim_image_copy(&of->start, &of->now);
}

uint64_t sim_hash(const struct sim *of)
{
	return sim_image_hash(&of->now);
}

/* --- paths --- */

/* Find the folder and the last name of `path`; SIM_NONE if a folder is missing. */
static int folder_of(const char *path, char name[SIM_NAME_MAX])
{
	int at = SIM_ROOT;

	assert(path[0] == '/');
	for (;;) {
		size_t len;

		while (*path == '/')
			path++;
		len = strcspn(path, "/");
		assert(len < SIM_NAME_MAX);
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		if (*path == '\0')
			return at;
		at = sim_image_find(&sim->now, at, name);
		if (at == SIM_NONE || !sim->now.nodes[at].is_folder)
			return SIM_NONE;
	}
}

static int find(const char *path)
{
	char name[SIM_NAME_MAX];
	int folder = folder_of(path, name);

	if (folder == SIM_NONE || name[0] == '\0')
		return folder;
	return sim_image_find(&sim->now, folder, name);
}

/* The lowest number that no file has: real disks use them again, too. */
static unsigned free_number(void)
{
	bool used[1024] = { false };

	sim_image_sweep(&sim->now, is_open);
	for (size_t i = 0; i < sim->now.count; i++)
		if (!sim->now.nodes[i].is_gone)
			used[sim->now.nodes[i].number % 1024] = true;
	for (unsigned i = 11; i < 1024; i++)
		if (!used[i])
			return i;
	abort();
}

static int create(int folder, const char *name, bool is_folder)
{
	struct sim_event event = {
		.what = SIM_CREATE,
		.node = (int)sim->now.count,
		.number = free_number(),
		.is_folder = is_folder,
	};

	happen(event);
	event.what = SIM_NAME;
	event.folder = folder;
	strcpy(event.name, name);
	happen(event);
	return event.node;
}

static struct descriptor *of_fd(int fd)
{
	assert(fd >= FD_BASE && fd < FD_BASE + FDS_MAX && fds[fd - FD_BASE].used);
	return &fds[fd - FD_BASE];
}

/* --- the table --- */

static int sim_open(const char *path, int flags, mode_t mode)
{
	char name[SIM_NAME_MAX];
	int folder, node, i;

	(void)mode;
	enter();
	folder = folder_of(path, name);
	if (folder == SIM_NONE)
		return refuse(ENOENT);
	node = name[0] == '\0' ? folder : sim_image_find(&sim->now, folder, name);
	if (node != SIM_NONE && (flags & O_EXCL))
		return refuse(EEXIST);
	if (node == SIM_NONE && !(flags & O_CREAT))
		return refuse(ENOENT);
	for (i = 0; i < FDS_MAX && fds[i].used; i++) {
	}
	if (i == FDS_MAX)
		return refuse(EMFILE);
	if (node == SIM_NONE)
		node = create(folder, name, false);
	else if ((flags & O_TRUNC) && sim->now.nodes[node].size > 0)
		happen((struct sim_event){ .what = SIM_TRUNCATE, .node = node });
	fds[i] = (struct descriptor){ .used = true, .append = flags & O_APPEND, .node = node };
	return leave(FD_BASE + i);
}

static int sim_close(int fd)
{
	enter();
	*of_fd(fd) = (struct descriptor){ 0 };
	return leave(0);
}

static int sim_flock(int fd, int operation)
{
	struct descriptor *mine;

	enter();
	mine = of_fd(fd);
	mine->locked = false;
	if (operation == LOCK_UN)
		return leave(0);
	for (int i = 0; i < FDS_MAX; i++)
		if (fds[i].used && fds[i].locked && fds[i].node == mine->node)
			return refuse(EWOULDBLOCK);
	mine->locked = true;
	return leave(0);
}

static ssize_t sim_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	const struct sim_node *node;
	ssize_t done = 0;

	(void)flags;
	enter();
	node = &sim->now.nodes[of_fd(fd)->node];
	for (int i = 0; i < count; i++) {
		size_t at = (size_t)offset + (size_t)done, len = iov[i].iov_len;

		if (at >= node->size)
			break;
		if (len > node->size - at)
			len = node->size - at;
		memcpy(iov[i].iov_base, sim_image_read(&sim->now, of_fd(fd)->node) + at, len);
		done += (ssize_t)len;
	}
	leave(0);
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
	happen((struct sim_event){
		.what = SIM_WRITE, .node = node, .offset = offset, .len = len, .bytes = bytes });
}

static ssize_t sim_write(int fd, const void *data, size_t len)
{
	struct descriptor *file;

	enter();
	file = of_fd(fd);
	if (file->append)
		file->at = sim->now.nodes[file->node].size;
	write_at(file->node, file->at, data, len);
	file->at += len;
	leave(0);
	return (ssize_t)len;
}

static ssize_t sim_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	off_t at = offset;

	enter();
	for (int i = 0; i < count; i++) {
		write_at(of_fd(fd)->node, (size_t)at, iov[i].iov_base, iov[i].iov_len);
		at += (off_t)iov[i].iov_len;
	}
	leave(0);
	return (ssize_t)(at - offset);
}

static int flush(int fd, int what)
{
	int node = of_fd(fd)->node;

	happen((struct sim_event){ .what = what,
		.node = node,
		.folder = node,
		.is_folder = sim->now.nodes[node].is_folder });
	return leave(0);
}

static int sim_fdatasync(int fd)
{
	enter();
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
	enter();
	return flush(fd, SIM_FLUSH);
}

int sim_fail_flush(int fd)
{
	enter();
	flush(fd, SIM_FLUSH_FAIL);
	errno = EIO;
	return -1;
}

static int sim_fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct sim_event event = { .offset = (size_t)offset, .len = (size_t)len };

	enter();
	event.node = of_fd(fd)->node;
	if (mode == 0) {
		event.what = SIM_GROW;
		event.offset += event.len;
	} else {
		assert(mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
		event.what = SIM_PUNCH;
	}
	happen(event);
	return leave(0);
}

static int sim_ftruncate(int fd, off_t len)
{
	enter();
	happen((struct sim_event){
		.what = SIM_TRUNCATE, .node = of_fd(fd)->node, .offset = (size_t)len });
	return leave(0);
}

static void fill_stat(int at, struct stat *st)
{
	const struct sim_node *node = &sim->now.nodes[at];

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
	enter();
	fill_stat(of_fd(fd)->node, st);
	return leave(0);
}

static int sim_stat(const char *path, struct stat *st)
{
	int node;

	enter();
	node = find(path);
	if (node == SIM_NONE)
		return refuse(ENOENT);
	fill_stat(node, st);
	return leave(0);
}

/* What is zero is a hole, which a real disk may say or not. */
static off_t sim_lseek(int fd, off_t offset, int whence)
{
	struct descriptor *file;
	const struct sim_node *node;
	size_t at = (size_t)offset;

	enter();
	file = of_fd(fd);
	node = &sim->now.nodes[file->node];
	if (whence == SEEK_END) {
		file->at = node->size + at;
		leave(0);
		return (off_t)file->at;
	}
	assert(whence == SEEK_DATA);
	while (at < node->size && sim_image_read(&sim->now, file->node)[at] == 0)
		at++;
	if (at >= node->size)
		return refuse(ENXIO);
	at = at / 4096 * 4096;
	leave(0);
	return (off_t)at > offset ? (off_t)at : offset;
}

static int sim_mkdir(const char *path, mode_t mode)
{
	char name[SIM_NAME_MAX];
	int folder;

	(void)mode;
	enter();
	folder = folder_of(path, name);
	if (folder == SIM_NONE)
		return refuse(ENOENT);
	if (name[0] == '\0' || sim_image_find(&sim->now, folder, name) != SIM_NONE)
		return refuse(EEXIST);
	create(folder, name, true);
	return leave(0);
}

static int sim_link(const char *from, const char *to)
{
	struct sim_event event = { .what = SIM_NAME };

	enter();
	event.node = find(from);
	event.folder = folder_of(to, event.name);
	if (event.node == SIM_NONE || event.folder == SIM_NONE)
		return refuse(ENOENT);
	if (sim_image_find(&sim->now, event.folder, event.name) != SIM_NONE)
		return refuse(EEXIST);
	happen(event);
	return leave(0);
}

static int sim_rename(const char *from, const char *to)
{
	struct sim_event event = { .what = SIM_RENAME };
	int folder;

	enter();
	event.node = find(from);
	folder = folder_of(from, event.from);
	event.folder = folder_of(to, event.name);
	if (event.node == SIM_NONE || event.folder == SIM_NONE)
		return refuse(ENOENT);
	assert(folder == event.folder);
	happen(event);
	return leave(0);
}

static int sim_unlink(const char *path)
{
	struct sim_event event = { .what = SIM_UNNAME };

	enter();
	event.folder = folder_of(path, event.name);
	if (event.folder == SIM_NONE ||
		sim_image_find(&sim->now, event.folder, event.name) == SIM_NONE)
		return refuse(ENOENT);
	happen(event);
	return leave(0);
}

static int sim_list(const char *path, void (*found)(void *context, const char *name), void *context)
{
	int node;

	enter();
	node = find(path);
	if (node == SIM_NONE)
		return refuse(ENOENT);
	if (!sim->now.nodes[node].is_folder)
		return refuse(ENOTDIR);
	for (size_t i = 0; i < sim->now.nodes[node].entry_count; i++)
		found(context, sim->now.nodes[node].entries[i].name);
	return leave(0);
}

static int sim_statvfs(const char *path, struct statvfs *out)
{
	(void)path;
	*out = (struct statvfs){
		.f_frsize = 4096, .f_blocks = 1 << 28, .f_bfree = 1 << 28, .f_bavail = 1 << 28
	};
	return 0;
}

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
	enter();
	gate = GATE_SHUT;
	leave(0);
}

void sim_gate_wait(void)
{
	enter();
	while (gate == GATE_SHUT)
		pthread_cond_wait(&changed, &lock);
	leave(0);
}

void sim_gate_open(void)
{
	enter();
	gate = GATE_OPEN;
	pthread_cond_broadcast(&changed);
	leave(0);
}
