#include "auth/upload_key.h"
#include "unit.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char vector[] = "631068f6bbe0ace200afe7be7fd033c8dd77f950e5ce32b5";
static const int64_t issued = 0x5c515111; /* its low 16 bits are those of the vector */

static struct upload_key_rules rules(void)
{
	struct upload_key_rules rules = {
		.des = true,
		.jwt = true,
		.jwt_secret_len = UPLOAD_KEY_SECRET_MIN,
		.max_age = 3600,
		.clock_ahead = 60,
	};

	memcpy(rules.des_secret, "picstore", 8);
	memset(rules.jwt_secret, 's', UPLOAD_KEY_SECRET_MIN);
	return rules;
}

static const struct upload_key known = {
	.uid = 10001,
	.channel = 7,
	.albumid = 3,
	.ip = { 10, 1, 1, 197 },
	.issued = issued,
	.max_width = 1024,
	.max_height = 768,
	.is_head = true,
};

static void assert_same(const struct upload_key *a, const struct upload_key *b)
{
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->channel, b->channel);
	assert_int_equal(a->albumid, b->albumid);
	assert_memory_equal(a->ip, b->ip, 4);
	assert_int_equal(a->issued, b->issued);
	assert_int_equal(a->max_width, b->max_width);
	assert_int_equal(a->max_height, b->max_height);
	assert_int_equal(a->is_head, b->is_head);
}

static enum err_code code_at(const struct upload_key_rules *r, const char *text, int64_t now)
{
	struct upload_key key;
	struct err err = { 0 };

	if (upload_key_check(r, span_str(text), now, &key, &err) == 0)
		return ERR_NONE;
	assert_true(err.code != ERR_NONE && err.text[0] != '\0');
	return err.code;
}

TEST(makes_the_key_that_openssl_makes)
{
	struct upload_key_rules r = rules();
	char text[UPLOAD_KEY_DES_LEN + 1];
	struct err err;

	assert_int_equal(upload_key_make_des(&r, &known, text, &err), 0);
	assert_string_equal(text, vector);
}

TEST(reads_every_field_of_that_key)
{
	struct upload_key_rules r = rules();
	struct upload_key key;
	struct err err;

	assert_int_equal(upload_key_check(&r, span_str(vector), issued + 100, &key, &err), 0);
	assert_same(&key, &known);
}

TEST(an_old_key_lives_an_hour_and_a_minute_before)
{
	struct upload_key_rules r = rules();

	assert_int_equal(code_at(&r, vector, issued), ERR_NONE);
	assert_int_equal(code_at(&r, vector, issued + 3600), ERR_NONE);
	assert_int_equal(code_at(&r, vector, issued + 3601), ERR_KEY_EXPIRED);
	assert_int_equal(code_at(&r, vector, issued + 40000), ERR_KEY_EXPIRED);
	assert_int_equal(code_at(&r, vector, issued - 60), ERR_NONE);
	assert_int_equal(code_at(&r, vector, issued - 61), ERR_KEY_NOT_YET);
	assert_int_equal(code_at(&r, vector, issued - 3601), ERR_KEY_EXPIRED);
}

TEST(the_sixteen_bits_of_time_come_round)
{
	struct upload_key_rules r = rules();
	struct upload_key key, late = known;
	char text[UPLOAD_KEY_DES_LEN + 1];
	struct err err;

	late.issued = 0x5c51fff0; /* the low 16 bits wrap between issue and use */
	assert_int_equal(upload_key_make_des(&r, &late, text, &err), 0);
	assert_int_equal(upload_key_check(&r, span_str(text), 0x5c520100, &key, &err), 0);
	assert_int_equal(key.issued, 0x5c51fff0);
	late.issued = 0x5c520005; /* and between the server's clock and a faster one */
	assert_int_equal(upload_key_make_des(&r, &late, text, &err), 0);
	assert_int_equal(upload_key_check(&r, span_str(text), 0x5c51fff0, &key, &err), 0);
	assert_int_equal(key.issued, 0x5c520005);
}

TEST(refuses_texts_that_are_no_keys)
{
	static const char *const bad[] = {
		"1",
		"631068f6bbe0ace200afe7be7fd033c8dd77f950e5ce32b",   /* a digit short */
		"631068f6bbe0ace200afe7be7fd033c8dd77f950e5ce32b50", /* a digit long */
		"631068F6BBE0ACE200AFE7BE7FD033C8DD77F950E5CE32B5",  /* upper case */
		"631068f6bbe0ace200afe7be7fd033c8dd77f950e5ce32b4",  /* the last bit flipped */
		"000000000000000000000000000000000000000000000000",
		"..",
		"a.b.c",
		"eyJhbGciOiJub25lIn0.eyJ1aWQiOjF9.", /* alg none */
		"eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOjF9.AAAA",
	};
	struct upload_key_rules r = rules();

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (code_at(&r, bad[i], issued) != ERR_BAD_KEY)
			fail_msg("'%s' is not a bad key", bad[i]);
	assert_int_equal(code_at(&r, "", issued), ERR_NO_KEY);
}

/* The six bytes behind the fields are all that tells a key of ours from others. */
TEST(every_byte_behind_the_fields_is_looked_at)
{
	struct upload_key_rules r = rules();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t last[8], sealed[8], secret[16];
	char text[UPLOAD_KEY_DES_LEN + 1];
	int len;

	memcpy(secret, r.des_secret, 8);
	memcpy(secret + 8, r.des_secret, 8);
	for (size_t at = 1; at < sizeof last; at++) {
		memcpy(last, "\1\0\0\0\0\0\0\0", sizeof last);
		last[at] = 1;
		assert_int_equal(EVP_EncryptInit_ex2(ctx, EVP_des_ede(), secret, NULL, NULL), 1);
		assert_int_equal(EVP_EncryptUpdate(ctx, sealed, &len, last, sizeof last), 1);
		strcpy(text, vector);
		for (size_t i = 0; i < sizeof sealed; i++)
			snprintf(text + 32 + 2 * i, 3, "%02x", sealed[i]);
		/* the first is is_head's upper half */
		assert_int_equal(code_at(&r, text, issued), at == 1 ? ERR_NONE : ERR_BAD_KEY);
	}
	EVP_CIPHER_CTX_free(ctx);
}

TEST(another_secret_makes_another_key)
{
	struct upload_key_rules r = rules();

	memcpy(r.des_secret, "picstorf", 8); /* DES ignores the lowest bit of each byte, not this */
	r.des_secret[0] ^= 0x10;
	assert_int_equal(code_at(&r, vector, issued), ERR_BAD_KEY);
}

/* A second spelling would be counted as a second key. */
TEST(keys_of_the_secret_before_are_good_and_none_are_made_with_it)
{
	struct upload_key_rules before = rules(), now = rules();
	char des[UPLOAD_KEY_DES_LEN + 1], jwt[UPLOAD_KEY_JWT_MAX + 1];

	assert_int_equal(upload_key_make_des(&before, &known, des, NULL), 0);
	assert_int_equal(upload_key_make_jwt(&before, &known, issued + 60, jwt, NULL), 0);
	memcpy(now.des_secret, "another!", 8);
	memset(now.jwt_secret, 'n', UPLOAD_KEY_SECRET_MIN);
	assert_int_equal(code_at(&now, des, issued), ERR_BAD_KEY);
	assert_int_equal(code_at(&now, jwt, issued), ERR_BAD_KEY);
	now.has_old_des = true;
	memcpy(now.old_des_secret, before.des_secret, 8);
	now.old_jwt_secret_len = UPLOAD_KEY_SECRET_MIN;
	memcpy(now.old_jwt_secret, before.jwt_secret, UPLOAD_KEY_SECRET_MIN);
	assert_int_equal(code_at(&now, des, issued), ERR_NONE);
	assert_int_equal(code_at(&now, jwt, issued), ERR_NONE);
	assert_int_equal(code_at(&now, des, issued + 3601), ERR_KEY_EXPIRED);
	assert_int_equal(code_at(&now, jwt, issued + 60), ERR_KEY_EXPIRED);
	des[0] = des[0] == 'a' ? 'b' : 'a';
	des[47] = des[47] == 'a' ? 'b' : 'a';
	assert_int_equal(code_at(&now, des, issued), ERR_BAD_KEY);
	/* New ones are made with the new secret alone. */
	assert_int_equal(upload_key_make_des(&now, &known, des, NULL), 0);
	assert_int_equal(code_at(&before, des, issued), ERR_BAD_KEY);
	assert_int_equal(upload_key_make_jwt(&now, &known, issued + 60, jwt, NULL), 0);
	assert_int_equal(code_at(&before, jwt, issued), ERR_BAD_KEY);
	now.des = now.jwt = false;
	assert_int_equal(code_at(&now, jwt, issued), ERR_BAD_KEY);
}

TEST(a_token_has_one_spelling)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";
	struct upload_key_rules r = rules();
	char token[UPLOAD_KEY_JWT_MAX + 1], last;
	struct err err;
	size_t len;

	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	len = strlen(token);
	last = token[len - 1];
	for (size_t i = 0; i < sizeof digits - 1; i++) {
		token[len - 1] = digits[i];
		assert_int_equal(
			code_at(&r, token, issued), digits[i] == last ? ERR_NONE : ERR_BAD_KEY);
	}
}

TEST(two_tokens_are_two)
{
	struct upload_key_rules r = rules();
	char token[UPLOAD_KEY_JWT_MAX + 1], other[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, other, &err), 0);
	assert_string_not_equal(token, other);
}

TEST(a_key_says_until_when_it_is_good)
{
	struct upload_key_rules r = rules();
	struct upload_key key;
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	assert_int_equal(upload_key_check(&r, span_str(vector), issued, &key, &err), 0);
	assert_int_equal(code_at(&r, vector, key.expires - 1), ERR_NONE);
	assert_int_equal(code_at(&r, vector, key.expires), ERR_KEY_EXPIRED);
	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	assert_int_equal(upload_key_check(&r, span_str(token), issued, &key, &err), 0);
	assert_int_equal(code_at(&r, token, key.expires - 1), ERR_NONE);
	assert_int_equal(code_at(&r, token, key.expires), ERR_KEY_EXPIRED);
}

TEST(either_form_can_be_switched_off)
{
	struct upload_key_rules r = rules();
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	assert_int_equal(code_at(&r, token, issued), ERR_NONE);
	r.des = false;
	assert_int_equal(code_at(&r, vector, issued), ERR_BAD_KEY);
	assert_int_equal(code_at(&r, token, issued), ERR_NONE);
	r.jwt = false;
	assert_int_equal(code_at(&r, token, issued), ERR_BAD_KEY);
}

TEST(an_old_key_has_room_for_sixteen_bits)
{
	struct upload_key_rules r = rules();
	struct upload_key wide = known;
	char text[UPLOAD_KEY_DES_LEN + 1];
	struct err err;

	wide.uid = 65536;
	assert_int_equal(upload_key_make_des(&r, &wide, text, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
}

TEST(a_token_has_room_for_all_fields)
{
	struct upload_key_rules r = rules();
	struct upload_key wide = known, key;
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	wide.uid = wide.channel = wide.albumid = UINT32_MAX;
	wide.max_width = wide.max_height = UINT32_MAX;
	wide.issued = INT64_C(0x1234567890);
	assert_int_equal(upload_key_make_jwt(&r, &wide, wide.issued + 60, token, &err), 0);
	assert_int_equal(upload_key_check(&r, span_str(token), wide.issued + 59, &key, &err), 0);
	assert_same(&key, &wide);
}

TEST(a_token_lives_from_issue_to_expiry)
{
	struct upload_key_rules r = rules();
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	assert_int_equal(code_at(&r, token, issued + 599), ERR_NONE);
	assert_int_equal(code_at(&r, token, issued + 600), ERR_KEY_EXPIRED);
	assert_int_equal(code_at(&r, token, issued - 60), ERR_NONE);
	assert_int_equal(code_at(&r, token, issued - 61), ERR_KEY_NOT_YET);
	assert_int_equal(upload_key_make_jwt(&r, &known, issued, token, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
}

TEST(a_token_with_one_character_changed_is_refused)
{
	struct upload_key_rules r = rules();
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	for (size_t i = 0, len = strlen(token); i < len; i += 5) {
		char was = token[i];

		token[i] = was == 'A' ? 'Q' : 'A';
		if (code_at(&r, token, issued) != ERR_BAD_KEY)
			fail_msg("accepted with another character %zu: %s", i, token);
		token[i] = was;
	}
	token[strlen(token) - 1] = '\0';
	assert_int_equal(code_at(&r, token, issued), ERR_BAD_KEY);
}

/* A token with claims of the test's choice, signed with the right secret. */
static enum err_code code_of_claims(const char *json, jwt_alg_t alg)
{
	struct upload_key_rules r = rules();
	enum err_code code;
	jwt_t *jwt = NULL;
	char *text;

	assert_int_equal(jwt_new(&jwt), 0);
	assert_int_equal(jwt_add_grants_json(jwt, json), 0);
	if (alg != JWT_ALG_NONE)
		assert_int_equal(jwt_set_alg(jwt, alg, r.jwt_secret, (int)r.jwt_secret_len), 0);
	text = jwt_encode_str(jwt);
	assert_non_null(text);
	code = code_at(&r, text, 1000);
	free(text);
	jwt_free(jwt);
	return code;
}

TEST(only_hs256_signs_tokens)
{
	static const char good[] = "{\"uid\":1,\"iat\":1000,\"exp\":2000}";

	assert_int_equal(code_of_claims(good, JWT_ALG_HS256), ERR_NONE);
	assert_int_equal(code_of_claims(good, JWT_ALG_HS384), ERR_BAD_KEY);
	assert_int_equal(code_of_claims(good, JWT_ALG_HS512), ERR_BAD_KEY);
	assert_int_equal(code_of_claims(good, JWT_ALG_NONE), ERR_BAD_KEY);
}

TEST(signed_claims_are_checked_all_the_same)
{
	static const char *const bad[] = {
		"{\"uid\":1}",
		"{\"uid\":1,\"iat\":1000}",
		"{\"uid\":1,\"exp\":2000}",
		"{\"uid\":-1,\"iat\":1000,\"exp\":2000}",
		"{\"uid\":4294967296,\"iat\":1000,\"exp\":2000}",
		"{\"uid\":\"1\",\"iat\":1000,\"exp\":2000}",
		"{\"uid\":1,\"iat\":1000,\"exp\":2000.5}",
		"{\"uid\":1,\"iat\":-1,\"exp\":2000}",
		"{\"uid\":1,\"iat\":1000,\"exp\":2000,\"width\":-1}",
		"{\"uid\":1,\"iat\":1000,\"exp\":2000,\"ip\":\"1.2.3\"}",
		"{\"uid\":1,\"iat\":1000,\"exp\":2000,\"ip\":7}",
		"{\"uid\":1,\"iat\":1000,\"exp\":2000,\"head\":\"yes\"}",
		"{\"uid\":1,\"iat\":1000,\"exp\":2000,\"nbf\":\"soon\"}",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (code_of_claims(bad[i], JWT_ALG_HS256) != ERR_BAD_KEY)
			fail_msg("accepted %s", bad[i]);
	assert_int_equal(code_of_claims("{\"iat\":1000,\"exp\":2000,\"nbf\":1500}", JWT_ALG_HS256),
		ERR_KEY_NOT_YET);
	assert_int_equal(code_of_claims("{\"iat\":1000,\"exp\":2000,\"nbf\":1050,\"head\":true}",
				 JWT_ALG_HS256),
		ERR_NONE);
}

TEST(a_short_secret_signs_nothing)
{
	struct upload_key_rules r = rules();
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct err err;

	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), 0);
	r.jwt_secret_len = 0;
	assert_int_equal(code_at(&r, token, issued), ERR_CONFIG);
	assert_int_equal(upload_key_make_jwt(&r, &known, issued + 600, token, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
}
