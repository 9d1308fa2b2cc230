/* Both stores pass one list of tests; that of Redis needs a redis-server. */
#include "programs/sess_check_svr/sess_store.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 3, NOW = 1000000, ENDS = NOW + 3600 };

static const char redis_server[] = "/usr/bin/redis-server";

struct fixture {
	const struct sess_store *driver;
	struct settings *settings;
	void *store;
	pid_t redis;
	char folder[256];
};

static void start_redis(struct fixture *f)
{
	char socket[300];

	snprintf(socket, sizeof socket, "%s/redis", f->folder);
	f->redis = fork();
	if (f->redis == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(redis_server, "redis-server", "--port", "0", "--unixsocket", socket, "--dir",
			f->folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
			"--logfile", "/dev/null", NULL);
		_exit(127);
	}
	assert_true(f->redis > 0);
}

static void stop_redis(struct fixture *f)
{
	kill(f->redis, SIGKILL);
	waitpid(f->redis, NULL, 0);
}

static void open_store(struct fixture *f)
{
	struct err err = { 0 };

	/* Redis takes a moment to start; its socket says when it has. */
	for (int i = 0; i < 1000; i++) {
		f->store = f->driver->open(f->settings, &err);
		if (f->store != NULL)
			return;
		assert_int_equal(err.code, ERR_SERVICE_DOWN);
		usleep(10000);
	}
	fail_msg("%s", err.text);
}

static void start(struct fixture *f, const struct sess_store *driver)
{
	struct err err = { 0 };
	char text[1024];

	*f = (struct fixture){ .driver = driver };
	snprintf(f->folder, sizeof f->folder, "%s", unit_scratch());
	snprintf(text, sizeof text,
		"[picstore]\nsecret_dir = %s/secret\n[sess_check_svr]\nfolder = %s/counts\n"
		"redis = unix:%s/redis\n",
		f->folder, f->folder, f->folder);
	f->settings = settings_parse("test.conf", text, &err);
	if (f->settings == NULL)
		fail_msg("%s", err.text);
	if (driver == &sess_store_redis) {
		if (access(redis_server, X_OK) != 0)
			skip();
		start_redis(f);
	}
	open_store(f);
}

static void stop(struct fixture *f)
{
	f->driver->close(f->store);
	if (f->redis > 0)
		stop_redis(f);
	settings_free(f->settings);
}

static struct sess_count count_of(char key, bool use)
{
	struct sess_count count = { .use = use, .ends = ENDS };

	memset(count.key, key, sizeof count.key);
	return count;
}

static void one(struct fixture *f, char key, bool use, int64_t now, uint32_t used, bool refused)
{
	struct sess_count count = count_of(key, use);
	struct err err = { 0 };

	if (f->driver->count(f->store, &count, 1, LIMIT, now, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(count.used, used);
	assert_int_equal(count.refused, refused);
}

static void counts_uses_up_to_the_limit(const struct sess_store *driver)
{
	struct fixture f;

	start(&f, driver);
	one(&f, 'a', false, NOW, 0, false);
	for (uint32_t used = 1; used <= LIMIT; used++)
		one(&f, 'a', true, NOW, used, false);
	one(&f, 'a', true, NOW, LIMIT, true);
	one(&f, 'a', true, NOW, LIMIT, true);
	one(&f, 'a', false, NOW, LIMIT, false);
	one(&f, 'b', true, NOW, 1, false);
	one(&f, 'c', false, NOW, 0, false);
	stop(&f);
}

static void counts_the_same_key_several_times_in_a_batch(const struct sess_store *driver)
{
	struct sess_count counts[] = { count_of('a', true), count_of('b', true),
		count_of('a', true), count_of('a', false), count_of('a', true), count_of('a', true),
		count_of('b', false) };
	struct fixture f;

	start(&f, driver);
	assert_int_equal(driver->count(f.store, counts, 7, LIMIT, NOW, NULL), 0);
	assert_int_equal(counts[0].used, 1);
	assert_int_equal(counts[1].used, 1);
	assert_int_equal(counts[2].used, 2);
	assert_int_equal(counts[3].used, 2);
	assert_int_equal(counts[4].used, 3);
	assert_false(counts[4].refused);
	assert_true(counts[5].refused);
	assert_int_equal(counts[6].used, 1);
	assert_false(counts[6].refused);
	stop(&f);
}

static void remembers_when_it_is_opened_again(const struct sess_store *driver)
{
	struct fixture f;

	start(&f, driver);
	one(&f, 'a', true, NOW, 1, false);
	driver->close(f.store);
	if (f.redis > 0) {
		stop_redis(&f);
		start_redis(&f);
	}
	open_store(&f);
	one(&f, 'a', true, NOW, 2, false);
	stop(&f);
}

TEST(sqlite_counts_uses_up_to_the_limit)
{
	counts_uses_up_to_the_limit(&sess_store_sqlite);
}

TEST(sqlite_counts_the_same_key_several_times_in_a_batch)
{
	counts_the_same_key_several_times_in_a_batch(&sess_store_sqlite);
}

TEST(sqlite_remembers_when_it_is_opened_again)
{
	remembers_when_it_is_opened_again(&sess_store_sqlite);
}

TEST(redis_counts_uses_up_to_the_limit)
{
	counts_uses_up_to_the_limit(&sess_store_redis);
}

TEST(redis_counts_the_same_key_several_times_in_a_batch)
{
	counts_the_same_key_several_times_in_a_batch(&sess_store_redis);
}

TEST(redis_remembers_when_it_is_opened_again)
{
	remembers_when_it_is_opened_again(&sess_store_redis);
}

TEST(sqlite_begins_anew_with_a_key_that_had_ended)
{
	struct fixture f;

	start(&f, &sess_store_sqlite);
	for (uint32_t used = 1; used <= LIMIT; used++)
		one(&f, 'a', true, NOW, used, false);
	one(&f, 'a', true, ENDS - 1, LIMIT, true);
	one(&f, 'a', false, ENDS, 0, false);
	one(&f, 'a', true, ENDS, 1, false);
	stop(&f);
}

TEST(sqlite_forgets_keys_that_have_ended)
{
	struct fixture f;
	struct sess_count count = count_of('b', true);

	start(&f, &sess_store_sqlite);
	one(&f, 'a', true, NOW, 1, false);
	count.ends = ENDS + 1;
	assert_int_equal(f.driver->count(f.store, &count, 1, LIMIT, NOW, NULL), 0);
	assert_int_equal(f.driver->forget(f.store, ENDS - 1, NULL), 0);
	assert_int_equal(f.driver->forget(f.store, ENDS, NULL), 1);
	assert_int_equal(f.driver->forget(f.store, ENDS, NULL), 0);
	one(&f, 'b', true, ENDS, 2, false);
	stop(&f);
}

TEST(redis_says_that_it_is_gone_and_goes_on_when_it_is_back)
{
	struct sess_count count = count_of('a', true);
	struct err err = { 0 };
	struct fixture f;
	int result;

	signal(SIGPIPE, SIG_IGN); /* as in every daemon */
	start(&f, &sess_store_redis);
	one(&f, 'a', true, NOW, 1, false);
	stop_redis(&f);
	assert_int_equal(f.driver->count(f.store, &count, 1, LIMIT, NOW, &err), -1);
	assert_int_equal(err.code, ERR_SERVICE_DOWN);
	start_redis(&f);
	do
		result = f.driver->count(f.store, &count, 1, LIMIT, NOW, &err);
	while (result != 0 && err.code == ERR_SERVICE_DOWN && usleep(10000) == 0);
	assert_int_equal(result, 0);
	assert_int_equal(count.used, 2);
	stop(&f);
}
