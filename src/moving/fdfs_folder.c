#include "moving/fdfs_folder.h"

#include "core/crc32.h"
#include "moving/trunk_slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096, NAME_AT = 10, METADATA_MAX = 1 << 20 };

int fdfs_folder_check(const struct file_id *id, struct span content, struct err *err)
{
	if (id->kind != FILE_ID_NORMAL && id->kind != FILE_ID_TRUNK)
		return 0;
	if (content.len != id->size)
		return err_set(err, ERR_CORRUPT, "it has %zu bytes, its id says %" PRIu64,
			content.len, id->size);
	if (crc32_add(0, content) != id->crc && crc32_fastdfs_old(content) != id->crc)
		return err_set(err, ERR_CORRUPT,
			"its bytes do not have the CRC of its id, %08" PRIx32, id->crc);
	return 0;
}

static int file_path(const struct fdfs_folder *folder, const struct file_id *id, const char *name,
	const char *suffix, char out[PATH_LEN], struct err *err)
{
	if (id->path >= folder->path_count)
		return err_set(err, ERR_NOT_FOUND, "store path M%02X was not given", id->path);
	if (snprintf(out, PATH_LEN, "%s/data/%02X/%02X/%s%s", folder->paths[id->path], id->dir >> 8,
		    id->dir & 0xff, name, suffix) >= PATH_LEN)
		return err_set(err, ERR_BAD_REQUEST, "the path of a store path is too long");
	return 0;
}

static int open_file(const char *path, struct stat *st, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, ERR_NOT_FOUND, "there is no file %s", path);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return err_set(err, ERR_NOT_FOUND, "%s is not a regular file", path);
}

static int read_at(
	int fd, const char *path, uint64_t offset, uint64_t len, struct buf *out, struct err *err)
{
	uint8_t *room = len <= SIZE_MAX ? buf_reserve(out, (size_t)len) : NULL;

	if (room == NULL)
		return err_set(err, ERR_TOO_LARGE, "%s has %" PRIu64 " bytes", path, len);
	for (uint64_t have = 0; have < len;) {
		ssize_t n = pread(fd, room + have, (size_t)(len - have), (off_t)(offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "cannot read %s", path);
		if (n == 0)
			return err_set(err, ERR_CORRUPT, "%s ends too early", path);
		have += (uint64_t)n;
	}
	out->len += (size_t)len;
	return 0;
}

static int read_slot(
	int fd, const char *path, const struct file_id *id, struct buf *out, struct err *err)
{
	uint8_t head[TRUNK_SLOT_HEAD];
	ssize_t n;

	if (!trunk_slot_fits(id))
		return err_set(err, ERR_CORRUPT, "a file of %" PRIu64 " bytes fits no slot of %u",
			id->size, id->trunk_slot);
	n = pread(fd, head, sizeof head, (off_t)id->trunk_offset);
	if (n < 0)
		return err_errno(err, "cannot read %s", path);
	if (n != sizeof head)
		return err_set(err, ERR_CORRUPT, "%s ends before byte %u", path, id->trunk_offset);
	switch (trunk_slot_look(head, id)) {
	case TRUNK_SLOT_FREE:
		return err_set(err, ERR_NOT_FOUND, "its slot in %s is free", path);
	case TRUNK_SLOT_LINK:
		return err_set(err, ERR_UNSUPPORTED,
			"it is a link within a trunk file; take it from the running cluster "
			"(--from tracker)");
	case TRUNK_SLOT_OTHER:
		return err_set(err, ERR_NOT_FOUND, "its slot in %s has another file", path);
	case TRUNK_SLOT_FILE:
		break;
	}
	return read_at(fd, path, (uint64_t)id->trunk_offset + TRUNK_SLOT_HEAD, id->size, out, err);
}

int fdfs_folder_read(const struct fdfs_folder *folder, const struct file_id *id, struct buf *out,
	struct err *err)
{
	char path[PATH_LEN], trunk[16];
	size_t before = out->len;
	struct stat st;
	int fd, result;

	snprintf(trunk, sizeof trunk, "%06" PRIu32, id->trunk);
	if (file_path(folder, id, id->kind == FILE_ID_TRUNK ? trunk : id->name + NAME_AT, "", path,
		    err) != 0)
		return -1;
	fd = open_file(path, &st, err);
	if (fd < 0)
		return -1;
	if (id->kind == FILE_ID_TRUNK)
		result = read_slot(fd, path, id, out, err);
	else
		result = read_at(fd, path, 0, (uint64_t)st.st_size, out, err);
	close(fd);
	if (result == 0)
		result = fdfs_folder_check(id, span_of(out->data + before, out->len - before), err);
	if (result != 0)
		out->len = before;
	return result;
}

int fdfs_folder_metadata(const struct fdfs_folder *folder, const struct file_id *id,
	struct buf *out, struct err *err)
{
	char path[PATH_LEN];
	struct stat st;
	struct err why;
	int fd, result;

	if (file_path(folder, id, id->name + NAME_AT, "-m", path, err) != 0)
		return -1;
	fd = open_file(path, &st, &why);
	if (fd < 0 && why.code == ERR_NOT_FOUND)
		return 0;
	if (fd < 0)
		return err_set(err, why.code, "%s", why.text);
	if (st.st_size > METADATA_MAX)
		result = err_set(err, ERR_TOO_LARGE, "%s is not metadata", path);
	else
		result = read_at(fd, path, 0, (uint64_t)st.st_size, out, err);
	close(fd);
	return result;
}

/* ---- the walk ---- */

struct walk {
	const struct fdfs_folder *folder;
	bool (*found)(void *context, const struct file_id *id);
	void (*strange)(void *context, const char *path);
	void *context;
	bool go_on;
};

static bool is_trunk(const char *name)
{
	return strlen(name) >= 6 && strspn(name, "0123456789") == strlen(name) &&
	       strlen(name) <= 10;
}

static bool is_metadata(const struct walk *walk, const char *prefix, const char *name)
{
	size_t len = strlen(name);
	char whole[FILE_ID_NAME_MAX + 300];
	struct file_id id;

	if (len < 3 || strcmp(name + len - 2, "-m") != 0)
		return false;
	snprintf(whole, sizeof whole, "%s%.*s", prefix, (int)(len - 2), name);
	return file_id_parse_name(span_str(walk->folder->group), span_str(whole), &id);
}

static void look(struct walk *walk, const char *prefix, const char *dir, const char *name)
{
	char whole[FILE_ID_NAME_MAX + 300], path[PATH_LEN];
	struct file_id id;

	snprintf(whole, sizeof whole, "%s%s", prefix, name);
	if (is_metadata(walk, prefix, name) || is_trunk(name))
		return;
	if (file_id_parse_name(span_str(walk->folder->group), span_str(whole), &id)) {
		walk->go_on = walk->found(walk->context, &id);
		return;
	}
	if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path)
		walk->strange(walk->context, path);
}

static int walk_dir(struct walk *walk, size_t path, unsigned number, struct err *err)
{
	char dir[PATH_LEN], prefix[32];
	struct dirent *entry;
	DIR *open_dir;

	if (snprintf(dir, sizeof dir, "%s/data/%02X/%02X", walk->folder->paths[path], number >> 8,
		    number & 0xff) >= (int)sizeof dir)
		return err_set(err, ERR_BAD_REQUEST, "the path of a store path is too long");
	open_dir = opendir(dir);
	if (open_dir == NULL && errno == ENOENT)
		return 0;
	if (open_dir == NULL)
		return err_errno(err, "cannot list %s", dir);
	snprintf(prefix, sizeof prefix, "M%02X/%02X/%02X/", (unsigned)path & 0xff,
		number >> 8 & 0xff, number & 0xff);
	while (walk->go_on && (entry = readdir(open_dir)) != NULL)
		if (entry->d_name[0] != '.' && entry->d_type != DT_DIR)
			look(walk, prefix, dir, entry->d_name);
	closedir(open_dir);
	return 0;
}

int fdfs_folder_walk(const struct fdfs_folder *folder,
	bool (*found)(void *context, const struct file_id *id),
	void (*strange)(void *context, const char *path), void *context, struct err *err)
{
	struct walk walk = { folder, found, strange, context, true };

	for (size_t path = 0; path < folder->path_count; path++)
		for (unsigned number = 0; walk.go_on && number < 65536; number++) {
			char high[PATH_LEN];

			if (number % 256 == 0) {
				if (snprintf(high, sizeof high, "%s/data/%02X", folder->paths[path],
					    number >> 8) >= (int)sizeof high)
					return err_set(err, ERR_BAD_REQUEST, "a path is too long");
				if (access(high, F_OK) != 0) {
					number += 255;
					continue;
				}
			}
			if (walk_dir(&walk, path, number, err) != 0)
				return -1;
		}
	return 0;
}
