#include "confine/confine.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A scratch folder with open/, to be written, read/, to be read, sockets/, and a file of
 * the same name, `mine`, in each of them and beside them. */
static char scratch[256];

static const char *at(const char *name)
{
	static char path[2][512];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
	return path[turn];
}

static void make(const char *name)
{
	int fd = open(at(name), O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void furnish(void)
{
	snprintf(scratch, sizeof scratch, "%s", unit_scratch());
	mkdir(at("open"), 0700);
	mkdir(at("read"), 0700);
	mkdir(at("sockets"), 0700);
	make("mine");
	make("open/mine");
	make("read/mine");
	make("sockets/mine");
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static int version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* What `deed` returns in a process that is confined: 0 when all is as it should be, else
 * the number of the line that is not. */
static int done(int (*deed)(void), bool connects)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		char open_folder[512], read_folder[512], sockets[512];
		struct confine_path paths[] = {
			{ open_folder, CONFINE_WRITE },
			{ read_folder, CONFINE_READ },
			{ sockets, CONFINE_SOCKETS },
			{ "/dev/null", CONFINE_WRITE },
			{ "/usr", CONFINE_READ },
			{ "/nowhere", CONFINE_WRITE },
		};
		bool confined;

		snprintf(open_folder, sizeof open_folder, "%s", at("open"));
		snprintf(read_folder, sizeof read_folder, "%s", at("read"));
		snprintf(sockets, sizeof sockets, "%s", at("sockets"));
		if (confine_files(paths, sizeof paths / sizeof paths[0], connects, &confined,
			    NULL) != 0 ||
			confine_calls(NULL) != 0 || confined != has_landlock())
			_exit(255);
		_exit(deed() % 255);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define MUST(what)                                                                                 \
	do                                                                                         \
		if (!(what))                                                                       \
			return __LINE__;                                                           \
	while (0)
#define REFUSED(what, why) MUST((what) < 0 && errno == (why))

static int use_own_folders(void)
{
	MUST(open(at("open/new"), O_CREAT | O_RDWR, 0600) >= 0);
	MUST(open(at("open/mine"), O_RDWR | O_TRUNC) >= 0);
	MUST(mkdir(at("open/folder"), 0700) == 0);
	MUST(rename(at("open/new"), at("open/folder/new")) == 0);
	MUST(unlink(at("open/folder/new")) == 0 && rmdir(at("open/folder")) == 0);
	MUST(open(at("read/mine"), O_RDONLY) >= 0);
	MUST(open("/dev/null", O_RDWR) >= 0);
	MUST(open("/usr/bin/env", O_RDONLY) >= 0);
	return 0;
}

static int leave_by_files(void)
{
	REFUSED(open(at("mine"), O_RDONLY), EACCES);
	REFUSED(open(at("mine"), O_WRONLY), EACCES);
	REFUSED(open("/etc/passwd", O_RDONLY), EACCES);
	REFUSED(open(at("read/mine"), O_WRONLY), EACCES);
	REFUSED(open(at("read/new"), O_CREAT | O_WRONLY, 0600), EACCES);
	REFUSED(open(at("open/../mine"), O_RDONLY), EACCES);
	REFUSED(unlink(at("read/mine")), EACCES);
	REFUSED(unlink(at("mine")), EACCES);
	REFUSED(mkdir(at("folder"), 0700), EACCES);
	MUST(rename(at("open/mine"), at("mine2")) < 0 && (errno == EACCES || errno == EXDEV));
	MUST(link(at("read/mine"), at("open/link")) < 0 && (errno == EACCES || errno == EXDEV));
	REFUSED(symlink("/etc", at("open/way-out")), EPERM);
	REFUSED(mknod(at("open/device"), S_IFCHR | 0600, 0), EPERM);
	if (version() >= 3)
		REFUSED(truncate(at("mine"), 0), EACCES);
	return 0;
}

static int bind_unix(const char *path)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
	return bind(fd, (const struct sockaddr *)&where, sizeof where);
}

static int make_sockets(void)
{
	MUST(bind_unix(at("sockets/one")) == 0 && unlink(at("sockets/one")) == 0);
	REFUSED(bind_unix(at("read/one")), EACCES);
	REFUSED(open(at("sockets/mine"), O_WRONLY), EACCES);
	return 0;
}

static int start_programs(void)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL }, *const none[] = { NULL };

	REFUSED(execve("/usr/bin/true", argv, none), EPERM);
	return 0;
}

static int misuse_calls(void)
{
	REFUSED(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL), EPERM);
	REFUSED(mount("none", at("open"), "tmpfs", 0, NULL), EPERM);
	REFUSED(unshare(CLONE_NEWUSER), EPERM);
	REFUSED(syscall(SYS_bpf, 0, NULL, 0), EPERM);
	REFUSED(syscall(SYS_io_uring_setup, 1, NULL), ENOSYS);
	REFUSED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), EPERM);
	REFUSED(socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
	REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
	REFUSED(socket(0x7fffffff, SOCK_STREAM, 0), EAFNOSUPPORT);
	return 0;
}

static void *count(void *number)
{
	++*(int *)number;
	return NULL;
}

static int work_on(void)
{
	pthread_t thread;
	int number = 0, status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	MUST(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	MUST(pthread_create(&thread, NULL, count, &number) == 0);
	MUST(pthread_join(thread, NULL) == 0 && number == 1);
	MUST(socket(AF_INET, SOCK_STREAM, 0) >= 0 && socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
	return 0;
}

static int tcp(int (*call)(int fd, const struct sockaddr *address, socklen_t len), uint16_t port)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port) };

	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return call(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)&where, sizeof where);
}

static int connect_to_nobody(void)
{
	REFUSED(tcp(connect, 1), ECONNREFUSED);
	return 0;
}

static int use_the_network(void)
{
	REFUSED(tcp(connect, 1), EACCES);
	return 0;
}

static int take_a_port(void)
{
	REFUSED(tcp(bind, 0), EACCES);
	return 0;
}

static int signal_a_stranger(void)
{
	MUST(kill(getpid(), 0) == 0);
	REFUSED(kill(getppid(), 0), EPERM);
	return 0;
}

TEST(what_is_listed_can_be_used)
{
	furnish();
	assert_int_equal(done(use_own_folders, true), 0);
	assert_int_equal(done(work_on, true), 0);
	assert_int_equal(done(connect_to_nobody, true), 0);
}

TEST(what_is_not_listed_cannot)
{
	furnish();
	if (!has_landlock())
		skip();
	assert_int_equal(done(leave_by_files, true), 0);
	assert_int_equal(done(make_sockets, true), 0);
}

TEST(no_program_can_be_started)
{
	furnish();
	assert_int_equal(done(start_programs, true), 0);
}

TEST(calls_that_attacks_are_made_of_are_refused)
{
	furnish();
	assert_int_equal(done(misuse_calls, true), 0);
}

TEST(ports_connections_and_signals_are_kept_in)
{
	furnish();
	if (version() >= 4) {
		assert_int_equal(done(take_a_port, true), 0);
		assert_int_equal(done(use_the_network, false), 0);
	}
	if (version() >= 6)
		assert_int_equal(done(signal_a_stranger, true), 0);
}
