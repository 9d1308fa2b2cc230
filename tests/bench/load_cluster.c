/* load_cluster - puts, gets and deletes files as clients of FastDFS do: each time the
 * tracker is asked first.  It runs against ours and against FastDFS's own.
 *
 *     load_cluster -t HOST:PORT -k put -c CONNECTIONS -n COUNT -s SIZE -g GROUP LIST
 *     load_cluster -t HOST:PORT -k get|delete -c CONNECTIONS LIST
 *
 * A thread for each connection, to the tracker and to every storage that it names; all
 * stay open.  No two files are the same.  Size and CRC in every id must be those of what was
 * sent, each get must have its length, and of every eighth the CRC is compared.
 *
 * put writes a line "/ID LENGTH CRC32" for each into LIST, the others read it.
 * Prints the report of load.h.  Exit status 1 if an answer was wrong. */
#include "load.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/crc32.h"
#include "core/file_id.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	HEADER_LEN = 10,
	CMD_PUT = 11,
	CMD_DELETE = 12,
	CMD_GET = 14,
	CMD_ROUTE_GET = 102,
	CMD_ROUTE_CHANGE = 103,
	CMD_ROUTE_PUT = 104,
	CMD_ANSWER = 100,
	ADDRESS_MAX = 64,
	STORAGES_MAX = 8,
	CONNECTIONS_MAX = 256,
	SIZE_MAX_KB = 8 << 10,
	SMALL_ANSWER = 256,
	COMPARED = 8,
	SILENCE_S = 10,
};

struct file {
	char id[FILE_ID_TEXT_MAX + 1];
	size_t len;
	uint32_t crc;
};

struct storage {
	char address[ADDRESS_MAX];
	int fd;
};

struct worker {
	pthread_t thread;
	int tracker;
	struct storage storages[STORAGES_MAX];
	size_t storage_count;
	uint8_t *content; /* what is put, or was got */
};

static const char *tracker, *group = "";
static char kind; /* 'p', 'g', 'd' */
static struct file *files;
static size_t count, size, greatest = SMALL_ANSWER;
static atomic_size_t next, wrong, checked;
static _Atomic uint64_t moved;
static struct load_times times;
static pthread_mutex_t times_lock = PTHREAD_MUTEX_INITIALIZER;

static int connect_to(const char *address)
{
	struct timeval limit = { .tv_sec = SILENCE_S };
	int fd = load_connect(address);

	if (fcntl(fd, F_SETFL, 0) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
		load_die("cannot set up a socket: %s", strerror(errno));
	return fd;
}

static void send_all(int fd, struct span head, struct span content)
{
	struct iovec parts[] = {
		{ (void *)head.data, head.len },
		{ (void *)content.data, content.len },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	while (message.msg_iovlen > 0) {
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (sent < 0)
			load_die("a request cannot be sent: %s", strerror(errno));
		while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
			sent -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen > 0) {
			message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
			message.msg_iov->iov_len -= (size_t)sent;
		}
	}
}

static void read_all(int fd, uint8_t *to, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t got = recv(fd, to + have, len - have, 0);

		if (got <= 0)
			load_die("an answer does not come: %s",
				got < 0 ? strerror(errno) : "closed");
		have += (size_t)got;
	}
}

/* Send `body` and `content`; read the answer's body into `out`; its length. */
static size_t call(
	int fd, uint8_t cmd, struct span body, struct span content, uint8_t *out, size_t max)
{
	uint8_t head[SMALL_ANSWER + HEADER_LEN];
	uint64_t len;

	store_be64(head, body.len + content.len);
	head[8] = cmd;
	head[9] = 0;
	memcpy(head + HEADER_LEN, body.data, body.len);
	send_all(fd, span_of(head, HEADER_LEN + body.len), content);
	read_all(fd, head, HEADER_LEN);
	len = load_be64(head);
	if (head[8] != CMD_ANSWER || head[9] != 0)
		load_die("request %u was refused with status %u", cmd, head[9]);
	if (len > max)
		load_die("an answer of %" PRIu64 " bytes to request %u", len, cmd);
	read_all(fd, out, len);
	return len;
}

static int storage_at(struct worker *worker, const char *address)
{
	struct storage *storage;

	for (size_t i = 0; i < worker->storage_count; i++)
		if (strcmp(worker->storages[i].address, address) == 0)
			return worker->storages[i].fd;
	if (worker->storage_count == STORAGES_MAX)
		load_die("more than %d storages", STORAGES_MAX);
	storage = &worker->storages[worker->storage_count++];
	snprintf(storage->address, sizeof storage->address, "%s", address);
	storage->fd = connect_to(address);
	return storage->fd;
}

/* Ask the tracker; the socket of the storage that it names, and the byte behind that. */
static int route(struct worker *worker, uint8_t cmd, struct span body, uint8_t *path)
{
	uint8_t answer[SMALL_ANSWER];
	char address[ADDRESS_MAX];
	size_t len = call(worker->tracker, cmd, body, (struct span){ 0 }, answer, sizeof answer);
	size_t extra = cmd == CMD_ROUTE_PUT ? 1 : 0;
	size_t ip_len = len < 69 ? 15 : 45; /* narrow or wide */

	if (len != FILE_ID_GROUP_MAX + ip_len + 8 + extra)
		load_die("the tracker answers %zu bytes", len);
	*path = answer[len - 1];
	snprintf(address, sizeof address, "%.*s:%" PRIu64, (int)ip_len,
		(char *)answer + FILE_ID_GROUP_MAX, load_be64(answer + FILE_ID_GROUP_MAX + ip_len));
	return storage_at(worker, address);
}

static void put(struct worker *worker, size_t number)
{
	uint8_t head[15] = { 0 }, answer[SMALL_ANSWER], field[FILE_ID_GROUP_MAX] = { 0 };
	struct file *file = &files[number];
	struct span content = span_of(worker->content, size);
	struct file_id id;
	size_t len;
	int fd;

	memcpy(field, group, strnlen(group, sizeof field));
	fd = route(worker, CMD_ROUTE_PUT, span_of(field, sizeof field), head);
	store_be64(head + 1, size);
	memcpy(head + 9, "jpg", 3);
	len = call(fd, CMD_PUT, span_of(head, sizeof head), content, answer, sizeof answer);
	if (len < FILE_ID_GROUP_MAX ||
		!file_id_parse_name(span_of(answer, strnlen((char *)answer, FILE_ID_GROUP_MAX)),
			span_of(answer + FILE_ID_GROUP_MAX, len - FILE_ID_GROUP_MAX), &id))
		load_die("the answer to an upload has no id");
	if (id.size != size || id.crc != file->crc)
		wrong++;
	file_id_format(&id, file->id);
	moved += size;
}

static void get_or_delete(struct worker *worker, size_t number)
{
	const struct file *file = &files[number];
	const char *name = strchr(file->id, '/') + 1;
	size_t name_len = strlen(name);
	uint8_t body[16 + FILE_ID_GROUP_MAX + FILE_ID_NAME_MAX] = { 0 }, unused;
	struct span where = span_of(body + 16, FILE_ID_GROUP_MAX + name_len);
	size_t len;
	int fd;

	memcpy(body + 16, file->id, (size_t)(name - 1 - file->id));
	memcpy(body + 16 + FILE_ID_GROUP_MAX, name, name_len);
	fd = route(worker, kind == 'g' ? CMD_ROUTE_GET : CMD_ROUTE_CHANGE, where, &unused);
	if (kind == 'd') {
		call(fd, CMD_DELETE, where, (struct span){ 0 }, worker->content, SMALL_ANSWER);
		return;
	}
	len = call(fd, CMD_GET, span_of(body, 16 + where.len), (struct span){ 0 }, worker->content,
		greatest);
	if (len != file->len)
		wrong++;
	moved += len;
}

/* What is not part of the answer's time. */
static void prepare(struct worker *worker, size_t number)
{
	if (kind != 'p')
		return;
	memcpy(worker->content + size / 2, &number, sizeof number);
	files[number].len = size;
	files[number].crc = crc32_add(0, span_of(worker->content, size));
}

static void compare(const struct worker *worker, size_t number)
{
	const struct file *file = &files[number];

	if (kind != 'g' || number % COMPARED != 0)
		return;
	checked++;
	if (crc32_add(0, span_of(worker->content, file->len)) != file->crc)
		wrong++;
}

static void *work(void *context)
{
	struct worker *worker = context;

	for (size_t number; (number = next++) < count;) {
		int64_t start_us, end_us;

		prepare(worker, number);
		start_us = clock_mono_us();
		if (kind == 'p')
			put(worker, number);
		else
			get_or_delete(worker, number);
		end_us = clock_mono_us();
		compare(worker, number);
		pthread_mutex_lock(&times_lock);
		load_times_add(&times, start_us, end_us);
		pthread_mutex_unlock(&times_lock);
	}
	return NULL;
}

static void run(size_t connections)
{
	struct worker *workers = calloc(connections, sizeof *workers);

	for (size_t i = 0; i < connections; i++) {
		struct worker *worker = workers != NULL ? &workers[i] : NULL;

		if (worker == NULL || (worker->content = malloc(greatest)) == NULL)
			load_die("out of memory");
		for (size_t j = 0; j < greatest; j++)
			worker->content[j] = (uint8_t)(j * 2654435761U >> 13);
		worker->tracker = connect_to(tracker);
	}
	for (size_t i = 0; i < connections; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			load_die("no more threads");
	for (size_t i = 0; i < connections; i++) {
		pthread_join(workers[i].thread, NULL);
		close(workers[i].tracker);
		for (size_t j = 0; j < workers[i].storage_count; j++)
			close(workers[i].storages[j].fd);
		free(workers[i].content);
	}
	free(workers);
}

static void read_list(const char *name)
{
	FILE *in = fopen(name, "re");
	struct file file;
	size_t room = 0;

	if (in == NULL)
		load_die("cannot read %s: %s", name, strerror(errno));
	_Static_assert(FILE_ID_TEXT_MAX == 144, "the length below");
	while (fscanf(in, " /%144s %zu %" SCNx32, file.id, &file.len, &file.crc) == 3) {
		if (strchr(file.id, '/') == NULL || file.len > SIZE_MAX_KB << 10)
			load_die("%s: line %zu is wrong", name, count + 1);
		if (count == room) {
			room = room == 0 ? 1024 : 2 * room;
			files = realloc(files, room * sizeof *files);
			if (files == NULL)
				load_die("out of memory");
		}
		files[count++] = file;
		greatest = file.len > greatest ? file.len : greatest;
	}
	fclose(in);
}

static void write_list(const char *name)
{
	FILE *out = fopen(name, "we");

	if (out == NULL)
		load_die("cannot write %s: %s", name, strerror(errno));
	for (size_t i = 0; i < count; i++)
		fprintf(out, "/%s %zu %08" PRIx32 "\n", files[i].id, files[i].len, files[i].crc);
	if (fclose(out) != 0)
		load_die("cannot write %s: %s", name, strerror(errno));
}

int main(int argc, char **argv)
{
	size_t connections = 1;

	for (int opt; (opt = getopt(argc, argv, "t:k:c:n:s:g:")) != -1;)
		if (opt == 't')
			tracker = optarg;
		else if (opt == 'k')
			kind = optarg[0];
		else if (opt == 'c')
			connections = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 'n')
			count = (size_t)load_number(optarg, 1, 10000000);
		else if (opt == 's')
			size = (size_t)load_number(optarg, 64, SIZE_MAX_KB << 10);
		else if (opt == 'g')
			group = optarg;
		else
			return 2;
	if (tracker == NULL || kind == '\0' || strchr("pgd", kind) == NULL || optind != argc - 1 ||
		(kind == 'p') != (count > 0 && size > 0 && group[0] != '\0'))
		load_die("usage: load_cluster -t HOST:PORT -k put|get|delete -c CONNECTIONS "
			 "[-n COUNT -s SIZE -g GROUP] LIST");
	if (kind != 'p') {
		read_list(argv[optind]);
	} else {
		files = calloc(count, sizeof *files);
		greatest = size > greatest ? size : greatest;
	}
	if (count == 0 || files == NULL)
		load_die("there is nothing to do");
	run(connections);
	if (kind == 'p')
		write_list(argv[optind]);
	free(files);
	load_report(&times, wrong, checked, moved);
	return wrong == 0 ? 0 : 1;
}
