/* engine_file.c - each picture in a file of its own, flushed with its folder.
 *
 * For benchmarks only: the rival that volumes are measured against, done as well as
 * it can be done with a few threads.  It lists nothing and bounds nothing.
 *
 *     PATH/data/HH/LL/<the name behind the last slash>        a picture
 *     PATH/data/HH/LL/<the name behind the last slash>.gone   a tombstone, empty */
#include "core/clock.h"
#include "core/crc32.h"
#include "store/engines.h"
#include "store/put_queue.h"
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { THREADS = 16, FILES_PER_FOLDER = 1000, STORES_MAX = 255, PATH_LEN = 512 };

struct engine_file {
	struct engine base;
	struct engine_conf conf;
	char group[FILE_ID_GROUP_MAX + 1];
	char *paths[STORES_MAX];
	_Atomic unsigned turn; /* counts puts: chooses store path and folder */
	unsigned base_folder;  /* where this process started to fill folders */

	struct put_queue *queue;
};

static void folder_of(const struct engine_file *self, const struct file_id *id, char *out)
{
	snprintf(out, PATH_LEN, "%s/data/%02X/%02X", self->paths[id->path], id->dir >> 8,
		id->dir & 255);
}

static void file_of(
	const struct engine_file *self, const struct file_id *id, const char *rest, char *out)
{
	snprintf(out, PATH_LEN, "%s/data/%02X/%02X/%s%s", self->paths[id->path], id->dir >> 8,
		id->dir & 255, strrchr(id->name, '/') + 1, rest);
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

static void make_folder(const struct engine_file *self, const struct file_id *id)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%s/data", self->paths[id->path]);
	if (mkdir(path, 0750) == 0)
		sync_folder(self->paths[id->path]);
	snprintf(path, sizeof path, "%s/data/%02X", self->paths[id->path], id->dir >> 8);
	mkdir(path, 0750);
	folder_of(self, id, path);
	mkdir(path, 0750);
	snprintf(path, sizeof path, "%s/data/%02X", self->paths[id->path], id->dir >> 8);
	sync_folder(path);
	snprintf(path, sizeof path, "%s/data", self->paths[id->path]);
	sync_folder(path);
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return 0;
}

static int store(struct engine_file *self, struct engine_put *put, struct err *err)
{
	char path[PATH_LEN], folder[PATH_LEN];
	int fd, rc;

	file_of(self, &put->id, "", path);
	folder_of(self, &put->id, folder);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0 && errno == ENOENT) {
		make_folder(self, &put->id);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	}
	if (fd < 0)
		return err_errno(err, "cannot make %s", path);
	rc = write_all(fd, put->content) != 0 || fsync(fd) != 0 || sync_folder(folder) != 0
		     ? err_errno(err, "cannot write %s", path)
		     : 0;
	close(fd);
	if (rc != 0)
		unlink(path);
	return rc;
}

static void put_now(void *context, struct engine_put *put)
{
	struct engine_file *self = context;
	unsigned turn = self->turn++;
	struct file_id *id = &put->id;

	*id = (struct file_id){
		.path = (uint8_t)(put->path == ENGINE_ANY_PATH ? turn % self->conf.path_count
							       : put->path),
		.dir = (uint16_t)(self->base_folder + turn / FILES_PER_FOLDER),
		.time = (uint32_t)self->conf.now(),
		.size = put->content.len,
		.random = randombytes_random() >> 9 | VOLUME_FIRST_SPOT, /* see names_have */
		.crc = put->crc,
	};
	strcpy(id->group, self->group);
	memcpy(id->source, self->conf.source, sizeof id->source);
	memcpy(id->ext, put->ext, FILE_ID_EXT_MAX);
	if (put->content.len > UINT32_MAX)
		err_set(&put->err, ERR_TOO_LARGE, "a picture of that size fits no id");
	else if (!file_id_make(id, randombytes_random()))
		err_set(&put->err, ERR_BAD_REQUEST, "that is not a file name extension");
	else
		store(self, put, &put->err);
	put->done(put);
}

/* Does `id` name a file here?  If so its path goes to `path`. */
static int find(struct engine_file *self, const struct file_id *id, char *path, struct err *err)
{
	struct stat st;

	if (id->kind != FILE_ID_NORMAL || id->path >= self->conf.path_count ||
		strcmp(id->group, self->group) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s in this store", id->name);
	file_of(self, id, ".gone", path);
	if (access(path, F_OK) == 0)
		return err_set(err, ERR_GONE, "%s has been deleted", id->name);
	file_of(self, id, "", path);
	if (stat(path, &st) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	if ((uint64_t)st.st_size != id->size)
		return err_set(err, ERR_CORRUPT, "%s has another size than its id", path);
	return 0;
}

static void remove_now(void *context, struct engine_remove *remove)
{
	struct engine_file *self = context;
	char path[PATH_LEN], gone[PATH_LEN], folder[PATH_LEN];

	if (find(self, &remove->id, path, &remove->err) == 0) {
		file_of(self, &remove->id, ".gone", gone);
		folder_of(self, &remove->id, folder);
		if (rename(path, gone) != 0 || truncate(gone, 0) != 0 || sync_folder(folder) != 0)
			err_errno(&remove->err, "cannot delete %s", path);
	}
	remove->done(remove);
}

static void put_file(struct engine *engine, struct engine_put *put)
{
	struct engine_file *self = (struct engine_file *)engine;

	if (self->conf.read_only) {
		err_set(&put->err, ERR_NOT_ALLOWED, "the store is open for reading only");
		put->done(put);
		return;
	}
	if (put->path != ENGINE_ANY_PATH && put->path >= self->conf.path_count) {
		err_set(&put->err, ERR_BAD_REQUEST, "there is no store path M%02X", put->path);
		put->done(put);
		return;
	}
	put_queue_put(self->queue, put);
}

static void remove_file(struct engine *engine, struct engine_remove *remove)
{
	struct engine_file *self = (struct engine_file *)engine;

	if (self->conf.read_only) {
		err_set(&remove->err, ERR_NOT_ALLOWED, "the store is open for reading only");
		remove->done(remove);
		return;
	}
	put_queue_remove(self->queue, remove);
}

static int get_file(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	struct engine_file *self = (struct engine_file *)engine;
	char path[PATH_LEN];
	size_t have = 0;
	uint8_t *to;
	ssize_t n = 1;
	int fd;

	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "files are read with waiting");
	if (find(self, id, path, err) != 0)
		return -1;
	if (id->size > out->limit - out->len)
		return err_set(err, ERR_TOO_LARGE, "%s is larger than is wanted here", id->name);
	to = buf_reserve(out, id->size);
	if (to == NULL)
		return err_set(err, ERR_INTERNAL, "memory has ended");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	while (have < id->size && (n = read(fd, to + have, id->size - have)) > 0)
		have += (size_t)n;
	close(fd);
	if (n < 0)
		return err_errno(err, "cannot read %s", path);
	if (have < id->size || crc32_add(0, span_of(to, id->size)) != id->crc)
		return err_set(
			err, ERR_CORRUPT, "the content of %s does not match its id", id->name);
	out->len += id->size;
	return 0;
}

static int stat_file(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	char path[PATH_LEN];

	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "files are read with waiting");
	if (find((struct engine_file *)engine, id, path, err) != 0)
		return -1;
	*out = (struct engine_stat){ id->size, id->crc, id->time };
	return 0;
}

static int space_file(struct engine *engine, struct engine_space *out, struct err *err)
{
	struct engine_file *self = (struct engine_file *)engine;

	*out = (struct engine_space){ 0 };
	for (size_t i = 0; i < self->conf.path_count; i++) {
		struct statvfs fs;

		if (statvfs(self->paths[i], &fs) != 0)
			return err_errno(err, "cannot ask %s for its space", self->paths[i]);
		out->path_free[i] = (uint64_t)fs.f_bavail * fs.f_frsize;
		out->total += (uint64_t)fs.f_blocks * fs.f_frsize;
		out->free += out->path_free[i];
	}
	return 0;
}

static void close_file(struct engine *engine)
{
	struct engine_file *self = (struct engine_file *)engine;

	put_queue_free(self->queue);
	for (size_t i = 0; i < self->conf.path_count; i++)
		free(self->paths[i]);
	free(self);
}

static struct engine *open_file(const struct engine_conf *conf, struct err *err)
{
	struct engine_file *self = calloc(1, sizeof *self);

	if (self == NULL || conf->path_count == 0 || conf->path_count > STORES_MAX ||
		!file_id_group_ok(span_str(conf->group))) {
		err_set(err, ERR_CONFIG, "there must be a group and 1 to %d store paths",
			STORES_MAX);
		free(self);
		return NULL;
	}
	self->base.ops = &engine_file;
	self->conf = *conf;
	if (self->conf.now == NULL)
		self->conf.now = clock_unix;
	strcpy(self->group, conf->group);
	self->base_folder = randombytes_random();
	for (size_t i = 0; i < conf->path_count; i++)
		self->paths[i] = strdup(conf->paths[i]);
	self->queue = put_queue_new(THREADS, put_now, remove_now, self);
	return &self->base;
}

const struct engine_ops engine_file = {
	.name = "file",
	.open = open_file,
	.close = close_file,
	.put = put_file,
	.remove = remove_file,
	.get = get_file,
	.stat = stat_file,
	.space = space_file,
};
