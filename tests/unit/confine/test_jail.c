#include "confine/jail.h"
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct jail jail = { .memory = 64 << 20, .cpu_seconds = 5 };

/* How `deed` ends in the jail: its result, or 1000 + the signal that killed it. */
static int done_in_jail(int (*deed)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(jail_enter(&jail, NULL) < 0 ? 99 : deed());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void *increment(void *number)
{
	++*(int *)number;
	return NULL;
}

static int compute_in_a_thread(void)
{
	pthread_t thread;
	int number = 41;

	if (pthread_create(&thread, NULL, increment, &number) != 0)
		return 1;
	pthread_join(thread, NULL);
	return number;
}

static int open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && open("/tmp/x", O_CREAT | O_RDWR, 0600) < 0 ? 0
											       : 1;
}

static int make_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? 0 : 1;
}

static int start_a_process(void)
{
	return fork() < 0 ? 0 : 1;
}

static int start_a_program(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int signal_another(void)
{
	return kill(getppid(), 0);
}

static int make_code(void)
{
	void *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? 0 : 1;
}

#if !defined(__SANITIZE_ADDRESS__)
static int take_much_memory(void)
{
	void *room = mmap(NULL, (size_t)128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *less = mmap(NULL, (size_t)32 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return room == MAP_FAILED && less != MAP_FAILED ? 0 : 1;
}

TEST(memory_is_bounded)
{
	assert_int_equal(done_in_jail(take_much_memory), 0);
}
#endif

TEST(computes_with_threads)
{
	assert_int_equal(done_in_jail(compute_in_a_thread), 42);
}

TEST(sees_no_files)
{
	assert_int_equal(done_in_jail(open_a_file), 0);
}

TEST(dies_at_any_attempt_to_get_out)
{
	assert_int_equal(done_in_jail(make_a_socket), 1000 + SIGSYS);
	assert_int_equal(done_in_jail(start_a_process), 1000 + SIGSYS);
	assert_int_equal(done_in_jail(start_a_program), 1000 + SIGSYS);
	assert_int_equal(done_in_jail(signal_another), 1000 + SIGSYS);
	assert_int_equal(done_in_jail(make_code), 1000 + SIGSYS);
}
