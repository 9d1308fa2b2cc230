#include "programs/tracker_server/cluster_memory.h"
#include "core/durable_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cluster_memory_put(const struct cluster *cluster, struct buf *out)
{
	for (size_t i = 0; i < cluster->count; i++)
		for (size_t j = 0; j < cluster->groups[i]->count; j++) {
			const struct cluster_storage *storage = cluster->groups[i]->storages[j];
			const struct fdfs_beat *beat = &storage->beat;

			buf_printf(out, "%s %s %s %u %" PRId64 " %s\n", beat->group, beat->id,
				beat->address.ip, beat->address.port, storage->joined,
				beat->shared ? "shared" : "own");
		}
}

static bool is_address(const char *text)
{
	uint8_t raw[16];

	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

static bool get_line(const char *line, struct fdfs_beat *beat, int64_t *joined)
{
	unsigned port;
	char engine[8];
	int end = 0;

	*beat = (struct fdfs_beat){ .state = FDFS_STATE_OFFLINE };
	if (sscanf(line, "%16[A-Za-z0-9] %16[!-~] %46[0-9a-fA-F:.] %5u %15" SCNd64 " %7[a-z]%n",
		    beat->group, beat->id, beat->address.ip, &port, joined, engine, &end) != 6 ||
		line[end] != '\0')
		return false;
	beat->address.port = (uint16_t)port;
	beat->shared = strcmp(engine, "shared") == 0;
	return port > 0 && port <= UINT16_MAX && *joined >= 0 && is_address(beat->address.ip) &&
	       (beat->shared || strcmp(engine, "own") == 0);
}

size_t cluster_memory_get(struct cluster *cluster, struct span text)
{
	size_t bad = 0;

	while (text.len > 0) {
		const uint8_t *newline = memchr(text.data, '\n', text.len);
		size_t len = newline != NULL ? (size_t)(newline - text.data) : text.len;
		struct fdfs_beat beat;
		char line[192] = "";
		int64_t joined = 0;

		if (len < sizeof line)
			memcpy(line, text.data, len);
		if (len >= sizeof line || memchr(line, '\0', len) != NULL ||
			!get_line(line, &beat, &joined) ||
			!cluster_remember(cluster, &beat, joined))
			bad++;
		if (newline != NULL)
			len++;
		text = span_of(text.data + len, text.len - len);
	}
	return bad;
}

int cluster_memory_load(struct cluster *cluster, const char *path, size_t *bad, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 1;
	struct buf text;

	*bad = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "%s", path);
	buf_init(&text, CLUSTER_MEMORY_MAX);
	while (got > 0 && buf_ok(&text)) {
		uint8_t *room = buf_reserve(&text, 4096);

		got = room != NULL ? read(fd, room, 4096) : 0;
		if (got > 0)
			text.len += (size_t)got;
	}
	if (got < 0)
		err_errno(err, "%s", path);
	close(fd);
	if (got == 0)
		*bad = cluster_memory_get(cluster, buf_span(&text));
	buf_fini(&text);
	return got < 0 ? -1 : 0;
}

static void make_folder(const char *path)
{
	char folder[4096];
	char *slash;

	snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return;
	*slash = '\0';
	if (mkdir(folder, 0755) == 0 || errno != ENOENT)
		return;
	make_folder(folder);
	mkdir(folder, 0755);
}

int cluster_memory_save(const struct cluster *cluster, const char *path, struct err *err)
{
	struct buf text;
	int result;

	make_folder(path);
	buf_init(&text, CLUSTER_MEMORY_MAX);
	cluster_memory_put(cluster, &text);
	if (buf_ok(&text))
		result = durable_file_write(path, buf_span(&text), 0644, err);
	else
		result = err_set(err, ERR_INTERNAL, "%s: more storages than it takes", path);
	buf_fini(&text);
	return result;
}
