#include "service/service.h"
#include "service/stat_socket.h"
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A daemon in a child process, which does nothing but what the test wants. */
static struct {
	sem_t stop;
	bool fail_open, bad_config, deaf;
	bool reloads;
} toy;

static struct service_counter counters[] = {
	{ .name = "uploads", .help = "Pictures taken." },
	{ .name = "open", .help = "Connections.", .gauge = true },
};

static int toy_open(struct service_context *context, struct err *err)
{
	(void)context;
	counters[0].value += 5;
	if (toy.bad_config)
		return err_set(err, ERR_CONFIG, "that cannot be");
	return toy.fail_open ? err_set(err, ERR_IO, "the disk is gone") : 0;
}

static int toy_run(struct service_context *context, struct err *err)
{
	(void)context;
	(void)err;
	while (sem_wait(&toy.stop) != 0)
		continue;
	return 0;
}

static void toy_stop(struct service_context *context)
{
	(void)context;
	if (!toy.deaf)
		sem_post(&toy.stop);
}

static int toy_reload(
	struct service_context *context, const struct settings *fresh, struct err *err)
{
	assert_string_equal(context->settings->run_dir, fresh->run_dir);
	if (fresh->beat_interval == 500)
		return err_set(err, ERR_CONFIG, "500 is not wanted");
	counters[0].value += 100;
	return 0;
}

static const struct service service_that_reloads = {
	.name = "toy",
	.summary = "does nothing",
	.counters = counters,
	.counter_count = 2,
	.run = toy_run,
	.stop = toy_stop,
	.reload = toy_reload,
};

static const struct service service = {
	.name = "toy",
	.summary = "does nothing",
	.counters = counters,
	.counter_count = 2,
	.open = toy_open,
	.run = toy_run,
	.stop = toy_stop,
};

struct child {
	char folder[200], conf[220], log[220];
	pid_t pid;
	int ready;
};

static void prepare(struct child *child)
{
	FILE *conf;

	memset(&toy, 0, sizeof toy);
	sem_init(&toy.stop, 0, 0);
	snprintf(child->folder, sizeof child->folder, "%s", unit_scratch());
	snprintf(child->conf, sizeof child->conf, "%s/p.conf", child->folder);
	snprintf(child->log, sizeof child->log, "%s/log", child->folder);
	conf = fopen(child->conf, "w");
	fputs("[picstore]\nrun_dir = run\n", conf);
	fclose(conf);
}

static void start(struct child *child, const char *option)
{
	char name[] = "toy", config[] = "-c", more[100] = "";
	char *argv[] = { name, config, child->conf, option == NULL ? NULL : more, NULL };
	char number[16];
	int ends[2];

	if (option != NULL)
		snprintf(more, sizeof more, "%s", option);
	assert_int_equal(pipe(ends), 0);
	child->pid = fork();
	if (child->pid == 0) {
		int log = open(child->log, O_CREAT | O_WRONLY | O_TRUNC, 0600);

		dup2(log, STDERR_FILENO);
		dup2(log, STDOUT_FILENO);
		close(ends[0]);
		snprintf(number, sizeof number, "%d", ends[1]);
		setenv("PICSTORE_READY_FD", number, 1);
		exit(service_main(toy.reloads ? &service_that_reloads : &service,
			option == NULL ? 3 : 4, argv));
	}
	close(ends[1]);
	child->ready = ends[0];
}

/* True once the child says that it is ready, false if it ends before. */
static bool is_ready(struct child *child)
{
	char byte;
	ssize_t got = read(child->ready, &byte, 1);

	close(child->ready);
	return got == 1 && byte == '\n';
}

static int status_of(struct child *child)
{
	int status;

	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool log_has(const struct child *child, const char *text)
{
	char all[4000] = "";
	FILE *log = fopen(child->log, "r");
	size_t len = fread(all, 1, sizeof all - 1, log);

	all[len] = '\0';
	fclose(log);
	return strstr(all, text) != NULL;
}

static void wait_log(const struct child *child, const char *text)
{
	for (int i = 0; i < 2000 && !log_has(child, text); i++)
		usleep(5000);
	assert_true(log_has(child, text));
}

static void put_conf(const struct child *child, const char *more)
{
	FILE *conf = fopen(child->conf, "w");

	fprintf(conf, "[picstore]\nrun_dir = run\n%s\n", more);
	fclose(conf);
}

TEST(reads_the_configuration_again_at_sighup_if_it_can)
{
	struct child child;

	prepare(&child);
	toy.reloads = true;
	start(&child, NULL);
	assert_true(is_ready(&child));
	kill(child.pid, SIGHUP);
	wait_log(&child, "was read again");
	put_conf(&child, "[tracker]\nbeat_interval = 500ms");
	kill(child.pid, SIGHUP);
	wait_log(&child, "stays as it was: 500 is not wanted");
	put_conf(&child, "[nothing]");
	kill(child.pid, SIGHUP);
	wait_log(&child, "p.conf:3");
	kill(child.pid, SIGTERM);
	assert_int_equal(status_of(&child), 0);
}

TEST(says_when_it_is_ready_and_stops_when_asked)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < 3; i++) {
		struct child child;

		prepare(&child);
		start(&child, NULL);
		assert_true(is_ready(&child));
		kill(child.pid, numbers[i]);
		assert_int_equal(status_of(&child), 0);
		assert_true(log_has(&child, "toy info: stopped"));
	}
}

TEST(tells_its_figures_to_whoever_connects)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char run_dir[220], text[1000] = "";
	struct child child;
	const char *name;
	int pid, uploads, fd;
	size_t len = 0;
	json_t *json;
	ssize_t got;

	prepare(&child);
	start(&child, NULL);
	assert_true(is_ready(&child));
	snprintf(run_dir, sizeof run_dir, "%s/run", child.folder);
	stat_socket_path(run_dir, "toy", NULL, text);
	snprintf(to.sun_path, sizeof to.sun_path, "%.100s", text);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_int_equal(json_unpack(json, "{s:s, s:i, s:{s:i}}", "name", &name, "pid", &pid,
				 "counters", "uploads", &uploads),
		0);
	assert_string_equal(name, "toy");
	assert_int_equal(pid, child.pid);
	assert_int_equal(uploads, 5);
	json_decref(json);
	kill(child.pid, SIGTERM);
	assert_int_equal(status_of(&child), 0);
	assert_int_equal(access(to.sun_path, F_OK), -1); /* gone with the daemon */
}

TEST(a_second_signal_leaves_at_once)
{
	struct child child;

	prepare(&child);
	toy.deaf = true;
	start(&child, NULL);
	assert_true(is_ready(&child));
	kill(child.pid, SIGTERM);
	while (!log_has(&child, "stopping")) /* else two signals would become one */
		sched_yield();
	kill(child.pid, SIGTERM);
	assert_int_equal(status_of(&child), 1);
	assert_true(log_has(&child, "leaving at once"));
}

TEST(a_daemon_that_cannot_open_is_never_ready)
{
	struct child child;

	prepare(&child);
	toy.fail_open = true;
	start(&child, NULL);
	assert_false(is_ready(&child));
	assert_int_equal(status_of(&child), 1);
	assert_true(log_has(&child, "toy error: the disk is gone"));
	prepare(&child);
	toy.bad_config = true;
	start(&child, NULL);
	assert_false(is_ready(&child));
	assert_int_equal(status_of(&child), 2);
}

TEST(two_of_a_kind_do_not_run_at_a_time)
{
	struct child one, two;

	prepare(&one);
	start(&one, NULL);
	assert_true(is_ready(&one));
	two = one;
	snprintf(two.log, sizeof two.log, "%s/log2", two.folder);
	start(&two, NULL);
	assert_false(is_ready(&two));
	assert_int_equal(status_of(&two), 1);
	assert_true(log_has(&two, "another process listens on"));
	kill(one.pid, SIGTERM);
	assert_int_equal(status_of(&one), 0);
}

static void assert_leaves(const char *option, int status, const char *says)
{
	struct child child;

	prepare(&child);
	start(&child, option);
	assert_false(is_ready(&child));
	assert_int_equal(status_of(&child), status);
	if (!log_has(&child, says))
		fail_msg("%s does not say '%s'", option, says);
}

TEST(options_that_only_tell_something)
{
	assert_leaves("-t", 0, "p.conf: good");
	assert_leaves("--help", 0, "toy - does nothing");
	assert_leaves("--version", 0, "toy ");
	assert_leaves("--keys", 0, "#tracker_server = 127.0.0.1:22122");
}

TEST(wrong_options_are_refused)
{
	assert_leaves("--wrong", 2, "toy --help lists the options");
	assert_leaves("more", 2, "'more' is not an option");
	assert_leaves("--listen=here", 2, "'here' is not host:port");
	assert_leaves("--instance=g01", 2, "toy has no instances");
}

TEST(a_wrong_configuration_is_refused_with_file_and_line)
{
	struct child child;
	FILE *conf;

	prepare(&child);
	conf = fopen(child.conf, "a");
	fputs("user_ = nobody\n", conf);
	fclose(conf);
	start(&child, "-t");
	assert_false(is_ready(&child));
	assert_int_equal(status_of(&child), 2);
	assert_true(log_has(&child, "p.conf:3: [picstore] has no key 'user_'; is 'user' meant?"));
}
