#include "load_upload.h"

#include "core/clock.h"
#include "core/crc32.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	PICTURE_MAX = 8 << 20,
	SILENCE_MS = 10000,
	WRONG_SHOWN = 3,
};

/* Of the logarithms, before what is shorter or longer is drawn again. */
static const double drawn_median = 43000, drawn_sigma = 0.7;

const uint8_t *load_picture(const char *file, size_t *len)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint8_t *picture = malloc(PICTURE_MAX);
	ssize_t got;

	if (picture == NULL)
		load_die("out of memory");
	got = fd < 0 ? -1 : read(fd, picture, PICTURE_MAX);
	if (got < 4 * LOAD_STAMP_LEN)
		load_die("cannot read a picture from %s", file);
	close(fd);
	*len = (size_t)got;
	return picture;
}

void load_uploads_wrong(struct load_uploads *uploads, size_t index, const char *what)
{
	if (uploads->wrong++ < WRONG_SHOWN)
		fprintf(stderr, "%s: upload %zu: %s\n", program_invocation_short_name, index, what);
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
static size_t length_of(const struct load_uploads *uploads, unsigned number)
{
	static const double turn = 6.283185307179586;
	uint64_t state = number;

	while (uploads->drawn) { /* one draw in eight is thrown away */
		double far = sqrt(-2 * log(fraction(&state)));
		double len = drawn_median * exp(drawn_sigma * far * cos(turn * fraction(&state)));

		if (len >= LOAD_DRAWN_MIN && len <= LOAD_DRAWN_MAX)
			return (size_t)len;
	}
	return uploads->picture_len;
}

/* The picture, with the stamp. */
static void parts_of(
	const struct load_uploads *uploads, const struct load_upload *upload, struct span out[3])
{
	size_t stamp_at = uploads->stamp_at != 0 ? uploads->stamp_at : upload->len / 2;
	size_t behind = stamp_at + LOAD_STAMP_LEN;

	out[0] = span_of(uploads->picture, stamp_at);
	out[1] = span_of(upload->stamp, LOAD_STAMP_LEN);
	out[2] = span_of(uploads->picture + behind, upload->len - behind);
}

/* Send what the socket takes of the upload; true once it has all of it. */
static bool send_more(const struct load_uploads *uploads, struct load_upload *upload)
{
	struct span picture[3];
	struct iovec parts[5] = {
		{ upload->head, upload->head_len },
		[4] = { upload->tail, upload->tail_len },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 5 };
	size_t skip = upload->sent;
	ssize_t sent;

	parts_of(uploads, upload, picture);
	for (int i = 0; i < 3; i++)
		parts[1 + i] = (struct iovec){ (void *)(uintptr_t)picture[i].data, picture[i].len };
	while (message.msg_iovlen > 0 && skip >= message.msg_iov->iov_len) {
		skip -= message.msg_iov->iov_len;
		message.msg_iov++;
		message.msg_iovlen--;
	}
	if (message.msg_iovlen == 0)
		return true;
	message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + skip;
	message.msg_iov->iov_len -= skip;
	sent = sendmsg(upload->fd, &message, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		load_die("%s takes no upload: %s", uploads->address, strerror(errno));
	if (sent > 0)
		upload->sent += (size_t)sent;
	return upload->sent == upload->head_len + upload->len + upload->tail_len;
}

/* Begin the next upload, if there is one. */
static void begin(struct load_uploads *uploads, struct load_loop *loop, struct load_upload *upload,
	size_t index)
{
	struct span picture[3];

	upload->busy = index < uploads->count;
	if (!upload->busy)
		return;
	upload->index = index;
	upload->number = uploads->first + (unsigned)index;
	upload->len = length_of(uploads, upload->number);
	snprintf(upload->stamp, sizeof upload->stamp, "%08x", upload->number);
	parts_of(uploads, upload, picture);
	upload->crc = 0;
	for (int i = 0; i < 3; i++)
		upload->crc = crc32_add(upload->crc, picture[i]);
	upload->head_len = upload->tail_len = upload->sent = upload->answer_len = 0;
	uploads->protocol.ask(upload);
	uploads->bytes += upload->len;
	upload->start_us = clock_mono_us();
	if (!send_more(uploads, upload))
		load_loop_change(loop, upload->fd, EPOLLIN | EPOLLOUT, upload);
}

/* Bytes of an answer have come; true if it is complete. */
static bool on_readable(struct load_uploads *uploads, struct load_upload *upload)
{
	size_t got = load_receive(upload->fd, uploads->address, upload->answer + upload->answer_len,
		LOAD_ANSWER_MAX - 1 - upload->answer_len);

	if (got == 0)
		return false;
	upload->answer_len += got;
	upload->answer[upload->answer_len] = '\0';
	if (!uploads->protocol.take(upload)) {
		if (upload->answer_len == LOAD_ANSWER_MAX - 1)
			load_die("upload %zu: an endless answer", upload->index);
		return false;
	}
	load_times_add(&uploads->times, upload->start_us, clock_mono_us());
	return true;
}

static void serve(struct load_uploads *uploads, struct load_loop *loop, size_t started)
{
	while (uploads->times.count < uploads->count) {
		int ready = load_loop_wait(loop);

		for (int i = 0; i < ready; i++) {
			struct load_upload *upload = loop->events[i].data.ptr;
			uint32_t what = loop->events[i].events;

			if (what & EPOLLOUT && upload->busy && send_more(uploads, upload))
				load_loop_change(loop, upload->fd, EPOLLIN, upload);
			if (what & ~(uint32_t)EPOLLOUT && on_readable(uploads, upload))
				begin(uploads, loop, upload, started++);
		}
	}
}

void load_uploads_run(struct load_uploads *uploads)
{
	struct load_upload *all = calloc(uploads->connections, sizeof *all);
	struct load_loop loop;

	if (all == NULL)
		load_die("out of memory");
	if (uploads->drawn && uploads->picture_len < LOAD_DRAWN_MAX)
		load_die("the picture is shorter than %d bytes", LOAD_DRAWN_MAX);
	if (uploads->stamp_at + LOAD_STAMP_LEN > uploads->picture_len)
		load_die("the picture ends before the number");
	load_loop_init(&loop, uploads->address, SILENCE_MS);
	for (size_t i = 0; i < uploads->connections; i++)
		all[i].fd = load_connect(uploads->address);
	for (size_t i = 0; i < uploads->connections; i++) {
		load_loop_add(&loop, all[i].fd, EPOLLIN, &all[i]);
		begin(uploads, &loop, &all[i], i);
	}
	serve(uploads, &loop, uploads->connections);
	for (size_t i = 0; i < uploads->connections; i++)
		close(all[i].fd);
	load_loop_fini(&loop);
	free(all);
}
