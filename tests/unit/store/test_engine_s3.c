/* What the engine s3 makes of a service that fails.  It runs beside tests/integration/
 * s3_double.py, which says what each fault is. */
#include "core/crc32.h"
#include "fake_server.h"
#include "store/breaker.h"
#include "store_kit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(struct kit *kit)
{
	kit_tell("clear=1&exclusive=honours");
	kit_start(kit, "s3");
	kit_tell("what=none&method=ANY&times=0");
}

static enum err_code put_code(struct kit *kit)
{
	struct engine_put put = {
		.content = SPAN("some bytes"),
		.crc = crc32_add(0, SPAN("some bytes")),
		.path = ENGINE_ANY_PATH,
	};

	engine_put_wait(kit->engine, &put);
	return put.err.code;
}

TEST(a_put_that_may_have_been_done_is_sent_again_under_the_same_id)
{
	static const char *const faults[] = { "unknown", "reset", "broken", "slow" };
	static const char *const modes[] = { "honours", "ignores", "refuses" };
	char query[64];
	struct kit kit;

	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 4; j++) {
			struct file_id id;

			start(&kit);
			snprintf(query, sizeof query, "exclusive=%s", modes[i]);
			kit_tell(query);
			kit_put(&kit, 10, 1);
			snprintf(query, sizeof query, "method=PUT&what=%s&times=2", faults[j]);
			kit_tell(query);
			id = kit_put(&kit, 3000, 2);
			kit_expect(&kit, &id, 3000, 2);
			assert_int_equal(kit_tell(""), 2); /* no orphan */
			kit_close(&kit);
		}
}

TEST(the_first_put_too)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	kit_tell("method=PUT&what=unknown&times=1");
	id = kit_put(&kit, 3000, 2);
	kit_expect(&kit, &id, 3000, 2);
	assert_int_equal(kit_tell(""), 1);
	kit_close(&kit);
}

TEST(what_stays_unknown_is_reported_as_that)
{
	struct kit kit;

	start(&kit);
	kit_tell("method=PUT&what=broken&times=1");
	kit_tell("method=PUT&what=slow&times=2");
	assert_int_equal(put_code(&kit), ERR_UNKNOWN);
	kit_tell("what=none&method=ANY&times=0");
	kit.s3.timeout_ms = 200;
	kit_open(&kit, "s3");
	kit_tell("method=PUT&what=secretly&times=3");
	assert_int_equal(put_code(&kit), ERR_UNKNOWN);
	assert_int_equal(kit_tell("what=none&method=ANY&times=0"), 1); /* as it may be */
	kit_close(&kit);
}

static struct engine_doubts sweep(struct kit *kit)
{
	struct engine_doubts left;
	struct err err;

	engine_sweep(kit->engine, &left, &err);
	return left;
}

TEST(what_was_put_and_is_not_known_is_removed_now_and_again_after_a_minute)
{
	struct kit kit;

	start(&kit);
	kit.s3.timeout_ms = 200;
	kit_open(&kit, "s3");
	kit_tell("method=PUT&what=secretly&times=2");
	assert_int_equal(put_code(&kit), ERR_UNKNOWN);
	assert_int_equal(kit_tell("what=none&method=ANY&times=0"), 1);
	assert_int_equal(sweep(&kit).puts, 1);
	assert_int_equal(kit_tell(""), 0); /* the orphan is gone, but one may be on its way */
	kit_now_ms += 60000;
	assert_int_equal(sweep(&kit).puts, 1);
	kit_now_ms += 1000;
	assert_int_equal(sweep(&kit).puts, 0);
	assert_non_null(strstr(kit_told.text, "nobody was told"));
	kit_close(&kit);
}

TEST(a_remove_that_is_not_known_is_repeated_until_it_is)
{
	struct engine_doubts left;
	struct file_id id;
	struct kit kit;
	struct err err;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	kit_tell("method=DELETE&what=broken&times=3");
	assert_int_equal(kit_remove(&kit, &id), ERR_UNKNOWN);
	assert_int_equal(kit_tell(""), 1);
	kit_tell("method=DELETE&what=slow&times=3");
	assert_int_equal(engine_sweep(kit.engine, &left, &err), -1); /* and says why */
	assert_int_equal(err.code, ERR_BUSY);
	assert_int_equal(left.removes, 1);
	kit_tell("what=none&method=ANY&times=0");
	kit_open(&kit, "s3"); /* the journal knows it after a start too */
	assert_int_equal(sweep(&kit).removes, 0);
	assert_int_equal(kit_tell(""), 0);
	kit_close(&kit);
}

TEST(while_a_delete_is_pending_nothing_is_put_back_under_that_id)
{
	struct engine_put put = { .content = SPAN("abc"), .crc = crc32_add(0, SPAN("abc")) };
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put_span(&kit, SPAN("abc"), "jpg");
	kit_tell("method=DELETE&what=unknown&times=99");
	assert_int_equal(kit_remove(&kit, &id), ERR_UNKNOWN);
	kit_tell("what=none&method=ANY&times=0");
	put.wanted = &id;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_BUSY);
	assert_int_equal(sweep(&kit).removes, 0);
	assert_int_equal(engine_put_wait(kit.engine, &put), 0);
	assert_int_equal(sweep(&kit).removes, 0);
	assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	kit_close(&kit);
}

TEST(a_put_that_was_answered_is_in_no_journal)
{
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	kit_open(&kit, "s3");
	assert_int_equal(sweep(&kit).puts, 0);
	kit_expect(&kit, &id, 100, 1);
	assert_int_equal(put_code(&kit), ERR_NONE);
	kit_tell("method=PUT&what=denied&times=1");
	assert_int_equal(put_code(&kit), ERR_NOT_ALLOWED);
	assert_int_equal(sweep(&kit).puts, 0);
	kit_close(&kit);
}

TEST(a_silent_service_costs_no_more_than_the_deadline)
{
	struct engine_stat stat;
	struct file_id id;
	struct err err;
	struct kit kit;

	start(&kit);
	kit.s3.timeout_ms = 200;
	id = kit_put(&kit, 100, 1);
	kit_open(&kit, "s3");
	kit_tell("method=GET&what=hang&times=9");
	kit_tell("method=HEAD&what=hang&times=9");
	kit_tell("method=PUT&what=hang&times=9");
	assert_int_equal(engine_stat(kit.engine, &id, 0, &stat, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT); /* and not "not found" */
	assert_int_equal(kit_get_code(&kit, &id), ERR_TIMEOUT);
	kit_tell("what=none&method=ANY&times=0");
	kit_close(&kit);
}

TEST(after_failures_in_a_row_it_fails_at_once_and_says_so)
{
	struct file_id id;
	struct err err;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	kit_tell("method=GET&what=slow&times=1000");
	for (int i = 0; i < BREAKER_FAILURES; i++)
		assert_int_equal(kit_get_code(&kit, &id), ERR_BUSY);
	assert_int_equal(engine_health(kit.engine, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	kit_tell("what=none&method=ANY&times=0");
	assert_int_equal(kit_get_code(&kit, &id), ERR_BUSY); /* nobody was asked */
	kit_close(&kit);
}

TEST(what_is_refused_is_not_tried_again_and_nothing_is_taken_for_missing)
{
	static const struct {
		const char *what;
		enum err_code get, put;
	} rows[] = {
		{ "denied", ERR_NOT_ALLOWED, ERR_NOT_ALLOWED },
		{ "nobucket", ERR_NOT_ALLOWED, ERR_NOT_ALLOWED },
		{ "page", ERR_NOT_ALLOWED, ERR_NOT_ALLOWED },
		{ "quota", ERR_FULL, ERR_FULL },
	};
	struct file_id id;
	char query[64];
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 100, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(query, sizeof query, "method=GET&what=%s&times=1", rows[i].what);
		kit_tell(query);
		assert_int_equal(kit_get_code(&kit, &id), rows[i].get);
		snprintf(query, sizeof query, "method=PUT&what=%s&times=1", rows[i].what);
		kit_tell(query);
		assert_int_equal(put_code(&kit), rows[i].put);
		kit_expect(&kit, &id, 100, 1);
	}
	kit_close(&kit);
}

TEST(wrong_bytes_are_read_once_more_before_they_are_called_corrupt)
{
	static const char *const faults[] = { "wrong", "shorter", "longer" };
	struct file_id id;
	char query[64];
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 5000, 1);
	for (size_t i = 0; i < 3; i++) {
		snprintf(query, sizeof query, "method=GET&what=%s&times=1", faults[i]);
		kit_tell(query);
		assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
		snprintf(query, sizeof query, "method=GET&what=%s&times=2", faults[i]);
		kit_tell(query);
		assert_int_equal(kit_get_code(&kit, &id), ERR_CORRUPT);
	}
	kit_tell("method=GET&what=sick&times=1"); /* the connection is, another is not */
	assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	kit_tell("method=GET&what=short&times=2"); /* a connection that broke, nothing worse */
	assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	kit_close(&kit);
}

TEST(a_remove_that_may_have_been_done_is_done)
{
	static const char *const faults[] = { "unknown", "reset", "broken" };
	char query[64];
	struct kit kit;

	for (size_t i = 0; i < 3; i++) {
		struct file_id id;

		start(&kit);
		id = kit_put(&kit, 5000, 1);
		snprintf(query, sizeof query, "method=DELETE&what=%s&times=2", faults[i]);
		kit_tell(query);
		assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
		assert_int_equal(kit_tell(""), 0);
		assert_int_equal(kit_remove(&kit, &id), ERR_NOT_FOUND);
		kit_close(&kit);
	}
}

TEST(a_wanted_id_is_taken_once)
{
	struct engine_put put = { .content = SPAN("abc"), .crc = crc32_add(0, SPAN("abc")) };
	struct file_id id, wanted;
	struct kit kit;

	start(&kit);
	id = wanted = kit_put_span(&kit, SPAN("abc"), "jpg");
	put.wanted = &wanted;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_EXISTS);
	assert_int_equal(kit_remove(&kit, &id), ERR_NONE);
	assert_int_equal(engine_put_wait(kit.engine, &put), 0);
	assert_true(file_id_equal(&put.id, &id));
	assert_int_equal(kit_get_code(&kit, &id), ERR_NONE);
	wanted.size = 4;
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_BAD_REQUEST);
	kit_close(&kit);
}

TEST(two_of_them_serve_and_delete_the_same_pictures)
{
	struct kit one, other;
	struct file_id id;

	start(&one);
	kit_init(&other, 0);
	memcpy(other.prefix, one.prefix, sizeof other.prefix);
	other.conf.source[3] = 198;
	kit_open(&other, "s3");
	id = kit_put(&one, 4000, 1);
	kit_expect(&other, &id, 4000, 1);
	assert_int_equal(kit_remove(&other, &id), ERR_NONE);
	assert_int_equal(kit_get_code(&one, &id), ERR_NOT_FOUND);
	kit_close(&other);
	kit_close(&one);
}

TEST(the_name_of_the_bucket_may_stand_before_the_host)
{
	const char *port = strrchr(getenv("S3_ENDPOINT"), ':');
	char endpoint[40];
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 500, 1);
	snprintf(endpoint, sizeof endpoint, "http://localhost%s", port);
	kit.s3.endpoint = endpoint; /* every name under localhost is this machine */
	kit.s3.bucket_in_host = true;
	kit_open(&kit, "s3");
	kit_expect(&kit, &id, 500, 1);
	kit_put(&kit, 500, 2);
	assert_int_equal(kit_tell(""), 2);
	kit_close(&kit);
}

TEST(a_wrong_secret_is_refused)
{
	struct kit kit;

	start(&kit);
	kit.s3.secret_key = "another";
	kit_open(&kit, "s3");
	assert_int_equal(put_code(&kit), ERR_NOT_ALLOWED);
	assert_int_equal(kit_tell(""), 0);
	kit_close(&kit);
}

TEST(nobody_there_is_unreachable)
{
	char endpoint[40];
	struct file_id id;
	struct kit kit;

	start(&kit);
	id = kit_put(&kit, 10, 1);
	snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", fake_server_dead_port());
	kit.s3.endpoint = endpoint;
	kit_open(&kit, "s3");
	assert_int_equal(kit_get_code(&kit, &id), ERR_UNREACHABLE);
	kit_close(&kit);
}

TEST(refuses_a_configuration_that_cannot_be)
{
	struct kit kit;
	struct err err;

	kit_init(&kit, 1);
	kit.conf.s3 = &kit.s3;
	kit.s3.prefix = "";
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		struct engine_s3_conf good = kit.s3;                                               \
                                                                                                   \
		kit.s3.field = value;                                                              \
		assert_null(engine_open("s3", &kit.conf, &err));                                   \
		assert_int_equal(err.code, ERR_CONFIG);                                            \
		kit.s3 = good;                                                                     \
	} while (0)
	REFUSED(endpoint, "");
	REFUSED(endpoint, "ftp://a");
	REFUSED(endpoint, "https://");
	REFUSED(endpoint, "https://host/path");
	REFUSED(endpoint, "https://user@host");
	REFUSED(bucket, "");
	REFUSED(bucket, "ab");
	REFUSED(bucket, "a/b/c");
	REFUSED(bucket, "UPPER");
	REFUSED(prefix, "/a");
	REFUSED(prefix, "a/");
	REFUSED(prefix, "a b");
	REFUSED(access_key, "");
	REFUSED(secret_key, "");
	REFUSED(region, "");
	REFUSED(in_flight, 1);
}
