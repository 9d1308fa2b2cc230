#include "image/picture_nursery.h"

#include "confine/jail.h"

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

/* "picture-worker"; the kernel keeps 15 characters. */
static void name_process(const struct picture_jobs_conf *conf, const char *role)
{
	char name[16];

	snprintf(name, sizeof name, "%.7s-%s", conf->trade->name, role);
	prctl(PR_SET_NAME, name);
}

static bool has_served_enough(uint64_t pictures, long start_kb)
{
	struct rusage used;

	if (pictures >= PICTURES_MAX || getrusage(RUSAGE_SELF, &used) < 0)
		return true;
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec >= CPU_SECONDS_MAX ||
	       used.ru_maxrss - start_kb > GROWTH_MAX_KB;
}

static void fail(struct picture_reply *reply, const struct err *err)
{
	reply->code = (int32_t)err->code;
	snprintf(reply->text, sizeof reply->text, "%.*s", (int)sizeof reply->text - 1, err->text);
}

size_t picture_room_at(const struct picture_jobs_conf *conf)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (conf->max_bytes + page - 1) / page * page;
}

size_t picture_memory_len(const struct picture_jobs_conf *conf)
{
	return picture_room_at(conf) + conf->max_result;
}

/* What a worker shares with the pool. */
struct shared {
	const uint8_t *picture;
	uint8_t *room;
};

static bool map_shared(const struct picture_jobs_conf *conf, struct shared *shared)
{
	void *picture = mmap(NULL, conf->max_bytes, PROT_READ, MAP_SHARED, MEMORY_FD, 0);
	void *room = NULL;

	if (conf->max_result > 0)
		room = mmap(NULL, conf->max_result, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY_FD,
			(off_t)picture_room_at(conf));
	*shared = (struct shared){ picture, room };
	return picture != MAP_FAILED && room != MAP_FAILED;
}

static void do_job(const struct picture_jobs_conf *conf, const struct shared *shared,
	const struct picture_ask *ask, struct picture_reply *reply)
{
	struct err err = { 0 };
	struct picture_job job = {
		.picture = span_of(shared->picture, ask->len),
		.wish = ask->wish,
		.finding = reply->finding,
		.room = shared->room,
		.room_len = conf->max_result,
	};

	if (conf->trade->work(conf->context, conf->formats, &job, &err) < 0)
		fail(reply, &err);
	else
		reply->result_len = job.result_len;
}

static _Noreturn void work(const struct picture_jobs_conf *conf, pid_t nursery)
{
	struct jail jail = {
		.memory = conf->memory,
		.cpu_seconds = CPU_SECONDS_MAX + conf->timeout_ms / 1000 + 2,
	};
	struct picture_reply ready = { 0 };
	struct shared shared;
	struct err err = { 0 };
	struct rusage start;

	if (!map_shared(conf, &shared) || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		getppid() != nursery)
		_exit(1);
	close(MEMORY_FD);
	name_process(conf, "worker");
	getrusage(RUSAGE_SELF, &start);
	if (jail_enter(&jail, &err) < 0) {
		fail(&ready, &err);
		ready.leaving = 1;
	}
	if (send(WORKER_FD, &ready, sizeof ready, MSG_NOSIGNAL) != sizeof ready || ready.leaving)
		_exit(1);
	for (uint64_t pictures = 1;; pictures++) {
		struct picture_ask ask;
		struct picture_reply reply = { 0 };

		if (recv(WORKER_FD, &ask, sizeof ask, 0) != sizeof ask || ask.len > conf->max_bytes)
			_exit(0);
		do_job(conf, &shared, &ask, &reply);
		reply.leaving = has_served_enough(pictures, start.ru_maxrss);
		if (send(WORKER_FD, &reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply ||
			reply.leaving)
			_exit(0);
	}
}

/* Receive the order for a worker and its descriptors; false when the pool has gone. */
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
static pid_t start_worker(const struct picture_jobs_conf *conf, const int fds[2])
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

_Noreturn void picture_nursery(int control, const struct picture_jobs_conf *conf)
{
	struct picture_jobs_conf mine = *conf;
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
	name_process(conf, "nursery");
	hello.formats = mine.trade->prepare(mine.context, mine.formats, &err);
	snprintf(hello.text, sizeof hello.text, "%.*s", (int)sizeof hello.text - 1, err.text);
	if (send(control, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello || hello.formats == 0)
		_exit(1);
	mine.formats = hello.formats;
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
