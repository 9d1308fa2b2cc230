#include "image/picture_jobs.h"

#include "core/clock.h"
#include "core/steady_cond.h"
#include "image/picture_nursery.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	START_MS = 10000, /* longest wait for libvips to start */
	FORK_MS = 5000,   /* and for a worker */
};

struct slot {
	bool busy;
	int fd;    /* socket to its worker, -1: none now */
	int pidfd; /* of its worker */
	int memfd;
	uint8_t *memory; /* shared with its worker */
};

struct picture_jobs {
	struct picture_jobs_conf conf;
	pid_t nursery;
	int control;
	bool broken;                /* the nursery has gone; guarded by order_lock */
	pthread_mutex_t order_lock; /* one order to the nursery at a time */
	pthread_mutex_t lock;       /* the slots' `busy` */
	pthread_cond_t freed;
	struct slot *slots;
};

/* Wait for something to read, or the end of the peer. */
static bool readable(int fd, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - clock_mono_ms();
		int got = poll(&poller, 1, left > 0 ? (int)left : 0);

		if (got > 0)
			return true;
		if (got == 0 || errno != EINTR)
			return false;
	}
}

static bool send_fds(int control, const int fds[2])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} room = { 0 };
	char byte = 'w';
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes,
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(header), fds, 2 * sizeof(int));
	return sendmsg(control, &message, MSG_NOSIGNAL) == 1;
}

/* The nursery's answer to an order: false if it has gone, else its status. */
static bool receive_pidfd(int control, int32_t *status, int *pidfd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} room;
	struct iovec iov = { status, sizeof *status };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes,
	};
	struct cmsghdr *header;

	if (!readable(control, clock_mono_ms() + FORK_MS) ||
		recvmsg(control, &message, MSG_CMSG_CLOEXEC) != sizeof *status)
		return false;
	if (*status != 0)
		return true;
	header = CMSG_FIRSTHDR(&message);
	if (header == NULL || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return false;
	memcpy(pidfd, CMSG_DATA(header), sizeof *pidfd);
	return true;
}

/* Whatever its worker does now, the slot is free of it. */
static void slot_kill(struct slot *slot)
{
	if (slot->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0);
		close(slot->pidfd);
	}
	if (slot->fd >= 0)
		close(slot->fd);
	slot->pidfd = slot->fd = -1;
}

static int await_worker(const struct slot *slot, struct err *err)
{
	struct picture_reply ready;

	if (!readable(slot->fd, clock_mono_ms() + FORK_MS) ||
		recv(slot->fd, &ready, sizeof ready, 0) != sizeof ready)
		return err_set(err, ERR_BUSY, "a picture worker does not start");
	ready.text[sizeof ready.text - 1] = '\0';
	if (ready.code != ERR_NONE)
		return err_set(err, ERR_INTERNAL, "%s", ready.text);
	return 0;
}

/* Have a worker started for a slot that has none. */
static int slot_start(struct picture_jobs *jobs, struct slot *slot, struct err *err)
{
	int pair[2], order[2], result = 0;
	int32_t status = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "cannot make a socket for a worker");
	order[0] = pair[1];
	order[1] = slot->memfd;
	pthread_mutex_lock(&jobs->order_lock);
	if (jobs->broken || !send_fds(jobs->control, order) ||
		!receive_pidfd(jobs->control, &status, &slot->pidfd)) {
		jobs->broken = true; /* an answer that comes late would be taken for another's */
		result = err_set(
			err, ERR_INTERNAL, "the process that starts picture workers has gone");
	}
	pthread_mutex_unlock(&jobs->order_lock);
	close(pair[1]);
	slot->fd = pair[0];
	if (result == 0 && status != 0)
		result = err_set(
			err, ERR_BUSY, "cannot start a picture worker: %s", strerror(status));
	if (result == 0)
		result = await_worker(slot, err);
	if (result < 0)
		slot_kill(slot);
	return result;
}

static int slot_init(struct slot *slot, size_t bytes, struct err *err)
{
	slot->fd = slot->pidfd = -1;
	slot->memfd = memfd_create("picture", MFD_CLOEXEC);
	if (slot->memfd < 0 || ftruncate(slot->memfd, (off_t)bytes) < 0)
		return err_errno(err, "cannot make memory to share with a worker");
	slot->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slot->memfd, 0);
	if (slot->memory == MAP_FAILED) {
		slot->memory = NULL;
		return err_errno(err, "cannot map memory to share with a worker");
	}
	return 0;
}

static int start_nursery(struct picture_jobs *jobs, struct err *err)
{
	struct picture_hello hello = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "cannot make a socket for the picture workers");
	jobs->nursery = fork();
	if (jobs->nursery == 0)
		picture_nursery(pair[1], &jobs->conf);
	close(pair[1]);
	jobs->control = pair[0];
	if (jobs->nursery < 0)
		return err_errno(err, "cannot start the picture workers");
	if (!readable(jobs->control, clock_mono_ms() + START_MS) ||
		recv(jobs->control, &hello, sizeof hello, 0) != sizeof hello)
		return err_set(err, ERR_INTERNAL, "the picture workers do not start");
	hello.text[sizeof hello.text - 1] = '\0';
	if (hello.formats == 0)
		return err_set(err, ERR_INTERNAL, "%s", hello.text);
	jobs->conf.formats &= hello.formats;
	return 0;
}

struct picture_jobs *picture_jobs_new(const struct picture_jobs_conf *conf, struct err *err)
{
	struct picture_jobs *jobs = calloc(1, sizeof *jobs);

	assert(jobs != NULL && conf->workers > 0 && conf->max_bytes > 0);
	jobs->conf = *conf;
	jobs->control = -1;
	jobs->nursery = -1;
	jobs->slots = calloc((size_t)conf->workers, sizeof *jobs->slots);
	assert(jobs->slots != NULL);
	for (int i = 0; i < conf->workers; i++)
		jobs->slots[i].fd = jobs->slots[i].pidfd = jobs->slots[i].memfd = -1;
	pthread_mutex_init(&jobs->order_lock, NULL);
	pthread_mutex_init(&jobs->lock, NULL);
	steady_cond_init(&jobs->freed);

	if (start_nursery(jobs, err) < 0)
		goto fail;
	for (int i = 0; i < conf->workers; i++)
		if (slot_init(&jobs->slots[i], picture_memory_len(conf), err) < 0 ||
			slot_start(jobs, &jobs->slots[i], err) < 0)
			goto fail;
	return jobs;
fail:
	picture_jobs_free(jobs);
	return NULL;
}

void picture_jobs_free(struct picture_jobs *jobs)
{
	if (jobs == NULL)
		return;
	for (int i = 0; i < jobs->conf.workers; i++) {
		struct slot *slot = &jobs->slots[i];

		assert(!slot->busy);
		slot_kill(slot);
		if (slot->memory != NULL)
			munmap(slot->memory, picture_memory_len(&jobs->conf));
		if (slot->memfd >= 0)
			close(slot->memfd);
	}
	if (jobs->control >= 0)
		close(jobs->control);
	if (jobs->nursery > 0)
		while (waitpid(jobs->nursery, NULL, 0) < 0 && errno == EINTR)
			;
	pthread_cond_destroy(&jobs->freed);
	pthread_mutex_destroy(&jobs->lock);
	pthread_mutex_destroy(&jobs->order_lock);
	free(jobs->slots);
	free(jobs);
}

unsigned picture_jobs_formats(const struct picture_jobs *jobs)
{
	return jobs->conf.formats;
}

static struct slot *take_slot(struct picture_jobs *jobs, int64_t deadline_ms)
{
	struct slot *slot = NULL;
	bool passed = false;

	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		for (int i = 0; slot == NULL && i < jobs->conf.workers; i++)
			if (!jobs->slots[i].busy)
				slot = &jobs->slots[i];
		if (slot != NULL || passed)
			break;
		passed = !steady_cond_wait_ms(&jobs->freed, &jobs->lock, deadline_ms);
	}
	if (slot != NULL)
		slot->busy = true;
	pthread_mutex_unlock(&jobs->lock);
	return slot;
}

static void give_slot(struct picture_jobs *jobs, struct slot *slot)
{
	pthread_mutex_lock(&jobs->lock);
	slot->busy = false;
	pthread_cond_signal(&jobs->freed);
	pthread_mutex_unlock(&jobs->lock);
}

/* One round trip to the slot's worker.  Returns false if the worker did not take the
 * picture: it had died before (the kernel takes them first when memory ends).
 * Otherwise *got says what came back, -1 for nothing in time. */
static bool exchange(const struct slot *slot, const struct picture_ask *ask, int64_t deadline_ms,
	struct picture_reply *reply, ssize_t *got)
{
	*got = -1;
	if (send(slot->fd, ask, sizeof *ask, MSG_NOSIGNAL) != sizeof *ask)
		return false;
	if (!readable(slot->fd, deadline_ms))
		return true;
	*got = recv(slot->fd, reply, sizeof *reply, 0);
	if (*got >= 0)
		return true;
	*got = 0;
	return errno != ECONNRESET; /* which says that bytes were left unread */
}

/* Take over what a worker says, which is trusted no further than its lengths reach. */
static int read_reply(const struct picture_jobs *jobs, const struct slot *slot,
	struct picture_reply *reply, const struct picture_order *order, struct err *err)
{
	reply->text[sizeof reply->text - 1] = '\0';
	switch (reply->code) {
	case ERR_NONE:
		break;
	case ERR_BAD_REQUEST:
	case ERR_NOT_A_PICTURE:
	case ERR_PIXEL_BOMB:
	case ERR_TRUNCATED:
	case ERR_TOO_LARGE:
	case ERR_UNSUPPORTED:
		return err_set(err, (enum err_code)reply->code, "%s", reply->text);
	default:
		return err_set(err, ERR_TRUNCATED, "the picture cannot be decoded here");
	}
	if (reply->result_len > jobs->conf.max_result)
		return err_set(err, ERR_TRUNCATED, "the picture cannot be decoded here");
	if (order->finding_len > 0)
		memcpy(order->finding, reply->finding, order->finding_len);
	if (order->result != NULL)
		buf_put(order->result, slot->memory + picture_room_at(&jobs->conf),
			reply->result_len);
	return 0;
}

static int do_with(struct picture_jobs *jobs, struct slot *slot, const struct picture_order *order,
	struct err *err)
{
	const char *name = picture_name(picture_sniff(order->picture));
	struct picture_ask ask = { .len = order->picture.len };
	struct picture_reply reply;
	bool taken = false, died = false;
	ssize_t got = 0;

	if (order->wish_len > 0)
		memcpy(ask.wish, order->wish, order->wish_len);
	memcpy(slot->memory, order->picture.data, order->picture.len);
	for (int attempt = 0; !taken && attempt < 3; attempt++) {
		if (slot->fd < 0 && slot_start(jobs, slot, err) < 0)
			return -1;
		taken = exchange(slot, &ask, clock_mono_ms() + jobs->conf.timeout_ms, &reply, &got);
		if (got != sizeof reply || reply.leaving)
			slot_kill(slot);
		/* It need not be the picture's fault, so it gets a second worker, but no more. */
		if (taken && got == 0 && !died) {
			died = true;
			taken = false;
		}
	}
	if (!taken)
		return err_set(err, ERR_BUSY, "picture workers die as soon as they are started");
	if (got < 0)
		return err_set(err, ERR_TRUNCATED, "the %s was not decoded within %lld ms", name,
			(long long)jobs->conf.timeout_ms);
	if (got != sizeof reply)
		return err_set(err, ERR_TRUNCATED,
			"the %s cannot be decoded here: it broke the decoder or its limits", name);
	return read_reply(jobs, slot, &reply, order, err);
}

int picture_jobs_do(struct picture_jobs *jobs, const struct picture_order *order, struct err *err)
{
	enum picture_format format = picture_sniff(order->picture);
	struct slot *slot;
	int result;

	assert(order->wish_len <= PICTURE_WISH_MAX && order->finding_len <= PICTURE_FINDING_MAX);
	if (format == PICTURE_NONE)
		return err_set(
			err, ERR_NOT_A_PICTURE, "the bytes are no picture of a known format");
	if ((jobs->conf.formats & 1u << format) == 0)
		return err_set(
			err, ERR_NOT_A_PICTURE, "%s is not accepted here", picture_name(format));
	if (order->picture.len > jobs->conf.max_bytes)
		return err_set(err, ERR_TOO_LARGE, "the picture has %zu bytes, %llu are the most",
			order->picture.len, (unsigned long long)jobs->conf.max_bytes);
	slot = take_slot(jobs, clock_mono_ms() + jobs->conf.timeout_ms);
	if (slot == NULL)
		return err_set(err, ERR_BUSY, "too many pictures are being worked on");
	result = do_with(jobs, slot, order, err);
	if (slot->fd < 0) /* the next picture need not wait for it */
		slot_start(jobs, slot, NULL);
	give_slot(jobs, slot);
	return result;
}
