#include "image/picture_worker.h"

#include "image/jail.h"
#include "image/picture_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	WORKER_FD = 3,
	MEMORY_FD = 4,
	PICTURES_MAX = 5000,   /* of one worker; leaks and fragments go with it */
	CPU_SECONDS_MAX = 120, /* likewise */
	GROWTH_MAX_KB = 256 * 1024,
};

static void be_quiet(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			_exit(1);
	if (null > 2)
		close(null);
}

/* Leave the caller's signal handlers behind.  Its terminal's and its supervisor's
 * signals are for the caller, which closes the control socket when it is done. */
static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* workers need no waiting for */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool has_served_enough(uint64_t pictures, long start_kb)
{
	struct rusage used;

	if (pictures >= PICTURES_MAX || getrusage(RUSAGE_SELF, &used) < 0)
		return true;
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec >= CPU_SECONDS_MAX ||
	       used.ru_maxrss - start_kb > GROWTH_MAX_KB;
}

static void judge(
	const struct picture_checker_conf *conf, struct span bytes, struct picture_verdict *verdict)
{
	struct picture_facts facts = { 0 };
	struct err err = { 0 };

	if (picture_probe(&conf->limits, bytes, &facts, &err) < 0) {
		verdict->code = (int32_t)err.code;
		snprintf(verdict->text, sizeof verdict->text, "%.*s", (int)sizeof verdict->text - 1,
			err.text);
	}
	verdict->format = facts.format;
	verdict->width = facts.width;
	verdict->height = facts.height;
	verdict->frames = facts.frames;
}

static _Noreturn void work(const struct picture_checker_conf *conf, pid_t nursery)
{
	struct jail jail = {
		.memory = conf->memory,
		.cpu_seconds = CPU_SECONDS_MAX + conf->timeout_ms / 1000 + 2,
	};
	uint8_t *memory = mmap(NULL, conf->max_bytes, PROT_READ, MAP_SHARED, MEMORY_FD, 0);
	struct picture_verdict ready = { 0 };
	struct err err = { 0 };
	struct rusage start;

	if (memory == MAP_FAILED || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != nursery)
		_exit(1);
	close(MEMORY_FD);
	prctl(PR_SET_NAME, "picture-worker");
	getrusage(RUSAGE_SELF, &start);
	if (jail_enter(&jail, &err) < 0) {
		ready.code = (int32_t)err.code;
		snprintf(ready.text, sizeof ready.text, "%.*s", (int)sizeof ready.text - 1,
			err.text);
		ready.leaving = 1;
	}
	if (send(WORKER_FD, &ready, sizeof ready, MSG_NOSIGNAL) != sizeof ready || ready.leaving)
		_exit(1);
	for (uint64_t pictures = 1;; pictures++) {
		struct picture_job job;
		struct picture_verdict verdict = { 0 };

		if (recv(WORKER_FD, &job, sizeof job, 0) != sizeof job || job.len > conf->max_bytes)
			_exit(0);
		judge(conf, span_of(memory, job.len), &verdict);
		verdict.leaving = has_served_enough(pictures, start.ru_maxrss);
		if (send(WORKER_FD, &verdict, sizeof verdict, MSG_NOSIGNAL) != sizeof verdict ||
			verdict.leaving)
			_exit(0);
	}
}

/* Receive the order for a worker and its descriptors; false when the checker has gone. */
static bool receive_order(int control, int fds[2])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} room;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes,
	};
	struct cmsghdr *header;
	ssize_t got;

	do
		got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	header = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header == NULL || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(header), 2 * sizeof(int));
	return true;
}

static bool send_pidfd(int control, int32_t status, int pidfd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} room = { 0 };
	struct iovec iov = { &status, sizeof status };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (status == 0) {
		struct cmsghdr *header;

		message.msg_control = room.bytes;
		message.msg_controllen = sizeof room.bytes;
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &pidfd, sizeof pidfd);
	}
	return sendmsg(control, &message, MSG_NOSIGNAL) == sizeof status;
}

/* Fork one worker that has `fds` as its only descriptors. */
static pid_t start_worker(const struct picture_checker_conf *conf, const int fds[2])
{
	pid_t nursery = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	/* fds are above MEMORY_FD: WORKER_FD and MEMORY_FD are taken in the nursery. */
	if (dup2(fds[0], WORKER_FD) < 0 || dup2(fds[1], MEMORY_FD) < 0)
		_exit(1);
	close_range(MEMORY_FD + 1, ~0u, 0);
	work(conf, nursery);
}

_Noreturn void picture_nursery(int control, const struct picture_checker_conf *conf)
{
	struct picture_checker_conf mine = *conf;
	struct picture_hello hello = { 0 };
	struct err err = { 0 };
	int fds[2];

	reset_signals();
	/* The control socket becomes descriptor 3, a spare one 4, all others go. */
	if (control != WORKER_FD && dup2(control, WORKER_FD) < 0)
		_exit(1);
	control = WORKER_FD;
	close_range(WORKER_FD + 1, ~0u, 0);
	be_quiet();
	if (dup2(0, MEMORY_FD) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	prctl(PR_SET_NAME, "picture-nursery");
	hello.formats = picture_probe_init(mine.limits.formats, &err);
	snprintf(hello.text, sizeof hello.text, "%.*s", (int)sizeof hello.text - 1, err.text);
	if (send(control, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello || hello.formats == 0)
		_exit(1);
	mine.limits.formats = hello.formats;
	while (receive_order(control, fds)) {
		pid_t pid = start_worker(&mine, fds);
		int32_t status = pid < 0 ? errno : 0;
		int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
		bool sent;

		if (pid > 0 && pidfd < 0) { /* it is gone already, or cannot be watched */
			status = errno;
			if (status != ESRCH)
				kill(pid, SIGKILL);
		}
		close(fds[0]);
		close(fds[1]);
		sent = send_pidfd(control, status, pidfd);
		if (pidfd >= 0)
			close(pidfd);
		if (!sent)
			break;
	}
	_exit(0);
}
