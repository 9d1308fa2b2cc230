#include "meta/db.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const first[] = { "CREATE TABLE cats (name TEXT NOT NULL UNIQUE, lives INT)",
	NULL };
static const char *const second[] = { "CREATE TABLE cats (name TEXT NOT NULL UNIQUE, lives INT)",
	"ALTER TABLE cats ADD picture BLOB", NULL };

static char path[512]; /* of the database of the test that runs */

static struct err start(void)
{
	snprintf(path, sizeof path, "%s/pets/cats.db", unit_scratch());
	return (struct err){ 0 };
}

static struct db *open_steps(const char *const *steps, struct err *err)
{
	struct db_conf conf = { .path = path, .steps = steps, .busy_ms = 10 };

	return db_open(&conf, err);
}

static int add(struct db *db, const char *name, int64_t lives, struct err *err)
{
	struct db_query *query = db_prepare(
		db, "INSERT INTO cats (name, lives) VALUES (?1, ?2)", err);

	assert_non_null(query);
	db_put_text(query, 1, span_str(name));
	db_put_int(query, 2, lives);
	return db_run(query, err);
}

static int64_t count(struct db *db)
{
	struct db_query *query = db_prepare(db, "SELECT COUNT(*) FROM cats", NULL);
	int64_t number;

	assert_int_equal(db_step(query, NULL), 1);
	number = db_int(query, 0);
	assert_int_equal(db_step(query, NULL), 0);
	return number;
}

TEST(keeps_what_it_was_given)
{
	struct err err = start();
	struct db *db = open_steps(second, &err);
	struct db_query *put, *get;
	char name[4];

	assert_non_null(db);
	put = db_prepare(db, "INSERT INTO cats VALUES (?1, ?2, ?3)", &err);
	db_put_text(put, 1, SPAN("Tom"));
	db_put_int(put, 2, INT64_MIN);
	db_put_blob(put, 3, SPAN("\0\1\2"));
	assert_int_equal(db_run(put, &err), 0);
	assert_int_equal(db_changes(db), 1);
	assert_int_equal(db_last_id(db), 1);
	db_put_text(put, 1, SPAN(""));
	db_put_null(put, 2);
	assert_int_equal(db_run(put, &err), 0); /* the old values are gone */
	db_close(db);

	db = open_steps(second, &err);
	get = db_prepare(db, "SELECT name, lives, picture FROM cats ORDER BY rowid", &err);
	assert_int_equal(db_step(get, &err), 1);
	assert_true(db_text(get, 0, name, sizeof name));
	assert_string_equal(name, "Tom");
	assert_false(db_text(get, 0, name, 3));
	assert_string_equal(name, "To");
	assert_int_equal(db_int(get, 1), INT64_MIN);
	assert_true(span_equal(db_bytes(get, 2), SPAN("\0\1\2")));
	assert_int_equal(db_step(get, &err), 1);
	assert_int_equal(db_bytes(get, 0).len, 0);
	assert_false(db_is_null(get, 0));
	assert_true(db_is_null(get, 1));
	assert_int_equal(db_bytes(get, 2).len, 0);
	assert_int_equal(db_step(get, &err), 0);
	assert_int_equal(db_step(get, &err), 1); /* and once more */
	db_reset(get);
	db_close(db);
}

TEST(says_that_a_value_is_there_already)
{
	struct err err = start();
	struct db *db = open_steps(first, &err);

	assert_int_equal(add(db, "Tom", 9, &err), 0);
	assert_int_equal(add(db, "Tom", 7, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(add(db, "Kitty", 9, &err), 0); /* and goes on */
	db_close(db);
}

TEST(forgets_a_transaction_that_is_rolled_back)
{
	struct err err = start();
	struct db *db = open_steps(first, &err);

	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(add(db, "Tom", 9, &err), 0);
	db_rollback(db);
	db_rollback(db);
	assert_int_equal(count(db), 0);
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(add(db, "Kitty", 9, &err), 0);
	assert_int_equal(db_commit(db, &err), 0);
	assert_int_equal(count(db), 1);
	db_close(db);
}

TEST(takes_the_steps_that_an_older_database_lacks)
{
	struct err err = start();
	struct db *db = open_steps(first, &err);

	assert_int_equal(add(db, "Tom", 9, &err), 0);
	db_close(db);
	db = open_steps(second, &err);
	assert_non_null(db);
	assert_int_equal(db_exec(db, "UPDATE cats SET picture = 'x'", &err), 0);
	db_close(db);
	assert_null(open_steps(first, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "newer"));
}

TEST(leaves_the_tables_alone_when_a_step_fails)
{
	static const char *const bad[] = { "CREATE TABLE cats (name)", "CREATE NONSENSE", NULL };
	struct err err = start();
	struct db *db;

	assert_null(open_steps(bad, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	db = open_steps(first, &err);
	assert_non_null(db);
	db_close(db);
}

TEST(waits_for_another_writer_only_so_long)
{
	struct err err = start();
	struct db *db = open_steps(first, &err), *other = open_steps(first, &err);

	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_begin(other, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_int_equal(count(other), 0); /* reading goes on */
	assert_int_equal(db_commit(db, &err), 0);
	assert_int_equal(db_begin(other, &err), 0);
	db_rollback(other);
	db_close(db);
	db_close(other);
}

TEST(keeps_what_was_committed_when_the_process_dies)
{
	struct err err = start();
	struct db *db;
	pid_t child = fork();
	int status;

	if (child == 0) {
		db = open_steps(first, NULL);
		add(db, "Tom", 9, NULL);
		db_begin(db, NULL);
		add(db, "Kitty", 9, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	db = open_steps(first, &err);
	assert_int_equal(count(db), 1);
	db_close(db);
}

TEST(says_that_there_is_no_room)
{
	struct err err = start();
	struct db *db = open_steps(second, &err);
	struct db_query *query = db_prepare(db, "INSERT INTO cats VALUES (?1, 1, ?2)", &err);
	static uint8_t picture[100000];

	assert_int_equal(db_exec(db, "PRAGMA max_page_count = 10", &err), 0);
	db_put_text(query, 1, SPAN("Tom"));
	db_put_blob(query, 2, span_of(picture, sizeof picture));
	assert_int_equal(db_run(query, &err), -1);
	assert_int_equal(err.code, ERR_FULL);
	assert_int_equal(add(db, "Tom", 9, &err), 0);
	db_close(db);
}

/* As in a daemon that may not make files outside of its own folders. */
TEST(needs_no_temporary_file)
{
	struct err err = start();
	struct db *db = open_steps(second, &err);
	struct rlimit before, none_more;
	struct db_query *sorted;
	int rows = 0, rc;

	assert_int_equal(db_exec(db,
				 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
				 "WHERE i < 300) "
				 "INSERT INTO cats SELECT 'cat ' || i, i, randomblob(65536) FROM n",
				 &err),
		0);
	sorted = db_prepare(db, "SELECT name FROM cats ORDER BY picture, name", &err);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none_more = before;
	none_more.rlim_cur = (rlim_t)dup(0);
	close((int)none_more.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_more), 0);
	while ((rc = db_step(sorted, &err)) == 1)
		rows++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (rc != 0)
		fail_msg("%s", err.text);
	assert_int_equal(rows, 300);
	db_close(db);
}

TEST(refuses_a_file_that_is_no_database)
{
	struct err err = start();
	int fd;

	db_close(open_steps(first, &err));
	fd = open(path, O_WRONLY | O_TRUNC);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "this is not it\n", 15), 15);
	close(fd);
	assert_null(open_steps(first, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
}

TEST(opens_no_file_through_a_link)
{
	struct db_conf conf = { .steps = first };
	struct err err = start();
	char link[600];

	db_close(open_steps(first, &err));
	snprintf(link, sizeof link, "%s.link", path);
	assert_int_equal(symlink(path, link), 0);
	conf.path = link;
	assert_null(db_open(&conf, &err));
	assert_int_equal(err.code, ERR_CONFIG);
}

TEST(reads_without_writing)
{
	struct db_conf conf = { .path = path, .read_only = true };
	struct err err = start();
	struct db *db;

	assert_null(db_open(&conf, &err)); /* not there */
	db_close(open_steps(first, &err));
	db = db_open(&conf, &err);
	assert_non_null(db);
	assert_int_equal(count(db), 0);
	assert_int_equal(add(db, "Tom", 9, &err), -1);
	db_close(db);
}
