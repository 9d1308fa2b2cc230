#include "confine/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

/* Computing, memory, threads, the descriptors that are open. */
static const char *const allowed[] = { "read", "readv", "write", "writev", "recvfrom", "recvmsg",
	"sendto", "sendmsg", "poll", "ppoll", "lseek", "close", "munmap", "mremap", "madvise",
	"brk", "futex", "futex_time64", "set_robust_list", "rseq", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sigaltstack", "sched_yield", "sched_getaffinity", "gettid", "getpid",
	"tgkill", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday",
	"time", "getrandom", "getrusage", "restart_syscall", "exit", "exit_group" };

/* What libraries try and do without: they are told no, rather than killed. */
static const struct {
	const char *name;
	int number;
} denied[] = {
	{ "open", EACCES }, { "openat", EACCES }, { "access", EACCES }, { "faccessat", EACCES },
	{ "faccessat2", EACCES }, { "stat", EACCES }, { "lstat", EACCES }, { "newfstatat", EACCES },
	{ "statx", EACCES }, { "readlink", EACCES }, { "readlinkat", EACCES }, { "unlink", EACCES },
	{ "fstat", EACCES }, { "ioctl", ENOTTY }, { "uname", EPERM }, { "sysinfo", EPERM },
	{ "prlimit64", EPERM }, { "sched_getattr", EPERM }, { "sched_setattr", EPERM },
	{ "sched_setaffinity", EPERM }, { "sched_getscheduler", EPERM },
	{ "sched_setscheduler", EPERM }, { "sched_getparam", EPERM }, { "getpriority", EPERM },
	{ "setpriority", EPERM }, { "set_mempolicy", EPERM }, { "get_mempolicy", EPERM },
	{ "clone3", ENOSYS }, /* its flags lie in memory; the C library falls back to clone */
};

static int limit(int resource, rlim_t value)
{
	struct rlimit both = { value, value };

	return setrlimit((__rlimit_resource_t)resource, &both);
}

static rlim_t address_space_now(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file != NULL) {
		if (fscanf(file, "%lu", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static int limit_resources(const struct jail *jail, rlim_t used, struct err *err)
{
	rlim_t memory = used + (rlim_t)jail->memory;

	/* The address sanitizer reserves terabytes of address space. */
	if ((!WITH_ASAN && limit(RLIMIT_AS, memory) < 0) ||
		limit(RLIMIT_CPU, (rlim_t)jail->cpu_seconds) < 0 || limit(RLIMIT_FSIZE, 0) < 0 ||
		limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_NOFILE, 8) < 0)
		return err_set(err, ERR_INTERNAL, "cannot limit a worker: %s", strerror(errno));
	return 0;
}

/* No file can be reached by name, whatever the system call.  Kernels without landlock
 * leave that to the list of system calls alone. */
static void forbid_files(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = (1 << 13) - 1 };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (fd < 0)
		return;
	syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

static int allow(
	scmp_filter_ctx filter, const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(name);
	int result;

	if (number == __NR_SCMP_ERROR)
		return 0;
	result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, args);
	return result == -EDOM ? 0 : result; /* this processor has no such call */
}

static int fill_filter(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0);
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	const struct scmp_arg_cmp name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
	const struct scmp_arg_cmp vma_name = SCMP_A0(SCMP_CMP_EQ, 0x53564d41); /* PR_SET_VMA */
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof allowed / sizeof allowed[0]; i++)
		result = allow(filter, allowed[i], 0, NULL);
	for (size_t i = 0; result == 0 && i < sizeof denied / sizeof denied[0]; i++) {
		int number = seccomp_syscall_resolve_name(denied[i].name);

		if (number == __NR_SCMP_ERROR)
			continue;
		result = seccomp_rule_add(
			filter, SCMP_ACT_ERRNO((uint32_t)denied[i].number), number, 0);
		if (result == -EDOM)
			result = 0;
	}
	if (result == 0)
		result = allow(filter, "mmap", 1, &no_exec);
	if (result == 0)
		result = allow(filter, "mprotect", 1, &no_exec);
	if (result == 0)
		result = allow(filter, "clone", 1, &thread);
	if (result == 0)
		result = allow(filter, "prctl", 1, &name);
	if (result == 0)
		result = allow(filter, "prctl", 1, &vma_name);
	return result;
}

static int filter_calls(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int result = filter == NULL ? -ENOMEM : fill_filter(filter);

	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result != 0)
		return err_set(err, ERR_INTERNAL, "cannot filter a worker's system calls: %s",
			strerror(-result));
	return 0;
}

int jail_enter(const struct jail *jail, struct err *err)
{
	rlim_t used = address_space_now();

	if (used == 0)
		return err_set(err, ERR_INTERNAL, "cannot read /proc/self/statm");
	mallopt(M_ARENA_MAX, 1); /* further arenas would reserve 64 MB each */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(err, ERR_INTERNAL, "cannot lock a worker in: %s", strerror(errno));
	forbid_files();
	if (limit_resources(jail, used, err) < 0)
		return -1;
	return filter_calls(err);
}
