#include "deletion/delete_line.h"
#include "deletion/delete_log.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A path in a new folder, good until the next call but three. */
static const char *path_of(const char *name)
{
	static char paths[4][512];
	static int at;

	at = (at + 1) % 4;
	snprintf(paths[at], sizeof paths[at], "%s/%s", unit_scratch(), name);
	return paths[at];
}

static void append(struct delete_log *log, const char *text)
{
	struct err err = { 0 };

	if (delete_log_append(log, span_str(text), &err) != 0)
		fail_msg("%s", err.text);
}

static void assert_file(const char *path, const char *text)
{
	char have[4096] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	have[fread(have, 1, sizeof have - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(have, text);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

TEST(lines_are_appended)
{
	const char *path = path_of("new/delete.log");
	struct delete_log *log = delete_log_open(path, NULL);

	assert_non_null(log);
	append(log, "one\n");
	append(log, "two\nthree\n");
	append(log, "");
	assert_file(path, "one\ntwo\nthree\n");
	delete_log_close(log);
}

TEST(a_torn_line_does_not_eat_the_next)
{
	const char *path = path_of("delete.log");
	struct delete_log *log;

	write_file(path, "one\ntor");
	log = delete_log_open(path, NULL);
	append(log, "two\n");
	assert_file(path, "one\ntor\ntwo\n");
	delete_log_close(log);
}

TEST(what_does_not_fit_the_disk_leaves_nothing)
{
	const char *path = path_of("delete.log");
	struct rlimit old, limit;
	struct err err = { 0 };
	struct delete_log *log;

	write_file(path, "one\n");
	log = delete_log_open(path, NULL);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ .rlim_cur = 10, .rlim_max = old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(delete_log_append(log, SPAN("a line that is too long\n"), &err), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err.code, ERR_FULL);
	assert_file(path, "one\n");
	append(log, "two\n");
	assert_file(path, "one\ntwo\n");
	delete_log_close(log);
}

TEST(after_a_take_over_lines_go_to_a_new_file)
{
	const char *path = path_of("delete.log"), *taken = path_of("delete.log.taken");
	struct delete_log *log = delete_log_open(path, NULL);

	assert_int_equal(delete_log_take(path, taken, NULL), 0); /* it is empty */
	append(log, "one\n");
	assert_int_equal(delete_log_take(path, taken, NULL), 1);
	assert_int_equal(delete_log_take(path, path_of("other"), NULL), 0);
	append(log, "two\n");
	assert_file(taken, "one\n");
	assert_file(path, "two\n");
	delete_log_close(log);
}

/* Writers in processes of their own, while the log is taken over again and again. */
TEST(no_line_is_lost_between_writers_and_takers)
{
	enum { WRITERS = 3, LINES = 200 };
	const char *path = path_of("delete.log");
	unsigned char seen[WRITERS][LINES] = { 0 };
	pid_t writers[WRITERS];
	char taken[512];
	int left = WRITERS, lines = 0, taker = 0;

	for (int w = 0; w < WRITERS; w++) {
		writers[w] = fork();
		assert_true(writers[w] >= 0);
		if (writers[w] == 0) {
			struct delete_log *log = delete_log_open(path, NULL);

			for (int i = 0; i < LINES; i++) {
				char line[32];

				snprintf(line, sizeof line, "%d %d\n", w, i);
				if (log == NULL ||
					delete_log_append(log, span_str(line), NULL) != 0)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (bool last = false; !last; taker++) {
		int w, i, got, status;
		FILE *file;

		while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			left--;
		}
		last = left == 0;
		snprintf(taken, sizeof taken, "%s.%d", path, taker);
		got = delete_log_take(path, taken, NULL);
		assert_true(got >= 0);
		if (got == 0)
			continue;
		file = fopen(taken, "r");
		while (fscanf(file, "%d %d", &w, &i) == 2) {
			assert_int_equal(seen[w][i]++, 0);
			lines++;
		}
		fclose(file);
		unlink(taken);
	}
	assert_int_equal(lines, WRITERS * LINES);
}

TEST(a_folder_that_cannot_be_made_is_an_error)
{
	struct err err = { 0 };

	assert_null(delete_log_open(path_of("no/such/delete.log"), &err));
	assert_int_equal(err.code, ERR_IO);
}
