#include "programs/picstore/up_tree.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	READY_MS = 60000,
	STEP_MS = 100,
	STOP_MS = 15000, /* longer than a part's timeout-kill */
	DEATHS_MAX = 3,  /* before it is ready; then it will never be */
	CODE_CONFIG = 2, /* our daemons: wrong options or configuration */
	CODE_NO_PROGRAM = 126,
};

int up_tree_signals(struct up_tree *tree, struct err *err)
{
	sigset_t set;

	*tree = (struct up_tree){ .signals = -1, .events = -1 };
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tree->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (tree->signals < 0)
		return err_errno(err, "cannot wait for signals");
	return 0;
}

/* What a child undoes before it becomes another program. */
static void as_child(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static void to_null(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null >= 0) {
		dup2(null, fd);
		close(null);
	}
}

static pid_t start_scanner(const struct up_tree *tree, const char *log)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	as_child();
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* lighttpd and varnishd, too */
	if (getppid() != parent)
		_exit(1);
	/* The lock is held until the last part has ended. */
	fcntl(tree->place->lock, F_SETFD, 0);
	to_null(STDIN_FILENO);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0640);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	execlp("s6-svscan", "s6-svscan", "-t", "0", tree->place->services, (char *)NULL);
	_exit(CODE_NO_PROGRAM);
}

int up_tree_start(
	struct up_tree *tree, const struct up_place *place, struct up_parts *parts, struct err *err)
{
	char path[UP_PATH];

	tree->place = place;
	tree->parts = parts;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (up_path(path, err, "%s/events", place->run) < 0)
		return -1;
	/* For writing as well, so that there is never an end of file. */
	tree->events = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tree->events < 0)
		return err_errno(err, "cannot open %s", path);
	if (up_path(path, err, "%s/supervisor.log", place->log) < 0)
		return -1;
	tree->scanner = start_scanner(tree, path);
	if (tree->scanner < 0) {
		tree->scanner = 0;
		return err_errno(err, "cannot start s6-svscan");
	}
	return 0;
}

static void start_waiter(const struct up_tree *tree, struct up_part *part)
{
	char folder[UP_PATH + 80];
	pid_t pid = fork();

	if (pid != 0) {
		part->waiter = pid < 0 ? 0 : pid;
		return;
	}
	as_child();
	snprintf(folder, sizeof folder, "%s/%s", tree->place->services, part->name);
	to_null(STDERR_FILENO);
	execlp("s6-svwait", "s6-svwait", "-U", folder, (char *)NULL);
	_exit(CODE_NO_PROGRAM);
}

static struct up_part *find_part(struct up_tree *tree, const char *name)
{
	for (size_t i = 0; i < tree->parts->count; i++)
		if (strcmp(tree->parts->part[i].name, name) == 0)
			return &tree->parts->part[i];
	return NULL;
}

/* What may have happened while we waited. */
struct news {
	pid_t pid; /* a child that ended, or 0 */
	int status;
	struct up_part *part; /* a part that ended, or NULL */
	int code, signal;
};

static void read_signals(struct up_tree *tree)
{
	struct signalfd_siginfo info;

	while (read(tree->signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo != SIGCHLD)
			tree->asked = true;
}

/* One line of the pipe; its writers write whole lines. */
static bool read_event(struct up_tree *tree, struct news *news)
{
	char line[128], name[64];
	size_t len = 0;
	int code, signal;

	while (len < sizeof line - 1 && read(tree->events, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	if (sscanf(line, "%63s %d %d", name, &code, &signal) != 3)
		return false;
	news->part = find_part(tree, name);
	news->code = code;
	news->signal = signal;
	return news->part != NULL;
}

/* Wait for at most `wait_ms` (-1: for ever); false if nothing happened. */
static bool wait_news(struct up_tree *tree, int wait_ms, struct news *news)
{
	struct pollfd fds[] = {
		{ .fd = tree->signals, .events = POLLIN },
		{ .fd = tree->events, .events = POLLIN },
	};

	*news = (struct news){ 0 };
	for (;;) {
		/* Children first: one signal may stand for many. */
		news->pid = waitpid(-1, &news->status, WNOHANG);
		if (news->pid > 0) {
			if (news->pid == tree->scanner)
				tree->scanner = 0;
			return true;
		}
		news->pid = 0;
		if (tree->events >= 0 && read_event(tree, news))
			return true;
		if (tree->asked)
			return true;
		if (poll(fds, tree->events >= 0 ? 2 : 1, wait_ms) == 0)
			return false;
		read_signals(tree);
	}
}

/* A part ended before it was ready; -1 if there is no hope. */
static int early_death(
	const struct up_tree *tree, struct up_part *part, const struct news *news, struct err *err)
{
	bool hopeless = news->code == CODE_CONFIG || news->code >= CODE_NO_PROGRAM;

	if (++part->deaths < DEATHS_MAX && (!hopeless || news->code == 256))
		return 0;
	return err_set(err, ERR_UNREACHABLE, "%s does not start; see %.150s/%s/current",
		part->label, tree->place->log, part->name);
}

int up_tree_wait_ready(struct up_tree *tree,
	void (*ready)(const struct up_part *part, int64_t after_ms), struct err *err)
{
	int64_t start = clock_mono_ms();
	size_t waiting = tree->parts->count;
	struct news news;

	while (waiting > 0) {
		for (size_t i = 0; i < tree->parts->count; i++)
			if (!tree->parts->part[i].ready && tree->parts->part[i].waiter == 0)
				start_waiter(tree, &tree->parts->part[i]);
		if (!wait_news(tree, STEP_MS, &news) && clock_mono_ms() - start < READY_MS)
			continue;
		if (tree->asked)
			return err_set(err, ERR_NOT_ALLOWED, "stopped");
		if (tree->scanner == 0)
			return err_set(err, ERR_UNREACHABLE,
				"the supervisor does not start; see %s/supervisor.log",
				tree->place->log);
		if (news.part != NULL && !news.part->ready &&
			early_death(tree, news.part, &news, err) < 0)
			return -1;
		for (size_t i = 0; news.pid != 0 && i < tree->parts->count; i++) {
			struct up_part *part = &tree->parts->part[i];

			if (part->waiter != news.pid)
				continue;
			/* It fails at once where the supervisor is not there yet. */
			part->waiter = 0;
			part->ready = WIFEXITED(news.status) && WEXITSTATUS(news.status) == 0;
			if (part->ready) {
				waiting--;
				ready(part, clock_mono_ms() - start);
			} else {
				poll(NULL, 0, 10);
			}
		}
		if (clock_mono_ms() - start >= READY_MS)
			break;
	}
	for (size_t i = 0; i < tree->parts->count; i++)
		if (!tree->parts->part[i].ready)
			return err_set(err, ERR_TIMEOUT,
				"%s is not ready after %d seconds; see %.150s/%s/current",
				tree->parts->part[i].label, READY_MS / 1000, tree->place->log,
				tree->parts->part[i].name);
	return 0;
}

int up_tree_run(struct up_tree *tree, char *const *argv)
{
	struct news news;
	pid_t pid = fork();

	if (pid == 0) {
		as_child();
		execv(argv[0], argv);
		_exit(CODE_NO_PROGRAM);
	}
	while (pid > 0) {
		wait_news(tree, -1, &news);
		if (news.pid == pid)
			return WIFEXITED(news.status) ? WEXITSTATUS(news.status) : -1;
		if (tree->asked) {
			kill(pid, SIGTERM);
			return -1;
		}
		if (tree->scanner == 0)
			return -1;
	}
	return -1;
}

int up_tree_stay(struct up_tree *tree,
	void (*died)(const struct up_part *part, int code, int signal), struct err *err)
{
	struct news news;

	while (tree->scanner != 0 && !tree->asked) {
		wait_news(tree, -1, &news);
		if (news.part != NULL && !tree->asked)
			died(news.part, news.code, news.signal);
	}
	if (tree->asked)
		return 0;
	return err_set(err, ERR_UNREACHABLE, "the supervisor ended; see %s/supervisor.log",
		tree->place->log);
}

/* Every child of ours that is left; below s6-svscan when that is dead. */
static void signal_children(int signal)
{
	char path[64];
	FILE *file;
	int pid;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	while (file != NULL && fscanf(file, "%d", &pid) == 1)
		if (pid > 1)
			kill(pid, signal);
	if (file != NULL)
		fclose(file);
}

void up_tree_stop(struct up_tree *tree)
{
	int64_t start = clock_mono_ms();
	struct pollfd changed = { .fd = tree->signals, .events = POLLIN };
	bool told = false;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			break; /* nobody is left */
		if (pid == tree->scanner && pid != 0)
			tree->scanner = 0;
		if (pid > 0)
			continue;
		if (!told && tree->scanner != 0)
			kill(tree->scanner, SIGTERM);
		if (tree->parts != NULL && !told)
			for (size_t i = 0; i < tree->parts->count; i++)
				if (tree->parts->part[i].waiter > 0)
					kill(tree->parts->part[i].waiter, SIGTERM);
		told = true;
		if (tree->scanner == 0)
			signal_children(SIGTERM);
		if (clock_mono_ms() - start > STOP_MS)
			signal_children(SIGKILL);
		poll(&changed, 1, STEP_MS);
		read_signals(tree);
	}
	if (tree->events >= 0)
		close(tree->events);
	if (tree->signals >= 0)
		close(tree->signals);
	tree->events = tree->signals = -1;
}
