#include "programs/sess_check_svr/sess_key.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum { NOW = 1549867346, LIMIT = 3, AGE = 3600, AHEAD = 300 };

struct fixture {
	struct settings *settings;
	struct upload_key_rules rules;
	char des[UPLOAD_KEY_DES_LEN + 1], jwt[UPLOAD_KEY_JWT_MAX + 1];
};

static void start(struct fixture *f, const char *verify)
{
	static const struct upload_key key = { .uid = 10001, .issued = NOW };
	struct err err = { 0 };
	char text[1024];

	*f = (struct fixture){ .rules = { .des = true,
				       .jwt = true,
				       .des_secret = "picstor",
				       .jwt_secret_len = UPLOAD_KEY_SECRET_MIN,
				       .max_age = AGE,
				       .clock_ahead = AHEAD } };
	memset(f->rules.jwt_secret, 's', UPLOAD_KEY_SECRET_MIN);
	snprintf(text, sizeof text, "[sess_check_svr]\nfolder = %s\nverify = %s\n", unit_scratch(),
		verify);
	f->settings = settings_parse("test.conf", text, &err);
	if (f->settings == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(upload_key_make_des(&f->rules, &key, f->des, NULL), 0);
	assert_int_equal(upload_key_make_jwt(&f->rules, &key, NOW + AGE + 1, f->jwt, NULL), 0);
}

static enum err_code look(
	const struct fixture *f, const char *text, int64_t now, struct sess_count *count)
{
	struct err err = { 0 };

	*count = (struct sess_count){ .use = true };
	if (sess_key_look(f->settings, &f->rules, span_str(text), now, count, &err) == 0)
		return ERR_NONE;
	return err.code;
}

/* All clocks between the first second in which a key is good and the last find the same
 * count, and whoever counts it half an hour early or late does not begin anew. */
TEST(a_key_has_its_uses_once_whatever_the_clock_says)
{
	static const int64_t clocks[] = { 0, AGE, -AHEAD, AGE - 1, AGE, 1, AGE, AGE };
	struct fixture f;
	struct sess_count count;
	void *store;

	start(&f, "yes");
	store = sess_store_sqlite.open(f.settings, NULL);
	for (int form = 0; form < 2; form++)
		for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
			int64_t found = NOW + clocks[i];
			int64_t counted = found + (i % 2 == 0 ? 1800 : -1800);

			assert_int_equal(look(&f, form ? f.jwt : f.des, found, &count), ERR_NONE);
			assert_int_equal(sess_store_sqlite.forget(store, counted, NULL), 0);
			assert_int_equal(
				sess_store_sqlite.count(store, &count, 1, LIMIT, counted, NULL), 0);
			assert_int_equal(count.refused, i >= LIMIT);
		}
	assert_int_equal(look(&f, f.des, NOW + AGE + 1, &count), ERR_KEY_EXPIRED);
	assert_int_equal(look(&f, f.jwt, NOW + AGE + 1, &count), ERR_KEY_EXPIRED);
	assert_int_equal(sess_store_sqlite.forget(store, NOW + AGE + 1 + SESS_KEY_KEPT_S, NULL), 2);
	sess_store_sqlite.close(store);
	settings_free(f.settings);
}

TEST(digits_that_come_round_are_another_key)
{
	struct sess_count first, again;
	struct fixture f;

	start(&f, "yes");
	assert_int_equal(look(&f, f.des, NOW, &first), ERR_NONE);
	assert_int_equal(look(&f, f.des, NOW + 65536, &again), ERR_NONE);
	assert_memory_not_equal(first.key, again.key, DIGEST_LEN);
	assert_int_equal(again.ends, first.ends + 65536);
	settings_free(f.settings);
}

/* The holder of a key must not get a second count by writing it in another way. */
TEST(no_other_spelling_of_a_key_is_counted)
{
	static const char *const frames[] = { " %s", "%s ", "%s\n", "\t%s", "%s=", "%s==", "%s.",
		".%s", "\"%s\"", "0x%s", "%s0", "Bearer %s" };
	struct sess_count count;
	struct fixture f;
	char text[UPLOAD_KEY_JWT_MAX + 16];

	start(&f, "yes");
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		for (int form = 0; form < 2; form++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof text, frames[i], form ? f.jwt : f.des);
#pragma GCC diagnostic pop
			assert_int_equal(look(&f, text, NOW, &count), ERR_BAD_KEY);
		}
	for (size_t i = 0; i < UPLOAD_KEY_DES_LEN; i++)
		if (f.des[i] >= 'a') {
			strcpy(text, f.des);
			text[i] = (char)(text[i] - 'a' + 'A');
			assert_int_equal(look(&f, text, NOW, &count), ERR_BAD_KEY);
		}
	settings_free(f.settings);
}

TEST(without_verify_any_text_is_a_key)
{
	struct sess_count one, other;
	struct fixture f;

	start(&f, "no");
	assert_int_equal(look(&f, "whatever", NOW, &one), ERR_NONE);
	assert_int_equal(one.ends, NOW + AGE + AHEAD);
	assert_int_equal(look(&f, "whatever ", NOW, &other), ERR_NONE);
	assert_memory_not_equal(one.key, other.key, DIGEST_LEN);
	assert_int_equal(look(&f, "", NOW, &one), ERR_NO_KEY);
	settings_free(f.settings);
}
