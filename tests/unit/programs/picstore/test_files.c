#include "programs/picstore/files.h"
#include "programs/picstore/jobs.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[512];

static const char *in(const char *folder, const char *name)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void make(const char *folder, const char *name, const char *text)
{
	struct err err;

	assert_int_equal(files_write(in(folder, name), span_str(text), false, &err), 0);
}

TEST(a_file_reads_back_as_it_was_written)
{
	const char *folder = unit_scratch();
	struct err err;
	struct buf bytes;

	buf_init(&bytes, 100);
	make(folder, "a", "some bytes");
	assert_int_equal(files_read(in(folder, "a"), &bytes, &err), 0);
	assert_true(span_is(buf_span(&bytes), "some bytes"));
	buf_fini(&bytes);
}

static void write_numbered(void *context, size_t i)
{
	char numbered[512];
	struct err err;

	snprintf(numbered, sizeof numbered, "%s/%zu", (const char *)context, i);
	if (files_write(numbered, SPAN("x"), false, &err) != 0)
		abort();
}

static void no_report(void *context, size_t i)
{
	(void)context;
	(void)i;
}

TEST(files_that_threads_write_have_the_modes_that_they_should)
{
	const struct jobs jobs = { write_numbered, no_report, (void *)unit_scratch() };
	mode_t before = umask(0);
	struct stat st;

	umask(before);
	jobs_run(&jobs, 2000, 8);
	for (size_t i = 0; i < 2000; i++) {
		char name[16];

		snprintf(name, sizeof name, "%zu", i);
		assert_int_equal(stat(in(jobs.context, name), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0666 & ~before);
	}
	assert_int_equal(umask(before), before);
}

TEST(nothing_is_replaced_by_accident)
{
	const char *folder = unit_scratch();
	struct files_list list = { 0 };
	struct buf bytes;
	struct err err;

	buf_init(&bytes, 100);
	make(folder, "a", "old");
	assert_int_equal(files_write(in(folder, "a"), SPAN("new"), false, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(files_write(in(folder, "a"), SPAN("new"), true, &err), 0);
	assert_int_equal(files_read(in(folder, "a"), &bytes, &err), 0);
	assert_true(span_is(buf_span(&bytes), "new"));
	assert_int_equal(files_write(in(folder, "none/a"), SPAN("x"), true, &err), -1);
	assert_int_equal(files_add(&list, folder, &err), 0); /* no temporary file is left */
	assert_int_equal(list.count, 1);
	files_list_fini(&list);
	buf_fini(&bytes);
}

TEST(a_file_over_the_limit_is_refused)
{
	const char *folder = unit_scratch();
	struct buf bytes;
	struct err err;

	buf_init(&bytes, 5);
	make(folder, "five", "12345");
	make(folder, "six", "123456");
	assert_int_equal(files_read(in(folder, "five"), &bytes, &err), 0);
	buf_clear(&bytes);
	assert_int_equal(files_read(in(folder, "six"), &bytes, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	buf_fini(&bytes);
}

TEST(only_regular_files_are_read)
{
	const char *folder = unit_scratch();
	struct buf bytes;
	struct err err;

	buf_init(&bytes, 100);
	assert_int_equal(files_read(folder, &bytes, &err), -1);
	assert_int_equal(mkfifo(in(folder, "pipe"), 0600), 0);
	assert_int_equal(files_read(in(folder, "pipe"), &bytes, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	buf_fini(&bytes);
}

TEST(folders_are_walked_in_order_without_what_is_hidden)
{
	const char *folder = unit_scratch();
	struct files_list list = { 0 };
	struct err err;

	mkdir(in(folder, "b"), 0700);
	mkdir(in(folder, ".git"), 0700);
	make(folder, "c.jpg", "c");
	make(folder, "a.jpg", "a");
	make(folder, ".hidden.jpg", "h");
	make(folder, ".git/x", "x");
	make(folder, "b/1.png", "1");
	assert_int_equal(symlink(folder, in(folder, "b/loop")), 0);
	assert_int_equal(files_add(&list, folder, &err), 0);
	assert_int_equal(list.count, 3);
	assert_non_null(strstr(list.paths[0], "/a.jpg"));
	assert_non_null(strstr(list.paths[1], "/b/1.png"));
	assert_non_null(strstr(list.paths[2], "/c.jpg"));
	assert_int_equal(files_add(&list, in(folder, "none"), &err), -1);
	assert_int_equal(files_add(&list, "-", &err), 0);
	assert_string_equal(list.paths[3], "-");
	files_list_fini(&list);
}

TEST(extensions_are_those_that_ids_can_have)
{
	static const struct {
		const char *path, *ext;
	} cases[] = {
		{ "a.jpg", "jpg" },
		{ "dir.d/IMG.JPEG", "jpeg" },
		{ "dir.d/noext", "" },
		{ ".hidden", "" },
		{ "a.", "" },
		{ "a.toolong7", "" },
		{ "a.j g", "" },
		{ "-", "" },
		{ "a.tar.gz", "gz" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char ext[7];

		files_ext(cases[i].path, ext);
		assert_string_equal(ext, cases[i].ext);
	}
}
