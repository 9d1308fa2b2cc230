/* load_fdfs - uploads pictures to a storage over the FastDFS protocol and checks the ids.
 *
 *     load_fdfs -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] [-l] [-v SAMPLES] [-o LIST]
 *               PICTURE
 *
 * Each upload sends PICTURE with its running number, from FIRST on, as eight hex digits
 * in place of the bytes in its middle, so that no two are the same.  With -l it sends
 * only the beginning of PICTURE, 1,000 to 100,000 bytes, log-normal, 43,000 on average; the
 * number says how many.  Size and CRC in every id that comes back must be those of what
 * was sent.  Afterwards, and not timed, SAMPLES of them are downloaded again and compared.
 *
 * LIST gets a line "/ID LENGTH CRC32" for each, which is what load_http reads.
 * Prints the report of load.h.  Exit status 1 if an answer was wrong. */
#include "load.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/crc32.h"
#include "core/file_id.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	HEADER_LEN = 10,
	UPLOAD_LEN = HEADER_LEN + 15, /* + path, size, ext */
	CMD_UPLOAD = 11,
	CMD_DOWNLOAD = 14,
	CMD_ANSWER = 100,
	STAMP_LEN = 8,
	PICTURE_MAX = 8 << 20,
	ANSWER_MAX = HEADER_LEN + FILE_ID_GROUP_MAX + FILE_ID_NAME_MAX,
	SILENCE_MS = 10000,
	CONNECTIONS_MAX = 1024,
	WRONG_SHOWN = 3,
	DRAWN_MIN = 1000,
	DRAWN_MAX = 100000,
};

/* Of the logarithms, before what is shorter or longer is drawn again. */
static const double drawn_median = 43000, drawn_sigma = 0.7;

struct conn {
	int fd;
	bool busy;
	size_t number; /* of the upload under way, from 0 */
	size_t len;    /* of its picture */
	int64_t start_us;
	uint8_t head[UPLOAD_LEN];
	char stamp[STAMP_LEN + 1];
	size_t sent;
	uint32_t crc;
	uint8_t answer[ANSWER_MAX];
	size_t answer_len;
};

/* What was stored: for LIST and for the samples. */
struct stored {
	char id[FILE_ID_TEXT_MAX + 1];
	uint32_t crc, len;
};

static const char *address;
static uint8_t *picture;
static size_t picture_len;
static bool drawn;
static uint64_t sent_bytes;
static char ext[FILE_ID_EXT_MAX + 1];
static size_t count, first, started, wrong, checked;
static struct stored *stored;
static struct load_times times;

static void read_picture(const char *file)
{
	const char *dot = strrchr(file, '.');
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	picture = malloc(PICTURE_MAX);
	if (picture == NULL)
		load_die("out of memory");
	got = fd < 0 ? -1 : read(fd, picture, PICTURE_MAX);
	if (got < 4 * STAMP_LEN)
		load_die("cannot read a picture from %s", file);
	close(fd);
	picture_len = (size_t)got;
	if (dot != NULL && file_id_ext_ok(span_str(dot + 1)))
		strcpy(ext, dot + 1);
}

static void complain(size_t number, const char *what)
{
	if (wrong++ < WRONG_SHOWN)
		fprintf(stderr, "load_fdfs: upload %zu: %s\n", number, what);
}

/* A number from 0, not included, to 1: SplitMix64's next one. */
static double fraction(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return ((double)((z ^ z >> 31) >> 11) + 1) / 0x1p53;
}

/* The length of the picture with this number. */
static size_t length_of(size_t number)
{
	static const double turn = 6.283185307179586;
	uint64_t state = number;

	while (drawn) { /* one draw in eight is thrown away */
		double far = sqrt(-2 * log(fraction(&state)));
		double len = drawn_median * exp(drawn_sigma * far * cos(turn * fraction(&state)));

		if (len >= DRAWN_MIN && len <= DRAWN_MAX)
			return (size_t)len;
	}
	return picture_len;
}

/* The CRC of the picture as `conn` sends it. */
static uint32_t picture_crc(const struct conn *conn)
{
	size_t stamp_at = conn->len / 2, behind = stamp_at + STAMP_LEN;
	uint32_t crc = crc32_add(0, span_of(picture, stamp_at));

	crc = crc32_add(crc, span_of(conn->stamp, STAMP_LEN));
	return crc32_add(crc, span_of(picture + behind, conn->len - behind));
}

/* Send what the socket takes of the upload; true once it has all of it. */
static bool send_more(struct conn *conn)
{
	size_t stamp_at = conn->len / 2, behind = stamp_at + STAMP_LEN, skip = conn->sent;
	struct iovec parts[] = {
		{ conn->head, UPLOAD_LEN },
		{ picture, stamp_at },
		{ conn->stamp, STAMP_LEN },
		{ picture + behind, conn->len - behind },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 4 };
	ssize_t sent;

	while (message.msg_iovlen > 0 && skip >= message.msg_iov->iov_len) {
		skip -= message.msg_iov->iov_len;
		message.msg_iov++;
		message.msg_iovlen--;
	}
	if (message.msg_iovlen == 0)
		return true;
	message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + skip;
	message.msg_iov->iov_len -= skip;
	sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		load_die("%s takes no upload: %s", address, strerror(errno));
	if (sent > 0)
		conn->sent += (size_t)sent;
	return conn->sent == UPLOAD_LEN + conn->len;
}

static void watch(int epoll, int how, struct conn *conn, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(epoll, how, conn->fd, &event) != 0)
		load_die("epoll: %s", strerror(errno));
}

/* Begin the next upload, if there is one. */
static void begin(int epoll, struct conn *conn)
{
	conn->busy = started < count;
	if (!conn->busy)
		return;
	conn->number = started++;
	conn->len = length_of(first + conn->number);
	snprintf(conn->stamp, sizeof conn->stamp, "%08x", (unsigned)(first + conn->number));
	memset(conn->head, 0, sizeof conn->head);
	store_be64(conn->head, UPLOAD_LEN - HEADER_LEN + conn->len);
	conn->head[8] = CMD_UPLOAD;
	store_be64(conn->head + 11, conn->len);
	memcpy(conn->head + 19, ext, strlen(ext));
	conn->crc = picture_crc(conn);
	conn->sent = conn->answer_len = 0;
	conn->start_us = clock_mono_us();
	if (!send_more(conn))
		watch(epoll, EPOLL_CTL_MOD, conn, EPOLLIN | EPOLLOUT);
}

/* The answer is complete: is it the id of what was sent? */
static void check_answer(struct conn *conn)
{
	const uint8_t *group = conn->answer + HEADER_LEN;
	struct span name = span_of(
		group + FILE_ID_GROUP_MAX, conn->answer_len - HEADER_LEN - FILE_ID_GROUP_MAX);
	struct file_id id;

	load_times_add(&times, conn->start_us, clock_mono_us());
	if (!file_id_parse_name(
		    span_of(group, strnlen((const char *)group, FILE_ID_GROUP_MAX)), name, &id)) {
		complain(conn->number, "the answer has no id");
		return;
	}
	if (id.size != conn->len || id.crc != conn->crc)
		complain(conn->number, "the id has another size or CRC");
	file_id_format(&id, stored[conn->number].id);
	stored[conn->number].crc = conn->crc;
	stored[conn->number].len = (uint32_t)conn->len;
	sent_bytes += conn->len;
}

/* Bytes of an answer have come. */
static void on_readable(int epoll, struct conn *conn)
{
	ssize_t got = recv(
		conn->fd, conn->answer + conn->answer_len, ANSWER_MAX - conn->answer_len, 0);
	uint64_t len;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		load_die("%s closed the connection in upload %zu", address, conn->number);
	conn->answer_len += (size_t)got;
	if (conn->answer_len < HEADER_LEN)
		return;
	len = load_be64(conn->answer);
	if (conn->answer[8] != CMD_ANSWER || conn->answer[9] != 0)
		load_die("upload %zu was refused with status %u", conn->number, conn->answer[9]);
	if (len < FILE_ID_GROUP_MAX || len > ANSWER_MAX - HEADER_LEN)
		load_die("upload %zu: an answer of %llu bytes", conn->number,
			(unsigned long long)len);
	if (conn->answer_len < HEADER_LEN + len)
		return;
	check_answer(conn);
	begin(epoll, conn);
}

static void run(struct conn *conns, size_t conn_count)
{
	struct epoll_event events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < conn_count; i++) {
		watch(epoll, EPOLL_CTL_ADD, &conns[i], EPOLLIN);
		begin(epoll, &conns[i]);
	}
	while (times.count < count) {
		int ready = epoll_wait(epoll, events, 64, SILENCE_MS);

		if (ready == 0)
			load_die("%s has been silent for %d ms", address, SILENCE_MS);
		for (int i = 0; i < ready; i++) {
			struct conn *conn = events[i].data.ptr;

			if (events[i].events & EPOLLOUT && conn->busy && send_more(conn))
				watch(epoll, EPOLL_CTL_MOD, conn, EPOLLIN);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				on_readable(epoll, conn);
		}
	}
	close(epoll);
}

static void read_all(int fd, uint8_t *to, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t got = recv(fd, to + have, len - have, 0);

		if (got <= 0)
			load_die("a download ended early");
		have += (size_t)got;
	}
}

/* Download an upload again and compare; `fd` is a blocking socket. */
static void check_sample(int fd, size_t number, uint8_t *body)
{
	const char *name = strchr(stored[number].id, '/') + 1;
	size_t group_len = (size_t)(name - 1 - stored[number].id), len = stored[number].len;
	uint8_t head[HEADER_LEN];
	struct buf request;

	buf_init(&request, 1024);
	buf_put_be64(&request, 16 + FILE_ID_GROUP_MAX + strlen(name));
	buf_put_u8(&request, CMD_DOWNLOAD);
	buf_put_u8(&request, 0);
	buf_put_be64(&request, 0); /* from the start */
	buf_put_be64(&request, 0); /* to the end */
	buf_put(&request, stored[number].id, group_len);
	buf_put(&request, (const uint8_t[FILE_ID_GROUP_MAX]){ 0 }, FILE_ID_GROUP_MAX - group_len);
	buf_put_str(&request, name);
	if (!buf_ok(&request) ||
		send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
		load_die("%s takes no download", address);
	buf_fini(&request);
	read_all(fd, head, sizeof head);
	checked++;
	if (head[9] != 0 || load_be64(head) != len) {
		complain(number, "cannot be downloaded again");
		return;
	}
	read_all(fd, body, len);
	if (crc32_add(0, span_of(body, len)) != stored[number].crc)
		complain(number, "was downloaded with other bytes");
}

static void check_samples(size_t samples)
{
	int fd = load_connect(address);
	uint8_t *body = malloc(picture_len);

	if (body == NULL || fcntl(fd, F_SETFL, 0) != 0)
		load_die("out of memory");
	for (size_t i = 0; i < samples; i++) {
		size_t number = i * count / samples;

		if (stored[number].id[0] != '\0')
			check_sample(fd, number, body);
	}
	free(body);
	close(fd);
}

static void write_list(const char *file)
{
	FILE *out = fopen(file, "we");

	if (out == NULL)
		load_die("cannot write %s: %s", file, strerror(errno));
	for (size_t i = 0; i < count; i++)
		fprintf(out, "/%s %u %08x\n", stored[i].id, (unsigned)stored[i].len,
			(unsigned)stored[i].crc);
	if (fclose(out) != 0)
		load_die("cannot write %s: %s", file, strerror(errno));
}

int main(int argc, char **argv)
{
	size_t conn_count = 16, samples = 0;
	const char *list = NULL;
	struct conn *conns;

	for (int opt; (opt = getopt(argc, argv, "a:c:n:f:lv:o:")) != -1;)
		if (opt == 'a')
			address = optarg;
		else if (opt == 'c')
			conn_count = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 'n')
			count = (size_t)load_number(optarg, 1, 10000000);
		else if (opt == 'f')
			first = (size_t)load_number(optarg, 0, UINT32_MAX);
		else if (opt == 'l')
			drawn = true;
		else if (opt == 'v')
			samples = (size_t)load_number(optarg, 0, 1000000);
		else if (opt == 'o')
			list = optarg;
		else
			return 2;
	if (address == NULL || count == 0 || optind != argc - 1)
		load_die("usage: load_fdfs -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] [-l] "
			 "[-v SAMPLES] [-o LIST] PICTURE");
	read_picture(argv[optind]);
	if (drawn && picture_len < DRAWN_MAX)
		load_die("%s is shorter than %d bytes", argv[optind], DRAWN_MAX);
	stored = calloc(count, sizeof *stored);
	conns = calloc(conn_count, sizeof *conns);
	if (stored == NULL || conns == NULL)
		load_die("out of memory");
	for (size_t i = 0; i < conn_count; i++)
		conns[i].fd = load_connect(address);
	run(conns, conn_count);
	check_samples(samples < count ? samples : count);
	if (list != NULL)
		write_list(list);
	for (size_t i = 0; i < conn_count; i++)
		close(conns[i].fd);
	free(conns);
	free(stored);
	free(picture);
	load_report(&times, wrong, checked, sent_bytes);
	return wrong == 0 ? 0 : 1;
}
