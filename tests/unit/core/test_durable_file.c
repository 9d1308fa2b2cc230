#include "core/durable_file.h"

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path in the folder of all these tests; good until the next call. */
static const char *in_scratch(const char *name)
{
	static const char *folder;
	static char path[300];

	if (folder == NULL)
		folder = unit_scratch();
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void assert_holds(const char *path, const char *text)
{
	char found[100];
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, found, sizeof found);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(found, text, strlen(text));
	close(fd);
}

TEST(makes_and_replaces_a_file)
{
	const char *path = in_scratch("state");
	struct stat st;
	struct err err;

	assert_int_equal(durable_file_write(path, span_str("one"), 0600, &err), 0);
	assert_holds(path, "one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(durable_file_write(path, span_str(""), 0600, &err), 0);
	assert_holds(path, "");
}

TEST(takes_over_what_a_crash_left)
{
	const char *path = in_scratch("crashed.new");
	struct err err;

	close(open(path, O_WRONLY | O_CREAT, 0400));
	path = in_scratch("crashed");
	assert_int_equal(durable_file_write(path, span_str("whole"), 0644, &err), 0);
	assert_holds(path, "whole");
	assert_int_equal(access(in_scratch("crashed.new"), F_OK), -1);
}

TEST(leaves_the_old_file_when_the_new_one_cannot_be_written)
{
	struct rlimit limit, none;
	struct err err;

	assert_int_equal(durable_file_write(in_scratch("full"), span_str("old"), 0644, &err), 0);
	/* A disk that is full after four bytes. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = (struct rlimit){ 4, limit.rlim_max };
	setrlimit(RLIMIT_FSIZE, &none);
	assert_int_equal(
		durable_file_write(in_scratch("full"), span_str("longer"), 0644, &err), -1);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_non_null(strstr(err.text, "full"));
	assert_holds(in_scratch("full"), "old");
	assert_int_equal(access(in_scratch("full.new"), F_OK), -1);
}

TEST(says_which_file_cannot_be_made)
{
	struct err err;

	assert_int_equal(
		durable_file_write(in_scratch("no/folder"), span_str("x"), 0644, &err), -1);
	assert_non_null(strstr(err.text, "no/folder"));
}
