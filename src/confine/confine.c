#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel has them; the headers of Debian 12 end with Linux 6.1. */
struct ruleset {
	uint64_t files, net, scope;
};

#define FS(bit) (UINT64_C(1) << (bit))

enum {
	EXECUTE,
	WRITE_FILE,
	READ_FILE,
	READ_DIR,
	REMOVE_DIR,
	REMOVE_FILE,
	MAKE_CHAR,
	MAKE_DIR,
	MAKE_REG,
	MAKE_SOCK,
	MAKE_FIFO,
	MAKE_BLOCK,
	MAKE_SYM,
	REFER,
	TRUNCATE,
	IOCTL_DEV
};
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };

#define NET_BIND     UINT64_C(1)
#define NET_CONNECT  UINT64_C(2)
#define SCOPE_SIGNAL UINT64_C(2) /* abstract sockets stay: a supervisor may be told on one */

#define OF_FILES     (FS(WRITE_FILE) | FS(READ_FILE) | FS(TRUNCATE)) /* the others are of folders */
#define TO_READ      (FS(READ_FILE) | FS(READ_DIR))
#define TO_LISTEN    (TO_READ | FS(MAKE_SOCK) | FS(REMOVE_FILE))
#define TO_WRITE                                                                                   \
	(TO_LISTEN | FS(WRITE_FILE) | FS(REMOVE_DIR) | FS(MAKE_DIR) | FS(MAKE_REG) | FS(REFER) |   \
		FS(TRUNCATE))

static const uint64_t rights[] = {
	[CONFINE_READ] = TO_READ,
	[CONFINE_SOCKETS] = TO_LISTEN,
	[CONFINE_WRITE] = TO_WRITE,
};

static uint64_t known_rights(int abi)
{
	int count = abi >= ABI_IOCTL      ? IOCTL_DEV + 1
		    : abi >= ABI_TRUNCATE ? TRUNCATE + 1
		    : abi >= ABI_REFER    ? REFER + 1
					  : MAKE_SYM + 1;

	return FS(count) - 1;
}

static int fail(struct err *err, const char *what)
{
	return err_set(
		err, ERR_INTERNAL, "cannot confine this process: %s: %s", what, strerror(errno));
}

static int add(int ruleset, const struct confine_path *path, uint64_t known, struct err *err)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = rights[path->access] & known };
	struct stat st;
	int result;

	attr.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (attr.parent_fd < 0)
		return 0;
	if (fstat(attr.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		attr.allowed_access &= OF_FILES;
	result = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
	close(attr.parent_fd);
	return result == 0 ? 0 : fail(err, path->path);
}

int confine_files(const struct confine_path *paths, size_t count, bool connects, bool *confined,
	struct err *err)
{
	int abi = (int)syscall(
		SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset all = { .files = known_rights(abi) };
	size_t len = abi >= ABI_SCOPE ? sizeof all : abi >= ABI_NET ? 16 : 8;
	int ruleset, result = 0;

	*confined = abi > 0;
	if (!*confined)
		return 0;
	if (abi >= ABI_NET)
		all.net = connects ? NET_BIND : NET_BIND | NET_CONNECT;
	if (abi >= ABI_SCOPE)
		all.scope = SCOPE_SIGNAL;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, len, 0);
	if (ruleset < 0)
		return fail(err, "landlock");
	for (size_t i = 0; i < count && result == 0; i++)
		result = add(ruleset, &paths[i], all.files, err);
	if (result == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
				   syscall(SYS_landlock_restrict_self, ruleset, 0) != 0))
		result = fail(err, "landlock");
	close(ruleset);
	return result;
}

static const char *const denied[] = { "execve", "execveat", "ptrace", "process_vm_readv",
	"process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "mount", "umount", "umount2",
	"pivot_root", "chroot", "fsopen", "fsmount", "fsconfig", "fspick", "move_mount",
	"open_tree", "mount_setattr", "setns", "unshare", "bpf", "perf_event_open", "userfaultfd",
	"keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module",
	"kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl",
	"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "sethostname",
	"setdomainname", "syslog", "open_by_handle_at", "name_to_handle_at", "iopl", "ioperm",
	"personality", "modify_ldt", "vhangup", "nfsservctl", "lookup_dcookie", "mknod", "mknodat",
	"fanotify_init", "symlink", "symlinkat", "uselib", "vmsplice" };

/* What libraries look for and do without. */
static const char *const missing[] = { "io_uring_setup", "io_uring_enter", "io_uring_register",
	"memfd_secret" };

/* Families of sockets that are left. */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

enum { FAMILY_LAST = 45 }; /* that any kernel knows */

static int deny(scmp_filter_ctx filter, const char *name, int why, unsigned count,
	const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(name), result;

	if (number == __NR_SCMP_ERROR)
		return 0;
	result = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((uint32_t)why), number, count, args);
	return result == -EDOM ? 0 : result; /* this processor has no such call */
}

static bool is_left(int family)
{
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (families[i] == family)
			return true;
	return false;
}

static int fill(scmp_filter_ctx filter)
{
	static const uint64_t spaces[] = { CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID,
		CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP };
	const struct scmp_arg_cmp beyond = SCMP_A0(SCMP_CMP_GT, FAMILY_LAST);
	int result = deny(filter, "socket", EAFNOSUPPORT, 1, &beyond);

	for (size_t i = 0; result == 0 && i < sizeof denied / sizeof denied[0]; i++)
		result = deny(filter, denied[i], EPERM, 0, NULL);
	for (size_t i = 0; result == 0 && i < sizeof missing / sizeof missing[0]; i++)
		result = deny(filter, missing[i], ENOSYS, 0, NULL);
	for (int family = 0; result == 0 && family <= FAMILY_LAST; family++) {
		const struct scmp_arg_cmp one = SCMP_A0(SCMP_CMP_EQ, (uint64_t)family);

		if (!is_left(family))
			result = deny(filter, "socket", EAFNOSUPPORT, 1, &one);
	}
	for (size_t i = 0; result == 0 && i < sizeof spaces / sizeof spaces[0]; i++) {
		const struct scmp_arg_cmp one = SCMP_A0(SCMP_CMP_MASKED_EQ, spaces[i], spaces[i]);

		result = deny(filter, "clone", EPERM, 1, &one);
	}
	/* Its flags lie in memory, where no filter sees them; the C library falls back to clone. */
	return result == 0 ? deny(filter, "clone3", ENOSYS, 0, NULL) : result;
}

int confine_calls(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int result = filter == NULL ? -ENOMEM : fill(filter);

	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result == 0)
		return 0;
	errno = -result;
	return fail(err, "seccomp");
}
