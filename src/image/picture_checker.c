#include "core/clock.h"
#include "image/picture.h"
#include "image/picture_worker.h"

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
#include <time.h>
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
	uint8_t *memory; /* shared with its worker, which can only read it */
};

struct picture_checker {
	struct picture_checker_conf conf;
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
	struct picture_verdict ready;

	if (!readable(slot->fd, clock_mono_ms() + FORK_MS) ||
		recv(slot->fd, &ready, sizeof ready, 0) != sizeof ready)
		return err_set(err, ERR_BUSY, "a picture checker does not start");
	ready.text[sizeof ready.text - 1] = '\0';
	if (ready.code != ERR_NONE)
		return err_set(err, ERR_INTERNAL, "%s", ready.text);
	return 0;
}

/* Have a worker started for a slot that has none. */
static int slot_start(struct picture_checker *checker, struct slot *slot, struct err *err)
{
	int pair[2], order[2], result = 0;
	int32_t status = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "cannot make a socket for a worker");
	order[0] = pair[1];
	order[1] = slot->memfd;
	pthread_mutex_lock(&checker->order_lock);
	if (checker->broken || !send_fds(checker->control, order) ||
		!receive_pidfd(checker->control, &status, &slot->pidfd)) {
		checker->broken = true; /* an answer that comes late would be taken for another's */
		result = err_set(
			err, ERR_INTERNAL, "the process that starts picture checkers has gone");
	}
	pthread_mutex_unlock(&checker->order_lock);
	close(pair[1]);
	slot->fd = pair[0];
	if (result == 0 && status != 0)
		result = err_set(
			err, ERR_BUSY, "cannot start a picture checker: %s", strerror(status));
	if (result == 0)
		result = await_worker(slot, err);
	if (result < 0)
		slot_kill(slot);
	return result;
}

static int slot_init(struct slot *slot, uint64_t bytes, struct err *err)
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

static int start_nursery(struct picture_checker *checker, struct err *err)
{
	struct picture_hello hello = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "cannot make a socket for the picture checkers");
	checker->nursery = fork();
	if (checker->nursery == 0)
		picture_nursery(pair[1], &checker->conf);
	close(pair[1]);
	checker->control = pair[0];
	if (checker->nursery < 0)
		return err_errno(err, "cannot start the picture checkers");
	if (!readable(checker->control, clock_mono_ms() + START_MS) ||
		recv(checker->control, &hello, sizeof hello, 0) != sizeof hello)
		return err_set(err, ERR_INTERNAL, "the picture checkers do not start");
	hello.text[sizeof hello.text - 1] = '\0';
	if (hello.formats == 0)
		return err_set(err, ERR_INTERNAL, "%s", hello.text);
	checker->conf.limits.formats &= hello.formats;
	return 0;
}

struct picture_checker *picture_checker_new(
	const struct picture_checker_conf *conf, struct err *err)
{
	struct picture_checker *checker = calloc(1, sizeof *checker);
	pthread_condattr_t monotonic;

	assert(checker != NULL && conf->workers > 0 && conf->max_bytes > 0);
	checker->conf = *conf;
	checker->control = -1;
	checker->nursery = -1;
	checker->slots = calloc((size_t)conf->workers, sizeof *checker->slots);
	assert(checker->slots != NULL);
	for (int i = 0; i < conf->workers; i++)
		checker->slots[i].fd = checker->slots[i].pidfd = checker->slots[i].memfd = -1;
	pthread_mutex_init(&checker->order_lock, NULL);
	pthread_mutex_init(&checker->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&checker->freed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	if (start_nursery(checker, err) < 0)
		goto fail;
	for (int i = 0; i < conf->workers; i++)
		if (slot_init(&checker->slots[i], conf->max_bytes, err) < 0 ||
			slot_start(checker, &checker->slots[i], err) < 0)
			goto fail;
	return checker;
fail:
	picture_checker_free(checker);
	return NULL;
}

void picture_checker_free(struct picture_checker *checker)
{
	if (checker == NULL)
		return;
	for (int i = 0; i < checker->conf.workers; i++) {
		struct slot *slot = &checker->slots[i];

		assert(!slot->busy);
		slot_kill(slot);
		if (slot->memory != NULL)
			munmap(slot->memory, checker->conf.max_bytes);
		if (slot->memfd >= 0)
			close(slot->memfd);
	}
	if (checker->control >= 0)
		close(checker->control);
	if (checker->nursery > 0)
		while (waitpid(checker->nursery, NULL, 0) < 0 && errno == EINTR)
			;
	pthread_cond_destroy(&checker->freed);
	pthread_mutex_destroy(&checker->lock);
	pthread_mutex_destroy(&checker->order_lock);
	free(checker->slots);
	free(checker);
}

unsigned picture_checker_formats(const struct picture_checker *checker)
{
	return checker->conf.limits.formats;
}

static struct slot *take_slot(struct picture_checker *checker, int64_t deadline_ms)
{
	struct timespec deadline = {
		.tv_sec = deadline_ms / 1000,
		.tv_nsec = deadline_ms % 1000 * 1000000,
	};
	struct slot *slot = NULL;
	int result = 0;

	pthread_mutex_lock(&checker->lock);
	for (;;) {
		for (int i = 0; slot == NULL && i < checker->conf.workers; i++)
			if (!checker->slots[i].busy)
				slot = &checker->slots[i];
		if (slot != NULL || result == ETIMEDOUT)
			break;
		result = pthread_cond_timedwait(&checker->freed, &checker->lock, &deadline);
	}
	if (slot != NULL)
		slot->busy = true;
	pthread_mutex_unlock(&checker->lock);
	return slot;
}

static void give_slot(struct picture_checker *checker, struct slot *slot)
{
	pthread_mutex_lock(&checker->lock);
	slot->busy = false;
	pthread_cond_signal(&checker->freed);
	pthread_mutex_unlock(&checker->lock);
}

/* One round trip to the slot's worker.  Returns false if the worker did not take the
 * picture: it had died before (the kernel takes them first when memory ends).
 * Otherwise *got says what came back, -1 for nothing in time. */
static bool exchange(const struct slot *slot, const struct picture_job *job, int64_t deadline_ms,
	struct picture_verdict *verdict, ssize_t *got)
{
	*got = -1;
	if (send(slot->fd, job, sizeof *job, MSG_NOSIGNAL) != sizeof *job)
		return false;
	if (!readable(slot->fd, deadline_ms))
		return true;
	*got = recv(slot->fd, verdict, sizeof *verdict, 0);
	if (*got >= 0)
		return true;
	*got = 0;
	return errno != ECONNRESET; /* which says that bytes were left unread */
}

/* What a worker says is checked like any other bytes from outside: a picture may have
 * taken the worker over. */
static int read_verdict(const struct picture_limits *limits, struct span bytes,
	struct picture_verdict *verdict, struct picture_facts *facts, struct err *err)
{
	verdict->text[sizeof verdict->text - 1] = '\0';
	switch (verdict->code) {
	case ERR_NONE:
		break;
	case ERR_NOT_A_PICTURE:
	case ERR_PIXEL_BOMB:
	case ERR_TRUNCATED:
		return err_set(err, (enum err_code)verdict->code, "%s", verdict->text);
	default:
		return err_set(err, ERR_TRUNCATED, "the picture cannot be decoded here");
	}
	if (verdict->format != picture_sniff(bytes) || verdict->width == 0 ||
		verdict->height == 0 || verdict->frames == 0 ||
		verdict->frames > limits->max_frames ||
		(uint64_t)verdict->width * verdict->height > limits->max_pixels)
		return err_set(err, ERR_TRUNCATED, "the picture cannot be decoded here");
	*facts = (struct picture_facts){
		.format = (enum picture_format)verdict->format,
		.width = verdict->width,
		.height = verdict->height,
		.frames = verdict->frames,
	};
	return 0;
}

static int check_with(struct picture_checker *checker, struct slot *slot, struct span bytes,
	struct picture_facts *facts, struct err *err)
{
	const char *name = picture_name(picture_sniff(bytes));
	struct picture_job job = { .len = bytes.len };
	struct picture_verdict verdict;
	bool taken = false;
	ssize_t got = 0;

	memcpy(slot->memory, bytes.data, bytes.len);
	for (int attempt = 0; !taken && attempt < 3; attempt++) {
		if (slot->fd < 0 && slot_start(checker, slot, err) < 0)
			return -1;
		taken = exchange(
			slot, &job, clock_mono_ms() + checker->conf.timeout_ms, &verdict, &got);
		if (got != sizeof verdict || verdict.leaving)
			slot_kill(slot);
	}
	if (!taken)
		return err_set(err, ERR_BUSY, "picture checkers die as soon as they are started");
	if (got < 0)
		return err_set(err, ERR_TRUNCATED, "the %s was not decoded within %lld ms", name,
			(long long)checker->conf.timeout_ms);
	if (got != sizeof verdict)
		return err_set(err, ERR_TRUNCATED,
			"the %s cannot be decoded here: it broke the decoder or its limits", name);
	return read_verdict(&checker->conf.limits, bytes, &verdict, facts, err);
}

int picture_check(struct picture_checker *checker, struct span bytes, struct picture_facts *facts,
	struct err *err)
{
	enum picture_format format = picture_sniff(bytes);
	struct slot *slot;
	int result;

	if (format == PICTURE_NONE)
		return err_set(
			err, ERR_NOT_A_PICTURE, "the bytes are no picture of a known format");
	if ((checker->conf.limits.formats & 1u << format) == 0)
		return err_set(
			err, ERR_NOT_A_PICTURE, "%s is not accepted here", picture_name(format));
	if (bytes.len > checker->conf.max_bytes)
		return err_set(err, ERR_TOO_LARGE, "the picture has %zu bytes, %llu are the most",
			bytes.len, (unsigned long long)checker->conf.max_bytes);
	slot = take_slot(checker, clock_mono_ms() + checker->conf.timeout_ms);
	if (slot == NULL)
		return err_set(err, ERR_BUSY, "too many pictures are being checked");
	result = check_with(checker, slot, bytes, facts, err);
	if (slot->fd < 0) /* the next picture need not wait for it */
		slot_start(checker, slot, NULL);
	give_slot(checker, slot);
	return result;
}
